/**
 * K-means over rows of numbers, the same clusters for the same rows and seed.
 *
 * Starting points by k-means++ (Arthur and Vassilvitskii 2007), then Lloyd's steps until no row moves.
 */
import { seededRandom } from '../../../base/random.ts'

/** The squared distance of two rows. */
export function squaredDistance(a: Float32Array | Float64Array, b: Float32Array | Float64Array): number {
  let sum = 0
  for (let j = 0; j < a.length; j++) {
    const d = a[j]! - b[j]!
    sum += d * d
  }
  return sum
}

/**
 * Indices of `count` rows spread by k-means++: each next one is drawn by its squared distance to the nearest before.
 * Fewer where fewer rows differ.
 */
export function spreadRows(rows: readonly Float32Array[], count: number, seed: number): number[] {
  if (rows.length === 0 || count === 0) return []
  const random = seededRandom(seed)
  const picked = [random.below(rows.length)]
  const nearest = rows.map(row => squaredDistance(row, rows[picked[0]!]!))
  while (picked.length < Math.min(count, rows.length)) {
    const sum = nearest.reduce((total, d) => total + d, 0)
    if (sum === 0) break
    let left = random.next() * sum
    let at = nearest.findIndex(d => d > 0 && (left -= d) <= 0)
    if (at < 0) at = nearest.findLastIndex(d => d > 0)
    picked.push(at)
    for (const [i, row] of rows.entries()) nearest[i] = Math.min(nearest[i]!, squaredDistance(row, rows[at]!))
  }
  return picked
}

/** The cluster of each row, 0 to `count` - 1. Clusters are numbered by size, the largest first. */
export function kMeans(rows: readonly Float32Array[], count: number, seed: number): Int32Array {
  const centres = spreadRows(rows, count, seed).map(i => Float64Array.from(rows[i]!))
  const clusters = new Int32Array(rows.length).fill(-1)
  for (let step = 0, moved = 1; moved > 0 && step < 100; step++) {
    moved = 0
    for (const [i, row] of rows.entries()) {
      const own = nearestOf(centres, row)
      if (own !== clusters[i]) moved++
      clusters[i] = own
    }
    for (const [k, centre] of centres.entries()) {
      const members = rows.filter((_, i) => clusters[i] === k)
      if (members.length === 0) continue
      for (let j = 0; j < centre.length; j++)
        centre[j] = members.reduce((sum, row) => sum + row[j]!, 0) / members.length
    }
  }
  return bySize(clusters, centres.length)
}

function nearestOf(centres: readonly Float64Array[], row: Float32Array): number {
  let best = 0
  let least = Infinity
  for (const [k, centre] of centres.entries()) {
    const distance = squaredDistance(row, centre)
    if (distance < least) [best, least] = [k, distance]
  }
  return best
}

function bySize(clusters: Int32Array, count: number): Int32Array {
  const sizes = Array.from({ length: count }, (_, k) => clusters.filter(cluster => cluster === k).length)
  const order = sizes.map((_, k) => k).toSorted((a, b) => sizes[b]! - sizes[a]! || a - b)
  const rank = Int32Array.from(sizes, (_, k) => order.indexOf(k))
  return clusters.map(cluster => rank[cluster]!)
}
