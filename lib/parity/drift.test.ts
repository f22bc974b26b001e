import assert from 'node:assert/strict'
import test from 'node:test'
import { driftOf } from './drift.ts'

test('driftOf() finds the slope of a growing error and none of a steady one', () => {
  const growing = driftOf([...Array(50).keys()].map(i => 1e-6 + 2e-6 * i))
  assert.ok(Math.abs(growing.slope - 2e-6) < 1e-12 && Math.abs(growing.intercept - 1e-6) < 1e-12)
  assert.equal(driftOf([3, 3, 3]).slope, 0)
})

test('driftOf() gives NaN for one step and for errors that are not finite', () => {
  assert.ok(Number.isNaN(driftOf([1]).slope))
  assert.ok(Number.isNaN(driftOf([1, NaN, 1]).slope))
})
