import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { dataPath, needsData } from '../../testing/needs.ts'
import { digester, digestOf, hefDigestNames } from './checksum.ts'

const check = Buffer.from('123456789')

test('digestOf() gives the published digests of 123456789', () => {
  // RFC 1321 and the CRC catalogue publish the first two; the third is libxxhash 0.8.1.
  assert.equal(digestOf('md5', check), '25f9e794323b453885f5181f1b624d0b')
  assert.equal(digestOf('crc32', check), 'cbf43926')
  assert.equal(digestOf('xxh3-64', check), '72dcb18b67a17dff')
})

test('digestOf() of nothing is the digest of no bytes', () => {
  assert.deepEqual(
    hefDigestNames.map(name => digestOf(name)),
    ['d41d8cd98f00b204e9800998ecf8427e', '00000000', '2d06800538d394c2'],
  )
})

test('digester() gives one digest however the bytes are cut', () => {
  const bytes = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 31) & 0xff))
  for (const name of hefDigestNames) {
    const whole = digestOf(name, bytes)
    for (const cut of [0, 1, 239, 1024, 4999]) {
      const digest = digester(name)
      digest.update(bytes.subarray(0, cut))
      digest.update(bytes.subarray(cut))
      assert.equal(digest.hex(), whole, `${name} cut at ${cut}`)
    }
  }
})

/** The high bytes of a linear congruence: the same bytes in every language. */
function bytes(n: number): Uint8Array {
  let x = 2654435761
  return Uint8Array.from({ length: n }, () => {
    x = (Math.imul(x, 2246822519) + 3266489917) >>> 0
    return x >>> 24
  })
}

/**
 * Digests by libxxhash 0.8.1 of the first n of those bytes; every form of the algorithm and every edge between two is
 * there.
 */
const known: Record<number, string> = {
  0: '2d06800538d394c2',
  1: 'a5e6f37a1af0e8a4',
  2: 'd220aa65e62262a5',
  3: '5965a9cbd9572148',
  4: '8d2df49f11042c7c',
  5: '0119a6c5b9150695',
  7: 'c532fdfa982321b1',
  8: '3a1de5a1206ff905',
  9: '5aefdff29e9f1a9f',
  12: '23a538b088080635',
  15: '6118ac97d92e5e50',
  16: 'a411ccc9354e0fb2',
  17: '59eb91de3673a1e4',
  31: '6e8d715c1bb8e753',
  32: '2ac8b476c7e58d00',
  33: 'aa9960e481a97268',
  63: '408abfc50875ffc3',
  64: 'b700ce9ed5bcec20',
  65: 'cff6a9ebdb907592',
  96: 'd63857c3653eed95',
  97: 'cc685705a1db8069',
  127: '6ef329b20c3f4c32',
  128: 'ab14d6657e777982',
  129: '0780bd2f5a609471',
  144: '367ab2fa646fce5d',
  160: 'b25fa40cc24861d2',
  239: 'dea312d09c40f087',
  240: '1ce72e1175949cf7',
  241: 'b040919412749057',
  255: '8bc916a801a6fdef',
  256: '5ce981294c8e38f6',
  512: 'b09a14b94faeb21a',
  1023: 'a8f717553e09b819',
  1024: 'c540f09e15f611a1',
  1025: 'd27021281f47544b',
  1087: '2260edca9366b492',
  1088: '68cf731ff9222bb2',
  1089: '562cab6303b3cc55',
  2048: '025a8d96475bfd5a',
  2049: 'b718c1f6d80a9d81',
  4096: '4fe16f328af50597',
  65536: '6f5e482c2d2f1d61',
  100003: 'b0038cd89730c762',
}

test('the XXH3 digest is what libxxhash gives at every length where the algorithm changes', () => {
  for (const [n, digest] of Object.entries(known))
    assert.equal(digestOf('xxh3-64', bytes(Number(n))), digest, `${n} bytes`)
})

test('digester() keeps digests apart that are taken side by side, however their bytes are cut', () => {
  const all = bytes(9000)
  const size = fc.integer({ min: 0, max: 9000 })
  fc.assert(
    fc.property(fc.array(fc.tuple(size, size), { maxLength: 12 }), spans => {
      const [left, right] = [digester('xxh3-64'), digester('xxh3-64')]
      const taken = spans.map(([from, length]) => all.subarray(from, from + length))
      for (const piece of taken) {
        left.update(piece)
        right.update(piece.toReversed())
      }
      assert.equal(left.hex(), digestOf('xxh3-64', Buffer.concat(taken)))
      assert.equal(right.hex(), digestOf('xxh3-64', ...taken.map(piece => piece.toReversed())))
    }),
    { numRuns: 40 },
  )
})

test('digester() fed byte by byte agrees with libxxhash', () => {
  for (const n of [240, 241, 1089, 2049]) {
    const digest = digester('xxh3-64')
    for (const byte of bytes(n)) digest.update(Uint8Array.of(byte))
    assert.equal(digest.hex(), known[n])
  }
})

test(
  'the XXH3 digest agrees with what a vendor wrote into a file',
  { skip: needsData('hef/h10h_mspn_regnetx_800mf.hef') },
  () => {
    const file = readFileSync(dataPath('hef/h10h_mspn_regnetx_800mf.hef'))
    const description = file.subarray(56, 56 + file.readUInt32BE(8))
    assert.equal(digestOf('xxh3-64', description), file.subarray(40, 48).toString('hex'))
  },
)

test('digester() gives the same digest when empty pieces come between and last', () => {
  const empty = new Uint8Array(0)
  // A view whose bytes have an address on the heap, and one whose buffer was asked for and has none.
  assert.equal(new Uint8Array(0).buffer.byteLength, empty.buffer.byteLength)
  for (const name of hefDigestNames) {
    const pieces = digester(name)
    for (const piece of [new Uint8Array(0), Buffer.from('12345'), empty, Buffer.from('6789'), empty, new Uint8Array(0)])
      pieces.update(piece)
    assert.equal(pieces.hex(), digestOf(name, Buffer.from('123456789')), name)
  }
})
