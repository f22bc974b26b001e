import assert from 'node:assert/strict'
import test from 'node:test'
import { seededRandom } from '../../../base/random.ts'
import { labelCurves, worthOf, type CurvePoint } from './curves.ts'

test('labelCurves gives every strategy of a seed the same start, and a point for each step', () => {
  const random = seededRandom(2)
  const part = (count: number) => {
    const labels = Array.from({ length: count }, (_, i) => i % 3)
    return {
      labels,
      latents: labels.map(label => Float32Array.from({ length: 3 }, (_, j) => (j === label ? 2 : 0) + random.next())),
    }
  }
  const o = { classCount: 3, labelsStart: 4, labelsStep: 4, labelsMax: 12, seeds: 2 }
  const points = labelCurves(part(40), part(30), o)
  assert.equal(points.length, 6 * 2 * 3)
  for (const seed of [1, 2]) {
    const starts = points.filter(point => point.seed === seed && point.labels === 4).map(({ accuracy }) => accuracy)
    assert.equal(new Set(starts).size, 1)
  }
  assert.ok(worthOf(points).every(({ last }) => last > 0.7))
})

test('worthOf orders strategies by area and finds how many labels random choice wastes', () => {
  const curve = (strategy: CurvePoint['strategy'], accuracies: readonly number[]) =>
    [1, 2].flatMap(seed => accuracies.map((accuracy, i) => ({ strategy, seed, labels: 10 * (i + 1), accuracy })))
  const flat = (['entropy', 'margin', 'least-confidence', 'k-center'] as const).flatMap(name =>
    curve(name, [0.1, 0.1, 0.1]),
  )
  const worth = worthOf([...curve('random', [0.2, 0.4, 0.6]), ...curve('badge', [0.2, 0.6, 0.8]), ...flat])
  assert.equal(worth[0]!.strategy, 'badge')
  assert.deepEqual([worth[0]!.labelsForRandomsLast, worth[0]!.seedsAboveRandom, worth[0]!.spread], [20, 2, 0])
  assert.equal(worth.find(({ strategy }) => strategy === 'margin')!.labelsForRandomsLast, null)
})
