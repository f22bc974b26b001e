/**
 * Measures how far a model's latents lie from its golden ones, by every number that a cosine alone would hide.
 */
import { compare } from '../../../parity/compare.ts'

/** One window. */
export interface WindowParity {
  readonly window: number
  readonly cosine: number
  /** Cosine after the mean of all golden latents is taken off: what is left when a constant part no longer helps. */
  readonly centredCosine: number
  readonly maxAbs: number
}

/** One dimension over all windows. */
export interface DimensionParity {
  readonly dimension: number
  /** Deviation of the golden values. */
  readonly spread: number
  /** Root mean square of the error, as a share of the spread; of 1 where there is no spread. */
  readonly relativeError: number
}

/** All that was measured. NaN where an answer is not finite. */
export interface Parity {
  readonly windows: readonly WindowParity[]
  readonly dimensions: readonly DimensionParity[]
  readonly worst: WindowParity
  readonly cosineMin: number
  readonly centredCosineMin: number
  readonly maxAbs: number
  /** Dimensions whose golden values vary by more than a thousandth of the largest spread. */
  readonly activeDimensions: number
  /** The largest relative error of an active dimension. */
  readonly relativeErrorMax: number
}

/** A dimension that varies less than this share of the most varying one tells windows apart no more than noise does. */
const activeShare = 1e-3

/** Compare latents [n][64] with golden ones. Both have at least one window. */
export function measureParity(got: readonly Float32Array[], want: readonly Float32Array[]): Parity {
  const size = want[0]!.length
  const means = Float64Array.from({ length: size }, (_, k) => want.reduce((sum, row) => sum + row[k]!, 0) / want.length)
  const centred = (row: Float32Array) => row.map((value, k) => value - means[k]!)
  const windows = want.map((golden, i): WindowParity => {
    const plain = compare(got[i]!, golden, { atol: 0, rtol: 0 })
    const { cosine } = compare(centred(got[i]!), centred(golden), { atol: 0, rtol: 0 })
    return { window: i, cosine: plain.cosine, centredCosine: cosine, maxAbs: plain.maxAbs }
  })
  const dimensions = Array.from({ length: size }, (_, k): DimensionParity => {
    const rms = (of: (i: number) => number) => Math.sqrt(want.reduce((sum, _, i) => sum + of(i) ** 2, 0) / want.length)
    const spread = rms(i => want[i]![k]! - means[k]!)
    return { dimension: k, spread, relativeError: rms(i => got[i]![k]! - want[i]![k]!) / (spread || 1) }
  })
  const most = Math.max(...dimensions.map(({ spread }) => spread))
  const active = dimensions.filter(({ spread }) => spread > activeShare * most)
  // Math.min and Math.max give NaN as soon as one is NaN, so that nothing not finite is passed over.
  const cosineMin = Math.min(...windows.map(({ cosine }) => cosine))
  return {
    windows,
    dimensions,
    worst: windows.find(({ cosine }) => Number.isNaN(cosine) || cosine === cosineMin)!,
    cosineMin,
    centredCosineMin: Math.min(...windows.map(({ centredCosine }) => centredCosine)),
    maxAbs: Math.max(...windows.map(({ maxAbs }) => maxAbs)),
    activeDimensions: active.length,
    relativeErrorMax: Math.max(0, ...active.map(({ relativeError }) => relativeError)),
  }
}
