/**
 * Measures whether separated sources hold sound at all, and whether they differ.
 *
 * A model that is broken in the file, in the compiler or on the device often answers silence, a constant, or the same
 * for every source; levels and lengths are right all the same.
 */

/** The level that stands for none: nothing that is stored in 32 bits is quieter. */
const silenceDb = -200

/** Sums over any number of blocks; memory does not grow. */
export class SourceSound {
  readonly #count: number
  #samples = 0
  /** Of the mixture, then of each source. */
  readonly #sums: Float64Array
  /** Products of each with each, row by row. */
  readonly #products: Float64Array

  /** @param sources the number of sources, at least one */
  constructor(sources: number) {
    this.#count = sources + 1
    this.#sums = new Float64Array(this.#count)
    this.#products = new Float64Array(this.#count ** 2)
  }

  /** The next samples of the mixture and of each source, equally long. */
  push(mix: Float32Array, sources: readonly Float32Array[]): void {
    const all = [mix, ...sources]
    this.#samples += mix.length
    for (const [i, a] of all.entries()) {
      let sum = 0
      for (const value of a) sum += value
      this.#sums[i]! += sum
      for (const [j, b] of all.slice(0, i + 1).entries()) {
        let product = 0
        for (let n = 0; n < a.length; n++) product += a[n]! * b[n]!
        this.#products[i * this.#count + j]! += product
      }
    }
  }

  /** Power of the quietest source without its mean, against that of the mixture, in dB; -200 where it is silent. */
  quietestDb(): number {
    const ratios = this.#each(i => this.#covariance(i, i) / this.#covariance(0, 0))
    const least = Math.min(...ratios.map(ratio => (Number.isFinite(ratio) ? ratio : 0)))
    return Math.max(silenceDb, 10 * Math.log10(Math.max(least, 0)))
  }

  /** The largest correlation of two sources, without its sign; null where there is one source, or a silent one. */
  likeness(): number | null {
    const pairs = this.#each(i => i).flatMap(i => this.#each(j => [i, j] as const).filter(([, j]) => j < i))
    const all = pairs.map(
      ([i, j]) => Math.abs(this.#covariance(i, j)) / Math.sqrt(this.#covariance(i, i) * this.#covariance(j, j)),
    )
    return all.length > 0 && all.every(value => Number.isFinite(value)) ? Math.min(1, Math.max(...all)) : null
  }

  #each<T>(what: (source: number) => T): T[] {
    return Array.from({ length: this.#count - 1 }, (_, i) => what(i + 1))
  }

  #covariance(i: number, j: number): number {
    return this.#products[i * this.#count + j]! / this.#samples - (this.#sums[i]! * this.#sums[j]!) / this.#samples ** 2
  }
}
