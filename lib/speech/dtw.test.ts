import assert from 'node:assert/strict'
import test from 'node:test'
import { warpingPath } from './dtw.ts'

test('warpingPath follows the cheap cells, and never goes back', () => {
  const costs = Float32Array.of(0, 9, 9, 9, 0, 0, 9, 9, 9, 9, 0, 0)
  assert.deepEqual(warpingPath(costs, 3, 4), { rows: [0, 1, 1, 2, 2], columns: [0, 0, 1, 2, 3] })
})

test('warpingPath goes along one row or one column when there is only one', () => {
  assert.deepEqual(warpingPath(Float32Array.of(1, 2, 3), 1, 3), { rows: [0, 0, 0], columns: [0, 1, 2] })
  assert.deepEqual(warpingPath(Float32Array.of(1, 2, 3), 3, 1), { rows: [0, 1, 2], columns: [0, 0, 0] })
  assert.deepEqual(warpingPath(new Float32Array(0), 0, 0), { rows: [], columns: [] })
})

test('warpingPath takes the diagonal where it is the cheapest', () => {
  const costs = Float32Array.from({ length: 9 }, (_, i) => (i % 4 === 0 ? 0 : 1))
  assert.deepEqual(warpingPath(costs, 3, 3), { rows: [0, 1, 2], columns: [0, 1, 2] })
})
