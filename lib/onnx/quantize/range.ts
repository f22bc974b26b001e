/**
 * Chooses the range of a tensor that 255 steps cover, after all of its values were seen once.
 *
 * Values are counted in bins by magnitude, 2048 for each sign, up to a power of two that doubles when a larger value
 * comes (two bins become one). So memory is bounded, one pass is enough, and the order of the batches does not change
 * the result.
 */

/** The least and the greatest value that is to be represented; zero always is. */
export interface Range {
  min: number
  max: number
}

/**
 * `minmax`: nothing is clipped. `percentile`: the tail beyond `tail` is clipped on each side. `mse`: the range for
 * which rounding and clipping together make the least squared error.
 */
export type RangeMethod = 'minmax' | 'percentile' | 'mse'

const bins = 2048

// WHY: counting is what calibration of long windows spends its time on, and 131,072 values of a tensor say how the
// others lie; an odd stride does not keep to one channel or one frame.
// SOURCE: lib/onnx/quantize/range.test.ts
// CONTRACT: of each batch's tensor about this many values are counted.
const countedMax = 131_072

/** Counts the values of one tensor. */
export class ValueCounts {
  min = Infinity
  max = -Infinity
  total = 0
  /** Values are below 2^exponent in magnitude. */
  #exponent = -126
  readonly #sides: { positive: Float64Array; negative: Float64Array } | undefined

  /** @param o.keepsBins false when only the extremes are wanted; then `range` knows `minmax` alone */
  constructor(o: { keepsBins: boolean }) {
    if (o.keepsBins) this.#sides = { positive: new Float64Array(bins), negative: new Float64Array(bins) }
  }

  /** Counts every value. Returns the first that is not finite; undefined when all are. */
  add(values: Float32Array): number | undefined {
    let { min, max } = this
    // Stays 0 while every value is finite, and becomes NaN at the first that is not.
    let odd = 0
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!
      odd += value - value
      if (value < min) min = value
      if (value > max) max = value
    }
    if (odd !== 0) return values.find(value => !Number.isFinite(value))
    this.min = min
    this.max = max
    this.total += values.length
    if (this.#sides && values.length > 0) this.#count(values, this.#sides, Math.max(Math.abs(min), Math.abs(max)))
    return undefined
  }

  #count(
    values: Float32Array,
    { positive, negative }: { positive: Float64Array; negative: Float64Array },
    largest: number,
  ): void {
    while (largest >= 2 ** this.#exponent) {
      this.#exponent++
      halve(positive)
      halve(negative)
    }
    const perUnit = bins / 2 ** this.#exponent
    const stride = values.length <= countedMax ? 1 : 2 * Math.ceil(values.length / countedMax / 2) + 1
    const limit = stride === 1 ? Infinity : largest / 2
    // Large values are rare and decide where the range ends, so each is counted; of the others evenly spread ones stand
    // for all. An exact zero is exactly represented: it costs nothing, and is not counted.
    const every = stride > 1 ? values.length : 0
    for (let i = 0; i < every; i++) {
      const value = values[i]!
      if (value > limit) positive[Math.floor(value * perUnit)]!++
      else if (value < -limit) negative[Math.floor(-value * perUnit)]!++
    }
    for (let i = 0; i < values.length; i += stride) {
      const value = values[i]!
      if (value > 0 && value <= limit) positive[Math.floor(value * perUnit)]! += stride
      else if (value < 0 && value >= -limit) negative[Math.floor(-value * perUnit)]! += stride
    }
  }

  /**
   * The range, zero included.
   * @param o.tail the share of all values that `percentile` may clip on each side, such as 0.0001
   */
  range(method: RangeMethod, o: { tail: number }): Range {
    const whole = { min: Math.min(0, this.min), max: Math.max(0, this.max) }
    if (method === 'minmax' || this.#sides === undefined || this.total === 0) return whole
    const width = 2 ** this.#exponent / bins
    const sides = { positive: new Tail(this.#sides.positive), negative: new Tail(this.#sides.negative) }
    const edges =
      method === 'percentile'
        ? { high: sides.positive.quantile(o.tail * this.total), low: sides.negative.quantile(o.tail * this.total) }
        : leastSquares(sides)
    return { min: Math.max(whole.min, 0 - edges.low * width), max: Math.min(whole.max, edges.high * width) }
  }
}

function halve(counts: Float64Array): void {
  for (let i = 0; i < bins / 2; i++) counts[i] = counts[2 * i]! + counts[2 * i + 1]!
  counts.fill(0, bins / 2)
}

/** Sums over the values beyond each edge, in units of a bin; a value counts as the middle of its bin. */
class Tail {
  readonly #count = new Float64Array(bins + 1)
  readonly #sum = new Float64Array(bins + 1)
  readonly #squares = new Float64Array(bins + 1)

  constructor(counts: Float64Array) {
    for (let i = bins - 1; i >= 0; i--) {
      const middle = i + 0.5
      this.#count[i] = this.#count[i + 1]! + counts[i]!
      this.#sum[i] = this.#sum[i + 1]! + counts[i]! * middle
      this.#squares[i] = this.#squares[i + 1]! + counts[i]! * middle * middle
    }
  }

  /** How many values there are. */
  get total(): number {
    return this.#count[0]!
  }

  /** The first edge beyond which at most `allowed` values lie. */
  quantile(allowed: number): number {
    const edge = this.#count.findIndex(count => count <= allowed)
    return edge < 0 ? bins : edge
  }

  /** The squared error that clipping at an edge makes. */
  clipped(edge: number): number {
    return this.#squares[edge]! - 2 * edge * this.#sum[edge]! + edge * edge * this.#count[edge]!
  }
}

/** The edges that make the least squared error, found by moving one and then the other until neither moves. */
function leastSquares({ positive, negative }: { positive: Tail; negative: Tail }): { high: number; low: number } {
  const total = positive.total + negative.total
  const best = (tail: Tail, other: number): number => {
    let [edge, least] = [0, Infinity]
    for (let candidate = tail.quantile(0); candidate >= 0; candidate--) {
      const step = (candidate + other) / 255
      const error = (total * step * step) / 12 + tail.clipped(candidate)
      if (error < least) [edge, least] = [candidate, error]
    }
    return edge
  }
  let edges = { high: positive.quantile(0), low: negative.quantile(0) }
  // Each move lowers the error, so this ends; it takes two or three rounds.
  for (;;) {
    const high = best(positive, edges.low)
    const low = best(negative, high)
    if (high === edges.high && low === edges.low) return edges
    edges = { high, low }
  }
}
