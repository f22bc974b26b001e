/*
 * Do the bytes of a HEF carry the checksum that its header says? CRC-32 (as zlib) and MD5 (RFC 1321).
 */
#include <math.h>
#include <string.h>
#include "hef.h"

uint32_t crc32_of(const uint8_t *bytes, size_t size)
{
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < size; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

static uint32_t rotated(uint32_t x, int by) { return x << by | x >> (32 - by); }

static void md5_block(uint32_t state[4], const uint8_t block[64])
{
  static const int shifts[4][4] = { { 7, 12, 17, 22 }, { 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 } };
  uint32_t words[16], a = state[0], b = state[1], c = state[2], d = state[3];
  memcpy(words, block, 64);
  for (int i = 0; i < 64; i++) {
    int round = i / 16;
    uint32_t mixed = round == 0 ? (b & c) | (~b & d) : round == 1 ? (d & b) | (~d & c) : round == 2 ? b ^ c ^ d : c ^ (b | ~d);
    int word = round == 0 ? i : round == 1 ? (5 * i + 1) % 16 : round == 2 ? (3 * i + 5) % 16 : 7 * i % 16;
    uint32_t constant = (uint32_t)floor(fabs(sin(i + 1.0)) * 4294967296.0);
    uint32_t sum = a + mixed + constant + words[word];
    a = d;
    d = c;
    c = b;
    b += rotated(sum, shifts[round][i % 4]);
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
}

void md5_of(const uint8_t *bytes, size_t size, uint8_t digest[16])
{
  uint32_t state[4] = { 0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u };
  size_t whole = size / 64 * 64;
  for (size_t i = 0; i < whole; i += 64) md5_block(state, bytes + i);
  uint8_t tail[128] = { 0 };
  size_t left = size - whole, tail_size = left < 56 ? 64 : 128;
  uint64_t bits = (uint64_t)size * 8;
  memcpy(tail, bytes + whole, left);
  tail[left] = 0x80;
  memcpy(tail + tail_size - 8, &bits, 8);
  for (size_t i = 0; i < tail_size; i += 64) md5_block(state, tail + i);
  memcpy(digest, state, 16);
}
