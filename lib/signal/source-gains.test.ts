import assert from 'node:assert/strict'
import test from 'node:test'
import { SourceGains } from './source-gains.ts'

const tone = (step: number, length = 4000) => Float32Array.from({ length }, (_, i) => 0.2 * Math.sin(step * i))
const near = (have: readonly number[], want: readonly number[]) =>
  want.forEach((value, i) => assert.ok(Math.abs(have[i]! - value) < 1e-4, `${have} ${want}`))

test('SourceGains finds the level and the sign of each source when the mixture is their sum', () => {
  const [a, b] = [tone(0.11), tone(0.37)]
  const sum = new SourceGains(2)
  const mix = a.map((value, i) => value + b[i]!)
  const sources = [a.map(value => value * -5), b.map(value => value / 3)]
  for (const [from, to] of [
    [0, 17],
    [17, 4000],
  ] as const)
    sum.push(
      mix.subarray(from, to),
      sources.map(one => one.subarray(from, to)),
    )
  near(sum.gains(), [-0.2, 3])
})

test('SourceGains gives one gain to sources that are alike', () => {
  const mix = tone(0.2)
  const sum = new SourceGains(2)
  sum.push(mix, [mix.map(value => value * 0.3), mix.map(value => value * 0.2)])
  near(sum.gains(), [2, 2])
})

test('SourceGains finds the gain of a single source', () => {
  const sum = new SourceGains(1)
  sum.push(tone(0.2), [tone(0.2).map(value => value * 4)])
  near(sum.gains(), [0.25])
})

test('SourceGains leaves sources alone when one is silent, when two cancel, and when nothing was pushed', () => {
  const silent = new SourceGains(2)
  silent.push(tone(0.2), [tone(0.2), new Float32Array(4000)])
  assert.deepEqual(silent.gains(), [1, 1])
  const cancelling = new SourceGains(2)
  cancelling.push(tone(0.2), [tone(0.2), tone(0.2).map(value => -value)])
  assert.deepEqual(cancelling.gains(), [1, 1])
  assert.deepEqual(new SourceGains(2).gains(), [1, 1])
})
