/**
 * Seeded random numbers: the same on every machine, for samples, splits and starting points.
 */

/** A source of numbers in [0, 1) and of choices among the first integers. */
export interface Random {
  /** In [0, 1), 32 bits. */
  next(): number
  /** An integer in [0, n). */
  below(n: number): number
  /** A new array with the items in another order (Fisher and Yates). */
  shuffled<T>(items: readonly T[]): T[]
}

/**
 * A source that starts from `seed` (mulberry32: one multiplication and a few shifts a number; not for secrets).
 *
 * @example
 * ```ts
 * const order = seededRandom(7).shuffled(['a', 'b', 'c'])
 * ```
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (n: number) => Math.floor(next() * n)
  return {
    next,
    below,
    shuffled(items) {
      const left = [...items]
      for (let i = left.length - 1; i > 0; i--) {
        const j = below(i + 1)
        ;[left[i], left[j]] = [left[j]!, left[i]!]
      }
      return left
    },
  }
}
