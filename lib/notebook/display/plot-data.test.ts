import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { binned, thinned, type Point } from './plot-data.ts'

test('binned() chooses round edges and counts every value once', () => {
  const { bins } = binned([0.1, 0.2, 0.3, 0.95], { bins: 5 })
  assert.deepEqual(bins, [
    { from: 0, to: 0.2, count: 1 },
    { from: 0.2, to: 0.4, count: 2 },
    { from: 0.4, to: 0.6, count: 0 },
    { from: 0.6, to: 0.8, count: 0 },
    { from: 0.8, to: 1, count: 1 },
  ])
})

test('binned() leaves out what is not finite, and counts it', () => {
  const { bins, finite, lost } = binned([1, NaN, Infinity, 2])
  assert.equal(lost, 2)
  assert.deepEqual(finite, [1, 2])
  assert.equal(
    bins.reduce((sum, bin) => sum + bin.count, 0),
    2,
  )
})

test('binned() gives no bin for no value', () => {
  assert.deepEqual(binned([]), { bins: [], finite: [], lost: 0 })
  assert.deepEqual(binned([NaN]), { bins: [], finite: [], lost: 1 })
})

test('binned() gives one bin when all values are equal, also at zero', () => {
  for (const value of [0, 1, -3.5, 1e-9, 1e12]) {
    const { bins } = binned([value, value, value])
    assert.equal(bins.length, 1, String(value))
    assert.equal(bins[0]!.count, 3)
    assert.ok(bins[0]!.from <= value && value <= bins[0]!.to && bins[0]!.from < bins[0]!.to, String(value))
  }
})

test('binned() reaches the number it is told to include', () => {
  const { bins } = binned([0.9991, 0.9995], { include: 0.995, bins: 10 })
  assert.ok(bins[0]!.from <= 0.995)
  assert.equal(
    bins.reduce((sum, bin) => sum + bin.count, 0),
    2,
  )
})

test('binned() keeps all values in few bins for any values', () => {
  const number = fc.double({ noNaN: true, min: -1e9, max: 1e9 })
  fc.assert(
    fc.property(fc.array(number, { minLength: 1 }), fc.integer({ min: 1, max: 60 }), (values, wanted) => {
      const { bins } = binned(values, { bins: wanted })
      return bins.reduce((sum, bin) => sum + bin.count, 0) === values.length && bins.length <= wanted + 2
    }),
    { numRuns: 300 },
  )
})

const points = (values: readonly (number | null)[]): Point[] => values.map((y, x) => ({ x, y, series: '' }))

test('thinned() returns a short line as it is', () => {
  const line = points([1, 2, 3])
  assert.equal(thinned(line, 3), line)
})

test('thinned() keeps the extremes of a long line, in their order', () => {
  const line = points(Array.from({ length: 10_000 }, (_, i) => (i === 4321 ? 99 : i === 4322 ? -99 : 0)))
  const few = thinned(line, 100)
  assert.ok(few.length <= 100)
  assert.deepEqual(
    few.filter(point => point.y !== 0).map(point => point.y),
    [99, -99],
  )
  assert.deepEqual(
    few.map(point => point.x),
    few.map(point => point.x).toSorted((a, b) => Number(a) - Number(b)),
  )
})

test('thinned() keeps a gap where a whole stretch is unknown', () => {
  const few = thinned(points(Array.from({ length: 100 }, (_, i) => (i < 50 ? null : i))), 10)
  assert.equal(few[0]!.y, null)
  assert.ok(few.length <= 10)
})
