/**
 * Converts between stored samples and numbers.
 *
 * Full scale is 1: an n-bit sample is divided by 2^(n-1), unsigned 8-bit is centred on 128. The two companding laws are
 * those of ITU-T G.711, on a 16-bit scale. Interleaved bytes on one side, one float32 array per channel on the other.
 */
import type { WavEncoding } from './format.ts'

/** The sample at an index of interleaved little-endian bytes. */
export type SampleDecoder = (index: number) => number
/** Stores a sample at an index. */
export type SampleEncoder = (index: number, value: number) => void

/** Bytes of one sample. */
export const sampleBytes: Record<WavEncoding, number> = {
  pcm8: 1,
  pcm16: 2,
  pcm24: 3,
  pcm32: 4,
  float32: 4,
  float64: 8,
  mulaw: 1,
  alaw: 1,
}

/**
 * Reads samples out of `buffer`, whose bytes may be replaced between calls. A float64 is rounded by whoever stores it.
 *
 * @param isBig the high byte comes first, as in RIFX
 */
export function sampleDecoder(encoding: WavEncoding, buffer: ArrayBuffer, isBig = false): SampleDecoder {
  const bytes = new Uint8Array(buffer)
  const view = new DataView(buffer)
  switch (encoding) {
    case 'pcm8':
      return i => (bytes[i]! - 128) / 128
    case 'pcm16':
      return i => view.getInt16(2 * i, !isBig) / 0x8000
    case 'pcm24':
      return isBig
        ? i => ((bytes[3 * i + 2]! << 8) | (bytes[3 * i + 1]! << 16) | (bytes[3 * i]! << 24)) / 0x8000_0000
        : i => ((bytes[3 * i]! << 8) | (bytes[3 * i + 1]! << 16) | (bytes[3 * i + 2]! << 24)) / 0x8000_0000
    case 'pcm32':
      return i => view.getInt32(4 * i, !isBig) / 0x8000_0000
    case 'float32':
      return i => view.getFloat32(4 * i, !isBig)
    case 'float64':
      return i => view.getFloat64(8 * i, !isBig)
    case 'mulaw':
      return tabled(bytes, linearFromMulaw)
    case 'alaw':
      return tabled(bytes, linearFromAlaw)
  }
}

/** Writes samples into `buffer`. pcm16 and mulaw clip to full scale; float32 keeps what is beyond it. */
export function sampleEncoder(encoding: 'pcm16' | 'float32' | 'mulaw', buffer: ArrayBuffer): SampleEncoder {
  const bytes = new Uint8Array(buffer)
  const view = new DataView(buffer)
  switch (encoding) {
    case 'pcm16':
      return (i, value) => view.setInt16(2 * i, int16From(value), true)
    case 'float32':
      return (i, value) => view.setFloat32(4 * i, value, true)
    case 'mulaw':
      return (i, value) => void (bytes[i] = mulawFromLinear(int16From(value)))
  }
}

/**
 * The nearest 16-bit sample; halves go away from zero, so that sound keeps its symmetry. +1 has no sample of its own:
 * 32767.
 */
function int16From(value: number): number {
  const nearest = Math.sign(value) * Math.round(Math.abs(value) * 0x8000)
  return Math.max(-0x8000, Math.min(0x7fff, nearest))
}

function tabled(bytes: Uint8Array, linear: (code: number) => number): SampleDecoder {
  const table = Float32Array.from({ length: 256 }, (_, code) => linear(code) / 0x8000)
  return i => table[bytes[i]!]!
}

/** G.711 mu-law: eight segments, each twice as wide as the one below; the bits are stored inverted. */
function linearFromMulaw(code: number): number {
  const bits = ~code & 0xff
  const magnitude = ((((bits & 0x0f) << 3) + 0x84) << ((bits >> 4) & 7)) - 0x84
  return bits & 0x80 ? 0 - magnitude : magnitude
}

/**
 * G.711 A-law: seven segments and a linear one at zero; every other bit is stored inverted. A set sign bit is positive.
 */
function linearFromAlaw(code: number): number {
  const bits = code ^ 0x55
  const segment = (bits >> 4) & 7
  const step = ((bits & 0x0f) << 4) + 8
  const magnitude = segment === 0 ? step : (step + 0x100) << (segment - 1)
  return bits & 0x80 ? magnitude : -magnitude
}

function mulawFromLinear(sample: number): number {
  const magnitude = Math.min(Math.abs(sample), 32635) + 0x84
  const segment = 24 - Math.clz32(magnitude)
  return ~((sample < 0 ? 0x80 : 0) | (segment << 4) | ((magnitude >> (segment + 3)) & 0x0f)) & 0xff
}
