/**
 * Scores how well a mixture was separated.
 *
 * Scale-invariant signal-to-distortion ratio as Asteroid computes it, its improvement over the mixture, and the order
 * of the estimates that suits the targets best. `SeparationScore` goes through the sound once and keeps sums only.
 * Perceptual measures (PESQ, STOI) and BSS Eval's filtered SDR are left out.
 *
 * A silent (or constant) target leaves nothing to measure: its value is NaN, and NaN passes no gate. The formula itself
 * would say -80 dB, whatever the estimate. A silent estimate of a target that speaks is -80 dB: that is a measured
 * failure.
 */
import { usageError } from '../base/errors.ts'

// Asteroid's EPS, in losses/sdr.py.
const epsilon = 1e-8

/** Sums over two signals, enough for their SI-SDR. */
interface Sums {
  n: number
  e: number
  s: number
  ee: number
  ss: number
  es: number
}

/**
 * SI-SDR of an estimate against a target of the same length, in dB: both less their mean, then with a = <e,s> / (|s|^2
 * + 1e-8), 10 log10(|a s|^2 / (|e - a s|^2 + 1e-8) + 1e-8). NaN when the target is silent or either holds a NaN.
 * Source: Asteroid, losses/sdr.py.
 *
 * @throws RunbookError usage when the lengths differ
 */
export function siSdrDb(estimate: Float32Array, target: Float32Array): number {
  sameLength(estimate, target)
  const n = target.length
  const [eMean, sMean] = [mean(estimate), mean(target)]
  const sums: Sums = { n, e: 0, s: 0, ee: 0, ss: 0, es: 0 }
  for (let i = 0; i < n; i++) {
    const e = estimate[i]! - eMean
    const s = target[i]! - sMean
    sums.ee += e * e
    sums.ss += s * s
    sums.es += e * s
  }
  return siSdrFromSums(sums)
}

/** What `SeparationScore` found. The three lists follow the order of the targets. */
export interface SeparationResult {
  /** `permutation[t]` is the index of the estimate that answers target t: the order with the highest mean SI-SDR. */
  permutation: number[]
  /** SI-SDR of target t and its estimate, dB. */
  siSdrDb: number[]
  /** SI-SDR of target t and the mixture, dB: what doing nothing scores. */
  inputSiSdrDb: number[]
  /** The mean over targets of `siSdrDb - inputSiSdrDb`, dB. NaN when a target is silent or nothing was pushed. */
  siSdriDb: number
}

// Sums are folded into the totals after this many samples, counted from the first one. So rounding errors stay small
// over an hour, and the result does not know how the sound was cut into pushes.
const foldSamples = 4096

/**
 * One-pass SI-SDR with permutation search. Push the mixture, the estimates and the targets side by side, in blocks of
 * any size; memory does not grow. In this one-pass form a score above about 100 dB is limited by double precision.
 */
export class SeparationScore {
  readonly #nSrc: number
  // Signals in this order: the mixture, the estimates, the targets. Products: each signal's square, then the mixture
  // and each estimate times each target.
  readonly #sums: Accumulators
  readonly #squares: Accumulators
  readonly #crosses: Accumulators
  #samples = 0

  /**
   * @param nSrc the number of sources, 1 to 4.
   * @throws RunbookError usage otherwise
   */
  constructor(nSrc: number) {
    if (!Number.isInteger(nSrc) || nSrc < 1 || nSrc > 4) {
      throw usageError(`Cannot score "${nSrc} sources": 1 to 4 are supported`, 'score fewer sources at a time')
    }
    this.#nSrc = nSrc
    this.#sums = accumulators(1 + 2 * nSrc)
    this.#squares = accumulators(1 + 2 * nSrc)
    this.#crosses = accumulators((1 + nSrc) * nSrc)
  }

  /**
   * The next block; all signals are equally long.
   *
   * @throws RunbookError usage when their number or their lengths do not fit
   */
  push(mix: Float32Array, estimates: readonly Float32Array[], targets: readonly Float32Array[]): void {
    const n = this.#nSrc
    if (estimates.length !== n || targets.length !== n) {
      const state = `got ${estimates.length} estimates and ${targets.length} targets`
      throw usageError(`Cannot score "${n} sources": ${state}`, 'give one of each a source')
    }
    for (const signal of [...estimates, ...targets]) sameLength(signal, mix)
    for (let at = 0; at < mix.length;) {
      const end = Math.min(mix.length, at + foldSamples - (this.#samples % foldSamples))
      const cut = (signal: Float32Array): Float32Array => signal.subarray(at, end)
      this.#add([mix, ...estimates].map(cut), targets.map(cut))
      this.#samples += end - at
      at = end
      if (this.#samples % foldSamples === 0) for (const sums of [this.#sums, this.#squares, this.#crosses]) fold(sums)
    }
  }

  #add(guesses: readonly Float32Array[], targets: readonly Float32Array[]): void {
    for (const [i, signal] of [...guesses, ...targets].entries()) {
      this.#sums.open[i] = addSum(this.#sums.open[i]!, signal)
      this.#squares.open[i] = addProduct(this.#squares.open[i]!, signal, signal)
    }
    for (const [g, guess] of guesses.entries()) {
      for (const [t, target] of targets.entries()) {
        const i = g * targets.length + t
        this.#crosses.open[i] = addProduct(this.#crosses.open[i]!, guess, target)
      }
    }
  }

  /** The score of all that was pushed so far. May be asked for at any time. */
  result(): SeparationResult {
    const n = this.#nSrc
    const table = Array.from({ length: n + 1 }, (_, guess) => Array.from({ length: n }, (_, t) => this.#pair(guess, t)))
    const score = (order: readonly number[]): number =>
      order.reduce(
        (sum, estimate, t) => sum + (Number.isNaN(table[estimate + 1]![t]!) ? 0 : table[estimate + 1]![t]!),
        0,
      )
    const permutation = orders([...Array(n).keys()]).reduce((best, order) =>
      score(order) > score(best) ? order : best,
    )
    const siSdrDb = permutation.map((estimate, t) => table[estimate + 1]![t]!)
    const inputSiSdrDb = table[0]!
    const siSdriDb = siSdrDb.reduce((sum, db, t) => sum + db - inputSiSdrDb[t]!, 0) / n
    return { permutation, siSdrDb, inputSiSdrDb: [...inputSiSdrDb], siSdriDb }
  }

  #pair(guess: number, t: number): number {
    const target = 1 + this.#nSrc + t
    const n = this.#samples
    const [e, s] = [total(this.#sums, guess), total(this.#sums, target)]
    const [ee, ss] = [total(this.#squares, guess), total(this.#squares, target)]
    return siSdrFromSums({ n, e, s, ee, ss, es: total(this.#crosses, guess * this.#nSrc + t) })
  }
}

function siSdrFromSums({ n, e, s, ee, ss, es }: Sums): number {
  if (n === 0) return NaN
  const estimateEnergy = ee - (e * e) / n
  const targetEnergy = ss - (s * s) / n
  // Below the formula's own epsilon, or below what is left of a constant after rounding, there is no target.
  if (targetEnergy <= Math.max(epsilon, 1e-13 * ss)) return NaN
  const product = es - (e * s) / n
  const scale = product / (targetEnergy + epsilon)
  const signal = scale * scale * targetEnergy
  const noise = Math.max(0, estimateEnergy - 2 * scale * product + signal)
  return 10 * Math.log10(signal / (noise + epsilon) + epsilon)
}

interface Accumulators {
  closed: Float64Array
  open: Float64Array
}

const accumulators = (length: number): Accumulators => ({
  closed: new Float64Array(length),
  open: new Float64Array(length),
})
const total = ({ closed, open }: Accumulators, i: number): number => closed[i]! + open[i]!

function fold({ closed, open }: Accumulators): void {
  for (let i = 0; i < open.length; i++) closed[i]! += open[i]!
  open.fill(0)
}

function addSum(start: number, signal: Float32Array): number {
  let sum = start
  for (let i = 0; i < signal.length; i++) sum += signal[i]!
  return sum
}

function addProduct(start: number, a: Float32Array, b: Float32Array): number {
  let sum = start
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

const mean = (signal: Float32Array): number => (signal.length === 0 ? 0 : addSum(0, signal) / signal.length)

/** Every order of the given numbers, theirs first. */
const orders = (numbers: readonly number[]): number[][] =>
  numbers.length === 0
    ? [[]]
    : numbers.flatMap(first => orders(numbers.filter(i => i !== first)).map(rest => [first].concat(rest)))

function sameLength(a: ArrayLike<number>, b: ArrayLike<number>): void {
  if (a.length === b.length) return
  throw usageError(
    `Cannot compare ${a.length} samples with ${b.length}: they differ in length`,
    'cut both to the same length',
  )
}
