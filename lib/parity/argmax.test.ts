import assert from 'node:assert/strict'
import test from 'node:test'
import { argmax, compareArgmax, margin } from './argmax.ts'

test('argmax() takes the first of equals', () => {
  assert.equal(argmax([1, 3, 3]), 1)
  assert.equal(argmax([9, 1, 3, 3], 1, 4), 1)
})

test('margin() is the lead of the first over the second', () => {
  assert.equal(margin([1, 5, 4.5]), 0.5)
  assert.equal(margin([2]), Infinity)
})

test('compareArgmax() tells a flip that the reference excuses from one that it does not', () => {
  const want = [1, 0.99, 0, 5, 0, 0]
  const near = compareArgmax([0.98, 1, 0, 5, 0, 0], want, { width: 3, atol: 0.02 })
  assert.deepEqual([near.rows, near.flips, near.excusable, near.firstFlip?.row], [2, 1, 1, 0])
  const broken = compareArgmax([1, 0.99, 0, 0, 5, 0], want, { width: 3, atol: 0.02 })
  assert.deepEqual([broken.flips, broken.excusable, broken.maxAbs], [1, 0, 5])
  assert.deepEqual([broken.firstFlip?.got, broken.firstFlip?.want, broken.firstFlip?.margin], [1, 0, 5])
})

test('compareArgmax() looks at its columns alone, and refuses scores that are not finite', () => {
  assert.equal(compareArgmax([0, 9, 1], [9, 0, -1], { width: 3, from: 2, atol: 0 }).flips, 0)
  assert.throws(() => compareArgmax([NaN, 1], [0, 1], { width: 2, atol: 0 }), /not finite/)
  assert.throws(() => compareArgmax([1, 2, 3], [1, 2, 3], { width: 2, atol: 0 }), /rows have 2/)
})
