import assert from 'node:assert/strict'
import test from 'node:test'
import { RunbookError } from '../../base/errors.ts'
import { BytePairs, bytesFromSpelling } from './byte-pairs.ts'

const bytes = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte))
const words = (...more: string[]) => new BytePairs([...bytes, ...more.map(word => new Uint8Array(Buffer.from(word)))])

test('BytePairs joins the pair with the lowest id first', () => {
  const pairs = words('ab', 'bc', 'abc', ' a')
  assert.deepEqual(pairs.encode('abc'), [258])
  assert.deepEqual(words('bc', 'ab').encode('abc'), [97, 256])
  assert.deepEqual(pairs.encode('x a'), [120, 259])
})

test('BytePairs cuts at spaces, numbers, contractions and signs before it joins', () => {
  const pairs = words("'s", ' 1', '12', '!!', '  ')
  assert.deepEqual(pairs.encode("it's"), [105, 116, 256])
  assert.deepEqual(pairs.encode('a 12!!'), [97, 257, 50, 259])
  // The last of several spaces goes with the word.
  assert.deepEqual(pairs.encode('a   b'), [97, 260, 32, 98])
})

test('BytePairs decodes what it encodes, in any script', () => {
  const pairs = words()
  for (const text of ['', 'plain', 'naïve  \n\t x', '日本語 🎉', 'a\u0000b', '\ufeffmark']) {
    assert.equal(pairs.decode(pairs.encode(text)), text)
  }
})

test('BytePairs shows bytes that are no UTF-8 as U+FFFD, and skips ids that it does not have', () => {
  const pairs = words()
  assert.equal(pairs.decode([0xe6, 0x97]), '\ufffd')
  assert.equal(pairs.decode([97, 256, 5000, 98]), 'ab')
})

test('BytePairs refuses a vocabulary without one of the bytes', () => {
  assert.throws(() => new BytePairs(bytes.slice(1)), RunbookError)
})

test("bytesFromSpelling reads GPT-2's spelling, and tells what spells no bytes", () => {
  assert.deepEqual(bytesFromSpelling('Ġa'), Uint8Array.of(32, 97))
  assert.deepEqual(bytesFromSpelling('Ċ'), Uint8Array.of(10))
  assert.deepEqual(bytesFromSpelling('åľº'), new Uint8Array(Buffer.from('场')))
  assert.equal(bytesFromSpelling('a b'), undefined)
  assert.equal(bytesFromSpelling('日'), undefined)
})
