import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { ValueCounts, type RangeMethod } from './range.ts'
import { normal } from '../../testing/onnx/graphs.ts'

function rangeOf(method: RangeMethod, batches: (readonly number[] | Float32Array)[], tail = 1e-4) {
  const counts = new ValueCounts({ keepsBins: method !== 'minmax' })
  for (const batch of batches) assert.equal(counts.add(Float32Array.from(batch)), undefined)
  return counts.range(method, { tail })
}

/** The mean squared error of 255 steps over a range, by brute force. */
function errorOf(values: Float32Array, { min, max }: { min: number; max: number }): number {
  const scale = (max - min) / 255
  const zero = Math.round(-min / scale)
  const back = (x: number) => (Math.min(Math.max(Math.round(x / scale) + zero, 0), 255) - zero) * scale
  return values.reduce((sum, x) => sum + (back(x) - x) ** 2, 0) / values.length
}

const heavyTailed = normal([20000], { seed: 5 }).data.map(x => x ** 3)
const sparse = normal([20000], { seed: 6 }).data.map(x => Math.max(0, x) ** 2)

test('ValueCounts.range() takes the extremes, zero included, for minmax', () => {
  assert.deepEqual(
    rangeOf('minmax', [
      [1, 2],
      [-3, 0.5],
    ]),
    { min: -3, max: 2 },
  )
  assert.deepEqual(rangeOf('minmax', [[2, 5]]), { min: 0, max: 5 })
  assert.deepEqual(rangeOf('minmax', [[-2, -5]]), { min: -5, max: 0 })
})

test('ValueCounts.range() is zero to zero for a tensor of zeros, and for none', () => {
  for (const method of ['minmax', 'percentile', 'mse'] as const) {
    assert.deepEqual(rangeOf(method, [[0, 0, -0]]), { min: 0, max: 0 }, method)
    assert.deepEqual(rangeOf(method, [[]]), { min: 0, max: 0 }, method)
  }
})

test('ValueCounts.range() keeps a constant whole', () => {
  assert.deepEqual(rangeOf('mse', [[3, 3, 3]]), { min: 0, max: 3 })
  assert.deepEqual(rangeOf('percentile', [[-3, -3, -3]]), { min: -3, max: 0 })
})

test('ValueCounts.range() clips no more than the tail on each side for percentile', () => {
  const values = Float32Array.from({ length: 10000 }, (_, i) => (i - 5000) / 5000)
  const { min, max } = rangeOf('percentile', [values], 0.01)
  const beyond = (test: (x: number) => boolean) => values.filter(test).length
  assert.ok(beyond(x => x > max) <= 100 && beyond(x => x > max) > 80, `${max}`)
  assert.ok(beyond(x => x < min) <= 100 && beyond(x => x < min) > 80, `${min}`)
})

test('ValueCounts.range() makes a smaller error for mse than any range shrunk by hand', () => {
  for (const values of [heavyTailed, sparse]) {
    const whole = rangeOf('minmax', [values])
    const chosen = errorOf(values, rangeOf('mse', [values]))
    for (let by = 0.1; by <= 1; by += 0.1) {
      const shrunk = errorOf(values, { min: whole.min * by, max: whole.max * by })
      assert.ok(chosen <= shrunk * 1.05, `${chosen} against ${shrunk} at ${by.toFixed(1)}`)
    }
  }
})

test('ValueCounts.range() keeps nearly all of an even spread for mse, where clipping does not pay', () => {
  const even = Float32Array.from({ length: 10000 }, (_, i) => i / 10000)
  const { min, max } = rangeOf('mse', [even])
  assert.equal(min, 0)
  assert.ok(max > 0.99, `${max}`)
})

test('ValueCounts.range() does not depend on the order of the batches', () => {
  const batches = [0, 1, 2, 3].map(i => heavyTailed.slice(i * 5000, (i + 1) * 5000).map(x => x * 10 ** (i - 2)))
  for (const method of ['minmax', 'percentile', 'mse'] as const) {
    assert.deepEqual(rangeOf(method, batches), rangeOf(method, batches.toReversed()), method)
    assert.deepEqual(rangeOf(method, batches), rangeOf(method, [batches.flatMap(batch => Array.from(batch))]), method)
  }
})

test('ValueCounts.range() lies within the extremes and holds zero for any values', () => {
  const values = fc.float32Array({ noNaN: true, noDefaultInfinity: true, minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(values, fc.constantFrom<RangeMethod>('minmax', 'percentile', 'mse'), (data, method) => {
      const { min, max } = rangeOf(method, [data])
      assert.ok(min <= 0 && max >= 0)
      assert.ok(min >= Math.min(0, ...data) && max <= Math.max(0, ...data))
    }),
    { numRuns: 200 },
  )
})

test('ValueCounts.add() returns the first value that is not finite', () => {
  const counts = new ValueCounts({ keepsBins: true })
  assert.equal(counts.add(Float32Array.of(1, NaN, Infinity)), NaN)
  assert.equal(counts.add(Float32Array.of(1, -Infinity, NaN)), -Infinity)
  assert.equal(counts.add(Float32Array.of(3.4e38, -3.4e38, 1e-45)), undefined)
})

test('ValueCounts.range() of a large tensor keeps every extreme, and counts enough to find the same range', () => {
  const values = Float32Array.from({ length: 600_000 }, (_, i) => Math.sin(i * 0.7) * Math.exp(-((i % 977) / 200)))
  values[599_999] = 5
  values[7] = -4
  const whole = new ValueCounts({ keepsBins: true })
  whole.add(values)
  assert.deepEqual(whole.range('minmax', { tail: 0 }), { min: -4, max: 5 })
  const pieces = new ValueCounts({ keepsBins: true })
  for (let i = 0; i < values.length; i += 100_000) pieces.add(values.subarray(i, i + 100_000))
  const [once, parts] = [whole.range('mse', { tail: 0 }), pieces.range('mse', { tail: 0 })]
  assert.ok(
    Math.abs(once.max - parts.max) < 0.1 && Math.abs(once.min - parts.min) < 0.1,
    JSON.stringify({ once, parts }),
  )
})
