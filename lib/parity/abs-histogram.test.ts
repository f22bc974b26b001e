import assert from 'node:assert/strict'
import test from 'node:test'
import { AbsHistogram } from './abs-histogram.ts'

test('AbsHistogram gives percentiles to 1 part in 128, never below the exact one', () => {
  const histogram = new AbsHistogram()
  for (let i = 1; i <= 1000; i++) histogram.add(i * 1e-6)
  for (const q of [0.5, 0.9, 0.99]) {
    const exact = q * 1000 * 1e-6
    assert.ok(histogram.percentile(q) >= exact - 1e-12 && histogram.percentile(q) <= exact * 1.008, String(q))
  }
  assert.equal(histogram.percentile(1), 1000 * 1e-6)
})

test('AbsHistogram gives 0 for zeros and NaN for nothing', () => {
  const histogram = new AbsHistogram()
  assert.ok(Number.isNaN(histogram.percentile(0.5)))
  histogram.add(0)
  assert.equal(histogram.percentile(0.95), 0)
})
