import assert from 'node:assert/strict'
import test from 'node:test'
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
