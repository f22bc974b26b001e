/**
 * Finds the gains with which separated sources add up to the mixture best.
 *
 * A network that learnt by a scale-invariant measure gives sources of any level and sign. Least squares over the whole
 * recording brings them back: the gains that leave the least of the mixture over. Sources that say nearly the same have
 * no gains of their own, and share one.
 */

/** Above this correlation two sources share one gain: their difference would be guessed from noise. */
const mostAlike = 0.95

/** Sums over any number of blocks; memory does not grow. */
export class SourceGains {
  readonly #count: number
  /** Products of each source with each, row by row, and of each with the mixture. */
  readonly #products: Float64Array
  readonly #withMix: Float64Array

  /** @param count the number of sources, at least one */
  constructor(count: number) {
    this.#count = count
    this.#products = new Float64Array(count * count)
    this.#withMix = new Float64Array(count)
  }

  /** The next samples of the mixture and of each source, equally long. */
  push(mix: Float32Array, sources: readonly Float32Array[]): void {
    for (const [i, source] of sources.entries()) {
      this.#withMix[i]! += product(mix, source)
      for (let j = 0; j <= i; j++) this.#products[i * this.#count + j]! += product(source, sources[j]!)
    }
  }

  /** One gain for each source; all are 1 where a source is silent or nothing was pushed. */
  gains(): number[] {
    const n = this.#count
    const at = (i: number, j: number) => this.#products[Math.max(i, j) * n + Math.min(i, j)]!
    const all = [...Array(n).keys()]
    if (all.some(i => !(at(i, i) > 0))) return all.map(() => 1)
    const alike = all.some(i => all.some(j => j < i && Math.abs(at(i, j)) > mostAlike * Math.sqrt(at(i, i) * at(j, j))))
    if (!alike) return solved(all.map(i => [...all.map(j => at(i, j)), this.#withMix[i]!]))
    const sum = all.flatMap(i => all.map(j => at(i, j))).reduce((a, b) => a + b, 0)
    const gain = this.#withMix.reduce((a, b) => a + b, 0) / sum
    return all.map(() => (Number.isFinite(gain) ? gain : 1))
  }
}

function product(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** Gaussian elimination of `[matrix | right side]`, a positive definite one, so that no row is exchanged. */
function solved(rows: number[][]): number[] {
  const n = rows.length
  for (let k = 0; k < n; k++) {
    for (let i = 0; i < n; i++) {
      if (i === k) continue
      const factor = rows[i]![k]! / rows[k]![k]!
      for (let j = k; j <= n; j++) rows[i]![j]! -= factor * rows[k]![j]!
    }
  }
  return rows.map((row, i) => row[n]! / row[i]!)
}
