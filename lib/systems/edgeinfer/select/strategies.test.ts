import assert from 'node:assert/strict'
import test from 'node:test'
import { seededRandom } from '../../../base/random.ts'
import { chooseNext, classBalanced, strategies, withoutDuplicates, type Pool } from './strategies.ts'

const random = seededRandom(5)
const pool: Pool = {
  latents: Array.from({ length: 60 }, () => Float32Array.from({ length: 4 }, () => random.next())),
  scores: Array.from({ length: 60 }, (_, i) => {
    const p = 0.5 + (0.45 * i) / 60
    return [p, (1 - p) * 0.7, (1 - p) * 0.3]
  }),
}

test('chooseNext gives distinct windows that have no label, the same for the same seed', () => {
  for (const strategy of strategies) {
    const o = { count: 20, seed: 3, labelled: [0, 1, 2] }
    const chosen = chooseNext(strategy, pool, o)
    assert.equal(new Set(chosen).size, 20, strategy)
    assert.ok(chosen.every(i => i > 2 && i < 60))
    assert.deepEqual(chosen, chooseNext(strategy, pool, o))
    assert.equal(chooseNext(strategy, pool, { ...o, count: 100 }).length, 57, strategy)
    assert.deepEqual(chooseNext(strategy, { latents: [], scores: [] }, { ...o, labelled: [] }), [], strategy)
  }
})

test('entropy, margin and least confidence want the least certain windows first', () => {
  const o = { count: 5, seed: 1, labelled: [] }
  for (const strategy of ['entropy', 'margin', 'least-confidence'] as const)
    assert.deepEqual(chooseNext(strategy, pool, o), [0, 1, 2, 3, 4], strategy)
})

test('k-center takes what is farthest from all that is labelled or chosen', () => {
  const line: Pool = { latents: [0, 1, 2, 10, 11, 30].map(x => Float32Array.of(x)), scores: [] }
  assert.deepEqual(chooseNext('k-center', line, { count: 2, seed: 1, labelled: [0] }), [5, 4])
})

test('badge begins with the longest gradient, and never takes an equal one twice while others are left', () => {
  const twins: Pool = {
    latents: [3, 3, 1, 2].map(x => Float32Array.of(x, 0)),
    scores: [
      [0.5, 0.5],
      [0.5, 0.5],
      [0.6, 0.4],
      [0.9, 0.1],
    ],
  }
  const chosen = chooseNext('badge', twins, { count: 3, seed: 2, labelled: [] })
  assert.equal(chosen[0], 0)
  assert.ok(!chosen.includes(1))
})

test('withoutDuplicates keeps the first of near windows, and classBalanced lets classes take turns', () => {
  const latents = [0, 0.1, 5, 5.05, 9].map(x => Float32Array.of(x))
  assert.deepEqual(withoutDuplicates(latents, [1, 0, 3, 2, 4], 1), [1, 3, 4])
  assert.deepEqual(
    classBalanced([1, 2, 3, 4, 5], i => (i < 4 ? 0 : 1)),
    [1, 4, 2, 5, 3],
  )
})
