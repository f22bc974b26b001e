/** Measures the signal-to-noise ratio of a signal against its reference, in dB, in one pass and in float64. */
import { usageError } from '../base/errors.ts'

/** Running sums for an SNR over any number of blocks. */
export class SnrSum {
  #signal = 0
  #noise = 0
  #count = 0

  /**
   * Add a block.
   *
   * @throws RunbookError usage when the lengths differ
   */
  push(actual: ArrayLike<number>, reference: ArrayLike<number>): void {
    if (actual.length !== reference.length) {
      throw usageError(
        `Cannot compare ${actual.length} samples with ${reference.length}: they are not equally long`,
        'cut both to the same length',
      )
    }
    for (let i = 0; i < reference.length; i++) {
      const r = reference[i]!
      const d = actual[i]! - r
      this.#signal += r * r
      this.#noise += d * d
    }
    this.#count += reference.length
  }

  /** In dB; NaN when nothing was pushed or the reference is silent, Infinity when nothing differs. */
  db(): number {
    if (this.#count === 0 || this.#signal === 0) return Number.NaN
    return 10 * Math.log10(this.#signal / this.#noise)
  }
}
