import assert from 'node:assert/strict'
import test from 'node:test'
import { seededRandom } from '../../../base/random.ts'
import { kMeans, spreadRows } from './k-means.ts'
import { fitSoftmax, probabilities, softmaxInPlace } from './softmax.ts'
import { baselineFeatures, labelOf, momentsOf, regressionAccuracy, trainMotifs } from './train.ts'

/** Points around corners, `perCorner` each, in order of the corners. */
function clouds(corners: readonly (readonly number[])[], perCorner: number, seed = 1) {
  const random = seededRandom(seed)
  return corners.flatMap(corner =>
    Array.from({ length: perCorner }, () => Float32Array.from(corner, value => value + 0.4 * (random.next() - 0.5))),
  )
}

const corners = [
  [0, 0],
  [4, 0],
  [0, 4],
  [4, 4],
] as const
const rows = clouds(corners, 25)
const cornerOf = rows.map((_, i) => Math.floor(i / 25))

test('kMeans finds the clouds, the same for the same seed, numbered by size', () => {
  const more = [...rows, ...clouds([[0, 0]], 10, 2)]
  const clusters = kMeans(more, 4, 42)
  assert.deepEqual(clusters, kMeans(more, 4, 42))
  for (const corner of corners.keys())
    assert.equal(new Set(cornerOf.flatMap((own, i) => (own === corner ? [clusters[i]] : []))).size, 1)
  assert.equal(clusters[0], 0)
  assert.equal(new Set(clusters).size, 4)
})

test('kMeans and spreadRows hold when there are fewer rows, or equal rows, than clusters', () => {
  const same = Array.from({ length: 5 }, () => Float32Array.of(1, 1))
  assert.deepEqual([...kMeans(same, 3, 1)], [0, 0, 0, 0, 0])
  assert.equal(spreadRows(same, 3, 1).length, 1)
  assert.deepEqual(spreadRows([], 3, 1), [])
  assert.equal(new Set(spreadRows(rows, 100, 1)).size, 100)
})

test('fitSoftmax separates what can be separated, from the same start to the same end', () => {
  const features = Float32Array.from(rows.flatMap(row => [...row]))
  const examples = { features, size: 2, classes: Int32Array.from(cornerOf), classCount: 4 }
  const fitted = fitSoftmax(examples)
  assert.deepEqual(fitted, fitSoftmax(examples))
  const all = probabilities(fitted, features, 2)
  for (const [i, corner] of cornerOf.entries()) assert.ok(all[i * 4 + corner]! > 0.5)
})

test('softmaxInPlace adds up to one and bears huge logits', () => {
  const scores = softmaxInPlace(Float64Array.of(1000, 1000, -1000))
  assert.deepEqual([...scores], [0.5, 0.5, 0])
})

test('trainMotifs parts each label into motifs whose sum names the label', () => {
  const labels = cornerOf.map(corner => corner >> 1)
  const { motifs, head } = trainMotifs({ latents: rows, labels }, { labels: ['low', 'high'], count: 4, seed: 1 })
  assert.deepEqual(
    motifs.map(({ name }) => name),
    ['low-1', 'low-2', 'high-1', 'high-2'],
  )
  assert.deepEqual(head.weight.shape, [4, 2])
  const scores = probabilities(
    { weight: Float64Array.from(head.weight.data), bias: Float64Array.from(head.bias.data) },
    Float32Array.from(rows.flatMap(row => [...row])),
    2,
  )
  for (const [i, label] of labels.entries()) assert.equal(labelOf(scores.subarray(i * 4, i * 4 + 4), motifs), label)
})

test('trainMotifs takes clusters of all latents when there are no labels', () => {
  const { motifs, head } = trainMotifs({ latents: rows, labels: rows.map(() => -1) }, { labels: [], count: 4, seed: 1 })
  assert.deepEqual(
    motifs.map(({ name, label }) => [name, label]),
    [1, 2, 3, 4].map(n => [`motif-${n}`, -1]),
  )
  assert.ok(head.weight.data.every(Number.isFinite))
})

test('trainMotifs shares twelve motifs among five labels, the first ones getting one more', () => {
  const five = clouds(
    [
      [0, 0],
      [4, 0],
      [0, 4],
      [4, 4],
      [8, 8],
    ],
    12,
  )
  const labels = five.map((_, i) => Math.floor(i / 12))
  const { motifs } = trainMotifs({ latents: five, labels }, { labels: ['a', 'b', 'c', 'd', 'e'], count: 12, seed: 1 })
  assert.deepEqual(
    [0, 1, 2, 3, 4].map(label => motifs.filter(motif => motif.label === label).length),
    [3, 3, 2, 2, 2],
  )
})

test('regressionAccuracy is the share of test rows that are labelled right', () => {
  const part = (seed: number) => ({
    latents: clouds(corners, 10, seed),
    labels: corners.flatMap((_, c) => Array.from({ length: 10 }, () => c)),
  })
  assert.equal(regressionAccuracy(part(3), part(4), 4), 1)
})

test('baselineFeatures are mean and deviation of six channels, and a still channel has deviation 1', () => {
  const window = Float32Array.from({ length: 900 }, (_, i) => (i % 9 === 0 ? Math.floor(i / 9) % 2 : i % 9))
  const features = baselineFeatures(window)
  assert.equal(features.length, 12)
  assert.equal(features[0], 0.5)
  assert.equal(features[6], 0.5)
  assert.equal(features[7], 1)
  assert.deepEqual([...momentsOf([]).mean], [])
})
