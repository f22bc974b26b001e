/** Summarises a list of numbers: quantiles, the median, and rounding for a report. */

/**
 * The smallest value that at least the share `q` of the values does not exceed (nearest rank, a value that was
 * measured); NaN of no values. The argument is not sorted in place.
 *
 * @param q the share, from 0 to 1
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { quantile } from './lib/base/statistics.ts'
 *
 * assert.equal(quantile([9, 1, 5, 7], 0.5), 5)
 * ```
 */
export function quantile(values: Numbers, q: number): number {
  const sorted = Float64Array.from(values).toSorted()
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? Number.NaN
}

/** The middle value; the mean of the two in the middle when their number is even; NaN of no values. */
export function median(values: Numbers): number {
  const sorted = Float64Array.from(values).toSorted()
  const middle = sorted.length / 2
  return sorted.length === 0 ? Number.NaN : (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2
}

/** Rounded to so many decimals; what the last digits of a measurement say is noise. */
export const rounded = (value: number, decimals: number): number => Number(value.toFixed(decimals))

/** Any list of numbers, typed arrays included. */
export type Numbers = ArrayLike<number> & Iterable<number>
