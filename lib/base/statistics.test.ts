import assert from 'node:assert/strict'
import test from 'node:test'
import { median, quantile, rounded } from './statistics.ts'

test('quantile() is a value that was measured: the smallest that covers the share', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i)
  assert.deepEqual(
    [0, 0.5, 0.95, 0.951, 1].map(q => quantile(hundred, q)),
    [1, 50, 95, 96, 100],
  )
  assert.equal(quantile([3], 0.95), 3)
  assert.equal(quantile([1, 9], 0.5), 1)
  assert.ok(Number.isNaN(quantile([], 0.5)))
})

test('quantile() and median() leave their argument as it is, and take typed arrays', () => {
  const values = Float32Array.of(3, 1, 2)
  assert.deepEqual([quantile(values, 0.5), median(values)], [2, 2])
  assert.deepEqual([...values], [3, 1, 2])
})

test('quantile() and median() sort numbers as numbers when they have unlike lengths', () => {
  assert.deepEqual([quantile([10, 9, 100], 1), median([10, 9, 100])], [100, 10])
})

test('median() is the middle value, the mean of two, and NaN of none', () => {
  assert.deepEqual([median([3, 1, 2]), median([4, 1, 2, 3]), median([7])], [2, 2.5, 7])
  assert.ok(Number.isNaN(median([])))
})

test('rounded() drops what a clock cannot know', () => {
  assert.deepEqual([rounded(86.72644200000013, 3), rounded(2, 3), rounded(0.0146281, 6)], [86.726, 2, 0.014628])
})
