import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { compare } from './compare.ts'
import { firstAlong } from './region.ts'

const at = (atol: number, rtol: number) => ({ atol, rtol })

test('compare() adds both tolerances, as numpy.allclose does', () => {
  assert.ok(compare([1.0015], [1], at(1e-3, 1e-3)).isClose)
  assert.ok(!compare([1.0025], [1], at(1e-3, 1e-3)).isClose)
})

test('compare() does not pass an element that is within the relative tolerance of another', () => {
  // "max_abs <= atol or max_rel <= rtol" over the whole tensor would pass this: the large error is relatively small.
  const result = compare([0.05, 1000.9], [0, 1000], at(1e-3, 1e-3))
  assert.deepEqual([result.isClose, result.outside, result.worst?.index], [false, 1, 0])
})

test('compare() never passes NaN, infinity or nothing', () => {
  for (const [got, want] of [
    [[NaN], [NaN]],
    [[Infinity], [Infinity]],
    [
      [1, NaN],
      [1, 1],
    ],
    [[], []],
  ] as const)
    assert.equal(compare(got, want, at(1e9, 1e9)).isClose, false)
  const result = compare([1, NaN], [1, 1], at(1, 1))
  assert.deepEqual([result.notFinite, result.worst?.index, result.maxAbs], [1, 1, NaN])
})

test('compare() refuses other lengths, tolerances that are no numbers, and a region that leaves the shape', () => {
  assert.throws(() => compare([1], [1, 2], at(0, 0)), /Cannot compare 1 numbers: the reference has 2/)
  assert.throws(() => compare([1], [1], at(NaN, 0)), /atol is NaN/)
  assert.throws(() => compare([1], [1], at(0, -1)), /rtol is -1/)
  assert.throws(() => compare([1, 2], [1, 2], { ...at(0, 0), region: { shape: [2], end: [3] } }), /leaves the shape/)
})

test('compare() looks at the region alone', () => {
  const want = [1, 2, 3, 4, 5, 6]
  const got = [1, 2, 99, 4, 5, 99]
  const part = compare(got, want, { ...at(0, 0), region: firstAlong([2, 3], 1, 2) })
  assert.deepEqual([part.isClose, part.compared], [true, 4])
  assert.ok(!compare(got, want, at(0, 0)).isClose)
  assert.equal(compare(got, want, { ...at(0, 0), region: firstAlong([2, 3], 1, 0) }).isClose, false)
})

test('compare() gives the statistics that a straightforward computation gives', () => {
  const numbers = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e3, max: 1e3 }), { minLength: 1 })
  fc.assert(
    fc.property(numbers, fc.infiniteStream(fc.float({ noNaN: true, min: -1, max: 1 })), (want, noise) => {
      const got = want.map(x => x + noise.next().value!)
      const abs = got.map((x, i) => Math.abs(x - want[i]!)).toSorted((a, b) => a - b)
      const result = compare(got, want, at(0.5, 0))
      assert.equal(result.maxAbs, abs.at(-1))
      assert.equal(result.outside, abs.filter(x => x > 0.5).length)
      const exact = abs[Math.ceil(0.95 * abs.length) - 1]!
      assert.ok(result.absolute.p95 >= exact - 1e-6 * exact - 1e-38 && result.absolute.p95 <= exact * 1.01 + 1e-37)
      assert.ok(Math.abs(result.absolute.mean - abs.reduce((a, b) => a + b) / abs.length) < 1e-9)
    }),
    { seed: 3, numRuns: 200 },
  )
})

test('compare() gives a cosine of 1 for equal directions, 0 against zeros and 1 for two zeros', () => {
  assert.ok(Math.abs(compare([2, 4], [1, 2], at(0, 0)).cosine - 1) < 1e-12)
  assert.equal(compare([0, 0], [1, 2], at(0, 0)).cosine, 0)
  assert.equal(compare([0, 0], [0, 0], at(0, 0)).cosine, 1)
})
