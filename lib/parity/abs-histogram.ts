/**
 * Percentiles of many non-negative numbers in constant memory.
 *
 * A number falls into the bucket of its upper 16 bits as a float32, so a percentile is right to 1 part in 128, and is
 * never smaller than the exact one. Sorting six million differences of one streaming cache takes 0.6 s; this takes
 * 0.02.
 */
const bits = new Uint32Array(1)
const value = new Float32Array(bits.buffer)

/** Counts of non-negative finite numbers by size. */
export class AbsHistogram {
  readonly #counts = new Uint32Array(1 << 15)
  #count = 0
  #max = 0

  /** Count one number. */
  add(x: number): void {
    value[0] = x
    this.#counts[bits[0]! >>> 16]!++
    this.#count++
    if (x > this.#max) this.#max = x
  }

  /** Count `count` zeros. */
  addZeros(count: number): void {
    this.#counts[0]! += count
    this.#count += count
  }

  /**
   * The number that a share `q` of all lie at or below, rounded up to the end of its bucket; NaN when there is none.
   */
  percentile(q: number): number {
    if (this.#count === 0) return NaN
    const wanted = Math.max(1, Math.ceil(q * this.#count))
    let seen = 0
    for (let i = 0; i < this.#counts.length; i++) {
      seen += this.#counts[i]!
      if (seen < wanted) continue
      bits[0] = ((i << 16) | 0xffff) >>> 0
      return i === 0 ? 0 : Math.min(value[0]!, this.#max)
    }
    return this.#max
  }
}
