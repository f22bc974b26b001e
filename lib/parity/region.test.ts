import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { runsOf } from './region.ts'

test('runsOf() gives each element of the box once, in order', () => {
  const axis = fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3)).map(([before, inside, after]) => ({ before, inside, after }))
  fc.assert(
    fc.property(fc.array(axis, { minLength: 1, maxLength: 4 }), axes => {
      const shape = axes.map(a => a.before + a.inside + a.after)
      const begin = axes.map(a => a.before)
      const end = axes.map(a => a.before + a.inside)
      const size = shape.reduce((a, b) => a * b, 1)
      const expected = [...Array(size).keys()].filter(i => {
        let rest = i
        return shape
          .toReversed()
          .map(n => {
            const place = rest % n
            rest = Math.floor(rest / n)
            return place
          })
          .toReversed()
          .every((place, k) => place >= begin[k]! && place < end[k]!)
      })
      const got = [...runsOf({ shape, begin, end })].flatMap(([from, to]) =>
        [...Array(to - from).keys()].map(i => i + from),
      )
      assert.deepEqual(got, expected)
    }),
    { seed: 1, numRuns: 300 },
  )
})

test('runsOf() gives one run for a whole tensor and one element for a scalar', () => {
  assert.deepEqual([...runsOf({ shape: [3, 4, 5], end: [3, 4, 5] })], [[0, 60]])
  assert.deepEqual([...runsOf({ shape: [], end: [] })], [[0, 1]])
})
