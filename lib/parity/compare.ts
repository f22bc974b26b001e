/**
 * Compares numbers with a reference, element by element.
 *
 * An element is close when |got − want| <= atol + rtol·|want|, as numpy.allclose has it; both tolerances are named, and
 * either alone is no pass. A number that is not finite is never close, and a comparison of nothing is no pass.
 *
 * @example
 * ```ts
 * const { isClose, maxAbs } = compare(Float32Array.of(1, 2), Float32Array.of(1, 2.5), { atol: 1e-4, rtol: 1e-4 })
 * assert.deepEqual([isClose, maxAbs], [false, 0.5])
 * ```
 */
import { usageError } from '../base/errors.ts'
import { AbsHistogram } from './abs-histogram.ts'
import { runsOf, type Region } from './region.ts'

/** Any row of numbers; 16-bit floats are widened first. */
export type Numbers = ArrayLike<number>

/** What is close enough: |got − want| <= atol + rtol·|want|. */
export interface Tolerances {
  readonly atol: number
  readonly rtol: number
}

/** One element that was looked at, and by how much it is off. `index` counts elements, row-major. */
export interface Deviation {
  readonly index: number
  readonly got: number
  readonly want: number
  readonly abs: number
}

/** Statistics of one kind of error over all compared elements, as polygraphy prints them. NaN when there are none. */
export interface ErrorStatistics {
  readonly mean: number
  readonly std: number
  readonly median: number
  readonly p90: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

/** What a comparison found. `outside` counts elements beyond the tolerances, `notFinite` those with NaN or infinity. */
export interface Comparison extends Tolerances {
  readonly isClose: boolean
  readonly compared: number
  readonly outside: number
  readonly notFinite: number
  readonly maxAbs: number
  readonly maxRel: number
  readonly rms: number
  readonly cosine: number
  readonly absolute: ErrorStatistics
  readonly relative: ErrorStatistics
  /**
   * The element furthest beyond its tolerance, or with the largest error where all are close. Null without elements.
   */
  readonly worst: Deviation | null
}

/**
 * Compare `got` with the reference `want`.
 * @param region which elements count; all by default. It is the caller's knowledge, never read off the values.
 * @throws RunbookError usage when the lengths differ, a tolerance is negative or not finite, or the region leaves the
 *   shape
 */
export function compare(
  got: Numbers,
  want: Numbers,
  { atol, rtol, region }: Tolerances & { readonly region?: Region },
): Comparison {
  if (got.length !== want.length)
    throw usageError(`Cannot compare ${got.length} numbers: the reference has ${want.length}`, 'compare equal shapes')
  if (!(atol >= 0 && rtol >= 0 && atol < Infinity && rtol < Infinity))
    throw usageError(`Cannot compare numbers: atol is ${atol} and rtol is ${rtol}`, 'give tolerances of 0 or more')
  const tally = new Tally({ atol, rtol })
  for (const [from, to] of region === undefined ? [[0, got.length] as const] : runsOf(region))
    tally.addRun(got, want, from, to)
  return tally.result()
}

/**
 * Gathers a comparison piece by piece, for references that are too large to hold.
 */
class Tally {
  readonly #tolerances: Tolerances
  readonly #abs = new Moments()
  readonly #rel = new Moments()
  #compared = 0
  #outside = 0
  #notFinite = 0
  #dot = 0
  #gotSquares = 0
  #wantSquares = 0
  #worst: Deviation | null = null
  #worstExcess = -Infinity

  constructor(tolerances: Tolerances) {
    this.#tolerances = tolerances
  }

  /** Add a run of elements. Equal ones are counted at once: most of a faithful copy is equal. */
  addRun(got: Numbers, want: Numbers, from: number, to: number): void {
    let [equal, equalNonZero, squares] = [0, 0, 0]
    for (let i = from; i < to; i++) {
      const a = got[i]!
      const b = want[i]!
      // An infinity less itself is NaN, so it is not counted as equal.
      if (a === b && b - b === 0) {
        equal++
        if (b !== 0) equalNonZero++
        squares += b * b
      } else this.#add(i, a, b)
    }
    this.#compared += equal
    this.#abs.addZeros(equal)
    this.#rel.addZeros(equalNonZero)
    this.#dot += squares
    this.#gotSquares += squares
    this.#wantSquares += squares
    if (equal > 0 && this.#worst === null)
      this.#note({ index: from, got: got[from]!, want: want[from]!, abs: 0 }, -Infinity)
  }

  #add(index: number, got: number, want: number): void {
    this.#compared++
    const abs = Math.abs(got - want)
    if (!(abs < Infinity)) {
      this.#outside++
      this.#notFinite++
      if (this.#worstExcess < Infinity) this.#note({ index, got, want, abs }, Infinity)
      return
    }
    const size = Math.abs(want)
    const excess = abs - (this.#tolerances.atol + this.#tolerances.rtol * size)
    if (excess > 0) this.#outside++
    if (excess > this.#worstExcess) this.#note({ index, got, want, abs }, excess)
    this.#abs.add(abs)
    // The relative error of an element that should be 0 says nothing; polygraphy divides by the smallest float there.
    if (size > 0) this.#rel.add(abs / size)
    this.#dot += got * want
    this.#gotSquares += got * got
    this.#wantSquares += want * want
  }

  #note(deviation: Deviation, excess: number): void {
    this.#worst = deviation
    this.#worstExcess = excess
  }

  result(): Comparison {
    const [absolute, relative] = [this.#abs.statistics(), this.#rel.statistics()]
    const norm = Math.sqrt(this.#gotSquares) * Math.sqrt(this.#wantSquares)
    const isBothZero = this.#gotSquares === 0 && this.#wantSquares === 0 && this.#abs.count > 0
    return {
      ...this.#tolerances,
      isClose: this.#compared > 0 && this.#outside === 0,
      compared: this.#compared,
      outside: this.#outside,
      notFinite: this.#notFinite,
      maxAbs: this.#notFinite > 0 ? NaN : absolute.max,
      maxRel: this.#notFinite > 0 ? NaN : relative.max,
      rms: this.#notFinite > 0 ? NaN : Math.sqrt(this.#abs.meanSquare()),
      cosine: this.#notFinite > 0 ? NaN : isBothZero ? 1 : norm === 0 ? 0 : this.#dot / norm,
      absolute,
      relative,
      worst: this.#worst,
    }
  }
}

/** Mean, spread, maximum and percentiles of non-negative finite numbers. */
class Moments {
  readonly #histogram = new AbsHistogram()
  #sum = 0
  #squares = 0
  #max = 0
  count = 0

  /** Count zeros. */
  addZeros(count: number): void {
    this.count += count
    this.#histogram.addZeros(count)
  }

  add(x: number): void {
    this.count++
    this.#sum += x
    this.#squares += x * x
    if (x > this.#max) this.#max = x
    this.#histogram.add(x)
  }

  meanSquare(): number {
    return this.#squares / this.count
  }

  statistics(): ErrorStatistics {
    const mean = this.#sum / this.count
    const [median, p90, p95, p99] = [0.5, 0.9, 0.95, 0.99].map(q => this.#histogram.percentile(q)) as [
      number,
      number,
      number,
      number,
    ]
    const std = Math.sqrt(Math.max(0, this.meanSquare() - mean * mean))
    return { mean, std, median, p90, p95, p99, max: this.count > 0 ? this.#max : NaN }
  }
}
