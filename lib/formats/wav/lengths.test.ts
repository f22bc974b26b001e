import assert from 'node:assert/strict'
import test from 'node:test'
import { dataLengthOf, type Lengths } from './lengths.ts'

const file = (o: Partial<Lengths>): Lengths => ({
  declared: 1000,
  longDataBytes: null,
  riffBytes: 1036,
  dataAt: 44,
  fileBytes: 1044,
  isChunkAtData: false,
  ...o,
})

test('dataLengthOf() believes a length that the file holds', () => {
  assert.deepEqual(dataLengthOf(file({})), { bytes: 1000, warnings: [] })
  assert.deepEqual(dataLengthOf(file({ declared: 0, isChunkAtData: true })), { bytes: 0, warnings: [] })
})

test('dataLengthOf() takes numbers that writers leave for "to the end of the file"', () => {
  for (const declared of [
    0xffff_ffff,
    0xffff_ffff - 36,
    0x7fff_ffff,
    0x7fff_ffff - 36,
    0x8000_0000,
    2e9,
    1e9,
    3e8,
    2 ** 28,
  ])
    assert.deepEqual(
      dataLengthOf(file({ declared, riffBytes: declared - 8 + 44 })),
      { bytes: 1000, warnings: [] },
      String(declared),
    )
})

test('dataLengthOf() keeps the length of a file that was cut short', () => {
  for (const declared of [2000, 123_456_789, 1_234_567_890, 3_000_000_123 - 99_000])
    assert.equal(dataLengthOf(file({ declared, riffBytes: declared + 36 })).bytes, declared)
})
