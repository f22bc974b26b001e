import assert from 'node:assert/strict'
import test from 'node:test'
import { mixdown } from './mixdown.ts'

test('mixdown() is the mean of the channels', () => {
  assert.deepEqual(mixdown([Float32Array.of(1, 0, -1), Float32Array.of(0, 0, -1)]), Float32Array.of(0.5, 0, -1))
  assert.deepEqual(mixdown([Float32Array.of(3), Float32Array.of(0), Float32Array.of(0)]), Float32Array.of(1))
})

test('mixdown() hands a single channel back as it is', () => {
  const only = Float32Array.of(0.25, -0.25)
  assert.equal(mixdown([only]), only)
})

test('mixdown() gives nothing when the channels are empty', () => {
  assert.equal(mixdown([new Float32Array(0), new Float32Array(0)]).length, 0)
})

test('mixdown() lets a NaN through instead of hiding it', () => {
  assert.deepEqual(mixdown([Float32Array.of(NaN, 1), Float32Array.of(1, 1)]), Float32Array.of(NaN, 1))
})

test('mixdown() refuses no channel at all, and channels of different lengths', () => {
  assert.throws(() => mixdown([]), /no channel/)
  assert.throws(() => mixdown([new Float32Array(3), new Float32Array(4)]), /3 and 4/)
})
