/**
 * Spreads the power at each frequency over bins that are as wide as the ear hears them apart.
 *
 * Slaney's mel scale: linear below 1 kHz, logarithmic above; triangles that overlap by half, each of area 1 over Hz.
 * Source: M. Slaney, Auditory Toolbox, Technical Report 1998-010; the "slaney" scale and norm of librosa.
 */
import { usageError } from '../../base/errors.ts'

/** Which bins, over which frequencies. */
export interface FilterbankOptions {
  /** In Hz. */
  readonly sampleRate: number
  /** Samples of a transform; frequencies come in `fftSize / 2 + 1` rows. */
  readonly fftSize: number
  readonly bins: number
  /** Where the first triangle begins and where the last one ends, in Hz. */
  readonly minHz: number
  readonly maxHz: number
}

/** The triangles without their zeros: bin b weighs rows `first[b]` on, with `weights[offset[b]]` to `offset[b + 1]`. */
export interface Filterbank {
  readonly bins: number
  readonly rows: number
  readonly first: Int32Array
  readonly offset: Int32Array
  readonly weights: Float64Array
}

const hzPerMel = 200 / 3
const [cornerHz, cornerMel] = [1000, 15]
const logStep = Math.log(6.4) / 27

/** Slaney's mel of a frequency in Hz. */
export const melFromHz = (hz: number): number =>
  hz < cornerHz ? hz / hzPerMel : cornerMel + Math.log(hz / cornerHz) / logStep

/** The frequency in Hz of Slaney's mel. */
export const hzFromMel = (mel: number): number =>
  mel < cornerMel ? mel * hzPerMel : cornerHz * Math.exp(logStep * (mel - cornerMel))

/**
 * Slaney's triangles.
 * @throws RunbookError usage when a bin would hold no frequency, or the options make no sense
 */
export function slaneyFilterbank({ sampleRate, fftSize, bins, minHz, maxHz }: FilterbankOptions): Filterbank {
  const wrong =
    !(Number.isInteger(bins) && bins >= 1) || !(minHz >= 0 && maxHz > minHz && maxHz <= sampleRate / 2) || fftSize < 2
  if (wrong) {
    const what = `${bins} bins from ${minHz} to ${maxHz} Hz at ${sampleRate} Hz`
    throw usageError(`Cannot make the filterbank "${what}": it makes no sense`, 'keep 0 <= minHz < maxHz <= rate / 2')
  }
  const [low, high] = [melFromHz(minHz), melFromHz(maxHz)]
  const edges = Float64Array.from({ length: bins + 2 }, (_, i) => hzFromMel(low + ((high - low) * i) / (bins + 1)))
  const rows = Math.floor(fftSize / 2) + 1
  const first = new Int32Array(bins)
  const offset = new Int32Array(bins + 1)
  const weights: number[] = []
  for (let bin = 0; bin < bins; bin++) {
    const [left, middle, right] = [edges[bin]!, edges[bin + 1]!, edges[bin + 2]!]
    const area = 2 / (right - left)
    for (let row = 0; row < rows; row++) {
      const hz = (row * sampleRate) / fftSize
      const weight = Math.min((hz - left) / (middle - left), (right - hz) / (right - middle))
      if (weight <= 0) continue
      if (weights.length === offset[bin]) first[bin] = row
      weights.push(weight * area)
    }
    offset[bin + 1] = weights.length
  }
  return { bins, rows, first, offset, weights: Float64Array.from(weights) }
}
