/**
 * Trains the motif head on latents, which tells the motif of a window.
 *
 * With labels, every class is parted into clusters of its latents, so that twelve motifs come from six activities; a
 * multinomial logistic regression learns the parts, and the score of an activity is the sum of its motifs. Without
 * labels, the motifs are the clusters of all latents.
 */
import { float32 } from '../../../formats/tensors/tensor.ts'
import type { MotifHead } from '../../../models/tcn/weights.ts'
import { kMeans } from './k-means.ts'
import { fitSoftmax, probabilities, type Softmax } from './softmax.ts'

/** One output of the head. */
export interface Motif {
  /** `walking-1`, or `motif-1` without labels. */
  readonly name: string
  /** Index of its label, or -1. */
  readonly label: number
}

/** A trained head. */
export interface TrainedMotifs {
  readonly head: MotifHead
  readonly motifs: readonly Motif[]
}

/** Latents with their labels. */
export interface LabelledLatents {
  readonly latents: readonly Float32Array[]
  /** Index of each label, or -1 where there is none. */
  readonly labels: readonly number[]
}

/**
 * Train on latents.
 * @param o.labels names of the labels; none where the latents have none
 * @param o.count how many motifs
 */
export function trainMotifs(
  { latents, labels }: LabelledLatents,
  o: { labels: readonly string[]; count: number; seed: number },
): TrainedMotifs {
  const motifs = motifsOf(o.labels, o.count)
  const classes = new Int32Array(latents.length).fill(-1)
  for (const label of new Set(motifs.map(motif => motif.label))) {
    const own = latents.map((_, i) => i).filter(i => labels[i] === label || label < 0)
    const places = motifs.map((_, k) => k).filter(k => motifs[k]!.label === label)
    const clusters = kMeans(
      own.map(i => latents[i]!),
      places.length,
      o.seed,
    )
    for (const [n, i] of own.entries()) classes[i] = places[clusters[n]!]!
  }
  const used = classes.map((_, i) => i).filter(i => classes[i]! >= 0)
  const rows = [...used].map(i => latents[i]!)
  const { weight, bias } = fitStandard(
    rows,
    Int32Array.from(used, i => classes[i]!),
    motifs.length,
  )
  const size = rows[0]?.length ?? 0
  return {
    motifs,
    head: {
      weight: float32([motifs.length, size], Float32Array.from(weight)),
      bias: float32([motifs.length], Float32Array.from(bias)),
    },
  }
}

/** As many motifs for each label as fit evenly; the first labels get one more where they do not. */
function motifsOf(labels: readonly string[], count: number): Motif[] {
  if (labels.length === 0) return Array.from({ length: count }, (_, k) => ({ name: `motif-${k + 1}`, label: -1 }))
  const shown = labels.slice(0, count)
  return shown.flatMap((label, index) => {
    const share = Math.floor(count / shown.length) + (index < count % shown.length ? 1 : 0)
    return Array.from({ length: share }, (_, k) => ({ name: `${label}-${k + 1}`, label: index }))
  })
}

/** Fit on standardised features, so that the penalty weighs all alike, and fold the standardisation into the layer. */
export function fitStandard(rows: readonly Float32Array[], classes: Int32Array, classCount: number): Softmax {
  const size = rows[0]?.length ?? 0
  const { mean, std } = momentsOf(rows)
  const features = new Float32Array(rows.length * size)
  for (const [i, row] of rows.entries())
    for (let j = 0; j < size; j++) features[i * size + j] = (row[j]! - mean[j]!) / std[j]!
  const { weight, bias } = fitSoftmax({ features, size, classes, classCount })
  for (let k = 0; k < classCount; k++) {
    for (let j = 0; j < size; j++) {
      weight[k * size + j]! /= std[j]!
      bias[k]! -= weight[k * size + j]! * mean[j]!
    }
  }
  return { weight, bias }
}

/** Mean and deviation of every column; a column that never changes has deviation 1. */
export function momentsOf(rows: readonly Float32Array[]): { mean: Float64Array; std: Float64Array } {
  const size = rows[0]?.length ?? 0
  const mean = new Float64Array(size)
  const std = new Float64Array(size)
  for (const row of rows) for (let j = 0; j < size; j++) mean[j]! += row[j]! / rows.length
  for (const row of rows) for (let j = 0; j < size; j++) std[j]! += (row[j]! - mean[j]!) ** 2 / rows.length
  // A column that never changes is off by rounding alone.
  for (let j = 0; j < size; j++) std[j] = Math.sqrt(std[j]!) < 1e-9 * (1 + Math.abs(mean[j]!)) ? 1 : Math.sqrt(std[j]!)
  return { mean, std }
}

/** The most likely label of one row of motif scores: each label's score is the sum of its motifs. */
export function labelOf(scores: ArrayLike<number>, motifs: readonly Motif[]): number {
  const sums = new Map<number, number>()
  for (const [k, { label }] of motifs.entries()) sums.set(label, (sums.get(label) ?? 0) + scores[k]!)
  return [...sums].reduce((best, entry) => (entry[1] > best[1] ? entry : best))[0]
}

/** Twelve numbers that say how a window looks: mean and deviation of its six inertial channels. */
export function baselineFeatures(window: Float32Array): Float32Array {
  const samples = Array.from({ length: window.length / 9 }, (_, t) => window.subarray(t * 9, t * 9 + 6))
  const { mean, std } = momentsOf(samples as Float32Array[])
  return Float32Array.from([...mean, ...std])
}

/** Share of test rows that a regression on standardised training rows labels right. */
export function regressionAccuracy(train: LabelledLatents, test: LabelledLatents, classCount: number): number {
  const fitted = fitStandard(train.latents, Int32Array.from(train.labels), classCount)
  const size = train.latents[0]!.length
  const right = test.latents.filter((row, i) => {
    const scores = probabilities(fitted, row, size)
    return scores.indexOf(Math.max(...scores)) === test.labels[i]
  })
  return right.length / test.latents.length
}
