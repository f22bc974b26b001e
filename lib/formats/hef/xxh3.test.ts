import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { dataPath, needsData } from '../../testing/needs.ts'
import { readFileSync } from 'node:fs'
import { Xxh3, xxh3 } from './xxh3.ts'

/** The high bytes of a linear congruence: the same bytes in every language. */
function bytes(n: number): Uint8Array {
  let x = 2654435761
  return Uint8Array.from({ length: n }, () => {
    x = (Math.imul(x, 2246822519) + 3266489917) >>> 0
    return x >>> 24
  })
}
const hex = (value: bigint) => value.toString(16).padStart(16, '0')

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

test('xxh3() gives what libxxhash gives at every length where the algorithm changes', () => {
  for (const [n, digest] of Object.entries(known)) assert.equal(hex(xxh3(bytes(Number(n)))), digest, `${n} bytes`)
})

test('Xxh3.update() gives one digest however the bytes are cut', () => {
  const all = bytes(9000)
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 9000 }),
      fc.array(fc.integer({ min: 0, max: 9000 }), { maxLength: 12 }),
      (n, cuts) => {
        const hash = new Xxh3()
        const edges = [0, ...cuts.filter(cut => cut <= n).toSorted((a, b) => a - b), n]
        for (const [i, edge] of edges.entries()) hash.update(all.subarray(edges[i - 1] ?? 0, edge))
        assert.equal(hash.digest(), xxh3(all.subarray(0, n)))
      },
    ),
    { numRuns: 60 },
  )
})

test('Xxh3.update() fed byte by byte agrees with libxxhash', () => {
  for (const n of [240, 241, 1089, 2049]) {
    const hash = new Xxh3()
    for (const byte of bytes(n)) hash.update(Uint8Array.of(byte))
    assert.equal(hex(hash.digest()), known[n])
  }
})

test('xxh3() changes with each single bit', () => {
  for (const n of [3, 8, 16, 100, 200, 300, 3000]) {
    const sample = bytes(n)
    const before = xxh3(sample)
    for (const at of [0, n >> 1, n - 1]) {
      sample[at]! ^= 0x10
      assert.notEqual(xxh3(sample), before)
      sample[at]! ^= 0x10
    }
  }
})

test(
  'xxh3() agrees with the digest that a vendor wrote into a file',
  { skip: needsData('hef/h10h_mspn_regnetx_800mf.hef') },
  () => {
    const file = readFileSync(dataPath('hef/h10h_mspn_regnetx_800mf.hef'))
    const protoBytes = file.readUInt32BE(8)
    assert.equal(xxh3(file.subarray(56, 56 + protoBytes)), file.readBigUInt64BE(40))
  },
)
