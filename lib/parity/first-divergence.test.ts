import assert from 'node:assert/strict'
import test from 'node:test'
import { firstDivergence } from './first-divergence.ts'

const steps = (...tokens: number[]) => tokens.map((token, t) => ({ t, token, note: Math.random() }))

test('firstDivergence() names the step and the fields that differ', () => {
  assert.equal(firstDivergence(steps(1, 2), steps(1, 2), ['t', 'token']), null)
  const found = firstDivergence(steps(1, 2, 3), steps(1, 5, 3), ['t', 'token'])
  assert.deepEqual([found?.step, found?.fields], [1, ['token']])
})

test('firstDivergence() finds a trace that ends early, and a field that is absent or NaN', () => {
  const short = firstDivergence(steps(1), steps(1, 2), ['token'])
  assert.deepEqual([short?.step, short?.got], [1, null])
  assert.equal(firstDivergence([{ t: NaN }], [{ t: NaN }], ['t'])?.step, 0)
  assert.equal(firstDivergence([{}], [{}], ['t'])?.step, 0)
})
