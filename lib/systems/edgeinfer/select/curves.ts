/**
 * What a strategy is worth: accuracy by number of labels, against choosing at random, over several seeds.
 *
 * Every strategy of a seed begins with the same labels. After each step a regression is fitted to the labelled latents
 * and scored on windows of other persons. The latents must come from an encoder that saw none of the labels.
 */
import { quantile } from '../../../base/statistics.ts'
import { seededRandom } from '../../../base/random.ts'
import { fitStandard, type LabelledLatents } from '../motifs/train.ts'
import { probabilities } from '../motifs/softmax.ts'
import { joined } from '../export/golden.ts'
import { chooseNext, strategies, type Strategy } from './strategies.ts'

/** Accuracy of one strategy and seed after so many labels. */
export interface CurvePoint {
  readonly strategy: Strategy
  readonly seed: number
  readonly labels: number
  readonly accuracy: number
}

/** A strategy over all seeds. */
export interface StrategyWorth {
  readonly strategy: Strategy
  /** Mean accuracy over all steps and seeds: the area under the curve. */
  readonly area: number
  /** Deviation of the area between seeds. */
  readonly spread: number
  /** In how many seeds its area is above that of random choice. */
  readonly seedsAboveRandom: number
  /** Mean accuracy with the most labels. */
  readonly last: number
  /** Labels after which the median accuracy reaches what random choice has with the most; null when it never does. */
  readonly labelsForRandomsLast: number | null
}

/** How curves are drawn. */
export interface CurveOptions {
  readonly classCount: number
  readonly labelsStart: number
  readonly labelsStep: number
  readonly labelsMax: number
  readonly seeds: number
  readonly onDone?: (done: number, total: number) => void
}

/** Curves of every strategy and seed. */
export function labelCurves(pool: LabelledLatents, test: LabelledLatents, o: CurveOptions): CurvePoint[] {
  const points: CurvePoint[] = []
  for (let seed = 1; seed <= o.seeds; seed++) {
    const order = seededRandom(seed).shuffled(pool.latents.map((_, i) => i))
    for (const strategy of strategies) {
      points.push(...curve({ strategy, seed, start: order.slice(0, o.labelsStart) }, { pool, test }, o))
      o.onDone?.(points.length, 0)
    }
  }
  return points
}

function curve(
  { strategy, seed, start }: { strategy: Strategy; seed: number; start: readonly number[] },
  { pool, test }: { pool: LabelledLatents; test: LabelledLatents },
  o: CurveOptions,
): CurvePoint[] {
  const labelled = [...start]
  const size = pool.latents[0]!.length
  const rows = (of: LabelledLatents) => joined(of.latents)
  const [poolRows, testRows] = [rows(pool), rows(test)]
  const points: CurvePoint[] = []
  for (;;) {
    const head = fitStandard(
      labelled.map(i => pool.latents[i]!),
      Int32Array.from(labelled, i => pool.labels[i]!),
      o.classCount,
    )
    const guesses = topOfRows(probabilities(head, testRows, size), o.classCount)
    const right = guesses.filter((guess, i) => guess === test.labels[i]).length
    points.push({ strategy, seed, labels: labelled.length, accuracy: right / guesses.length })
    if (labelled.length + o.labelsStep > Math.min(o.labelsMax, pool.latents.length)) return points
    const all = probabilities(head, poolRows, size)
    const scores = pool.latents.map((_, i) => all.subarray(i * o.classCount, (i + 1) * o.classCount))
    const choice = { count: o.labelsStep, seed: seed * 1000 + labelled.length, labelled }
    labelled.push(...chooseNext(strategy, { latents: pool.latents, scores }, choice))
  }
}

function topOfRows(all: Float64Array, classCount: number): number[] {
  return Array.from({ length: all.length / classCount }, (_, i) => {
    const row = all.subarray(i * classCount, (i + 1) * classCount)
    return row.indexOf(Math.max(...row))
  })
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

/** Every strategy, the best area first. */
export function worthOf(points: readonly CurvePoint[]): StrategyWorth[] {
  const seeds = [...new Set(points.map(({ seed }) => seed))]
  const steps = [...new Set(points.map(({ labels }) => labels))].toSorted((a, b) => a - b)
  const of = (strategy: Strategy, more: Partial<CurvePoint>) =>
    points
      .filter(point => point.strategy === strategy)
      .filter(point => Object.entries(more).every(([key, value]) => point[key as keyof CurvePoint] === value))
      .map(({ accuracy }) => accuracy)
  const area = (strategy: Strategy, seed: number) => mean(of(strategy, { seed }))
  const randomsLast = quantile(of('random', { labels: steps.at(-1)! }), 0.5)
  return strategies
    .map((strategy): StrategyWorth => {
      const areas = seeds.map(seed => area(strategy, seed))
      return {
        strategy,
        area: mean(areas),
        spread: Math.sqrt(mean(areas.map(value => (value - mean(areas)) ** 2))),
        seedsAboveRandom: seeds.filter((seed, i) => areas[i]! > area('random', seed)).length,
        last: mean(of(strategy, { labels: steps.at(-1)! })),
        labelsForRandomsLast: steps.find(labels => quantile(of(strategy, { labels }), 0.5) >= randomsLast) ?? null,
      }
    })
    .toSorted((a, b) => b.area - a.area)
}
