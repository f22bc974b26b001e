/**
 * Chooses which windows to label next.
 *
 * Uncertainty: entropy, margin, least confidence (Settles 2009). Coverage: k-center greedy over latents (Sener and
 * Savarese 2018). Both: BADGE (Ash et al. 2020), k-means++ over gradient embeddings, which for a linear head are (p -
 * one-hot of the guess) ⊗ latent and are never written out here.
 */
import { seededRandom } from '../../../base/random.ts'
import { squaredDistance } from '../motifs/k-means.ts'
import { uncertainty } from '../sidecar/record.ts'

/** Ways to choose. */
export const strategies = ['random', 'entropy', 'margin', 'least-confidence', 'k-center', 'badge'] as const
/** One of them. */
export type Strategy = (typeof strategies)[number]

/** Windows to choose from. */
export interface Pool {
  readonly latents: readonly Float32Array[]
  /** Scores of the current head, a row for each latent. */
  readonly scores: readonly ArrayLike<number>[]
}

/** What is asked for. */
export interface Choice {
  readonly count: number
  readonly seed: number
  /** Indices that have labels already: never chosen, and covered for k-center. */
  readonly labelled: readonly number[]
}

/** Indices into the pool, most wanted first; fewer than `count` where the pool has fewer. */
export function chooseNext(strategy: Strategy, pool: Pool, o: Choice): number[] {
  const known = new Set(o.labelled)
  const open = pool.latents.map((_, i) => i).filter(i => !known.has(i))
  if (strategy === 'random') return seededRandom(o.seed).shuffled(open).slice(0, o.count)
  if (strategy === 'k-center') return kCenter(pool.latents, open, o)
  if (strategy === 'badge') return badge(pool, open, o)
  const worth = (i: number): number => {
    const { entropy, margin, score } = uncertainty(pool.scores[i]!)
    return { entropy, margin: -margin, 'least-confidence': -score }[strategy]
  }
  const worths = new Map(open.map(i => [i, worth(i)]))
  return open.toSorted((a, b) => worths.get(b)! - worths.get(a)! || a - b).slice(0, o.count)
}

/** Each next one is farthest from all that are labelled or chosen. */
function kCenter(
  latents: readonly Float32Array[],
  open: readonly number[],
  { count, labelled, seed }: Choice,
): number[] {
  if (open.length === 0) return []
  const nearest = new Map(open.map(i => [i, Infinity]))
  const cover = (centre: number) => {
    for (const i of nearest.keys())
      nearest.set(i, Math.min(nearest.get(i)!, squaredDistance(latents[i]!, latents[centre]!)))
  }
  const chosen: number[] = []
  const take = (i: number) => {
    chosen.push(i)
    nearest.delete(i)
    cover(i)
  }
  for (const centre of labelled) cover(centre)
  if (labelled.length === 0) take(open[seededRandom(seed).below(open.length)]!)
  while (chosen.length < count && nearest.size > 0) {
    take([...nearest].reduce((best, entry) => (entry[1] > best[1] ? entry : best))[0])
  }
  return chosen
}

/** K-means++ over gradient embeddings; |a⊗x - b⊗y|² = |a|²|x|² + |b|²|y|² - 2 (a·b)(x·y). */
function badge({ latents, scores }: Pool, open: readonly number[], { count, seed }: Choice): number[] {
  const random = seededRandom(seed)
  const errors = new Map(open.map(i => [i, errorOf(scores[i]!)]))
  const norms = new Map(open.map(i => [i, dot(errors.get(i)!, errors.get(i)!) * dot(latents[i]!, latents[i]!)]))
  const distance = (i: number, j: number) =>
    Math.max(0, norms.get(i)! + norms.get(j)! - 2 * dot(errors.get(i)!, errors.get(j)!) * dot(latents[i]!, latents[j]!))
  const chosen: number[] = []
  // The first is the one with the longest gradient, the others are drawn by squared distance.
  let nearest = new Map(norms)
  while (chosen.length < count && nearest.size > 0) {
    const next = chosen.length === 0 ? longest(nearest) : drawn(nearest, random.next())
    chosen.push(next)
    nearest = new Map(
      [...nearest]
        .filter(([i]) => i !== next)
        .map(([i, d]) => [i, chosen.length === 1 ? distance(i, next) : Math.min(d, distance(i, next))]),
    )
  }
  return chosen
}

const longest = (values: ReadonlyMap<number, number>) =>
  [...values].reduce((best, entry) => (entry[1] > best[1] ? entry : best))[0]

function drawn(weights: ReadonlyMap<number, number>, share: number): number {
  const sum = [...weights.values()].reduce((total, weight) => total + weight, 0)
  let left = share * sum
  for (const [i, weight] of weights) {
    left -= weight
    if (left < 0) return i
  }
  return [...weights.keys()].at(-1)!
}

function errorOf(scores: ArrayLike<number>): Float64Array {
  const error = Float64Array.from(scores)
  const top = error.indexOf(Math.max(...error))
  error[top]! -= 1
  return error
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let j = 0; j < a.length; j++) sum += a[j]! * b[j]!
  return sum
}

/** Indices in their order without those closer than `distance` to one before: the same second seen twice. */
export function withoutDuplicates(
  latents: readonly Float32Array[],
  order: readonly number[],
  distance: number,
): number[] {
  const kept: number[] = []
  for (const i of order) {
    const isNear = kept.some(j => squaredDistance(latents[i]!, latents[j]!) < distance * distance)
    if (!isNear) kept.push(i)
  }
  return kept
}

/** The order with guessed classes taking turns, so that one common class does not take every place. */
export function classBalanced(order: readonly number[], classOf: (i: number) => number): number[] {
  const queues = new Map<number, number[]>()
  for (const i of order) queues.set(classOf(i), [...(queues.get(classOf(i)) ?? []), i])
  const balanced: number[] = []
  for (let round = 0; balanced.length < order.length; round++)
    for (const queue of queues.values()) if (round < queue.length) balanced.push(queue[round]!)
  return balanced
}
