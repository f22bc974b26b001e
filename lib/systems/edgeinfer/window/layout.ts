/**
 * What a window is: its size, the bounds of its values, and how it is standardised for the model.
 */
import { edgeinferContract } from '../contract.ts'

const { model, range, normalization } = edgeinferContract()

/** Samples in a window, channels in a sample, numbers in a window. */
export const windowSamples = model.windowSamples
/** See `windowSamples`. */
export const windowChannels = model.channels
/** See `windowSamples`. */
export const windowSize = windowSamples * windowChannels

const units = [...new Set(model.units)].join(', ')
const channels = model.channelOrder.join(', ')
/** What a refused client is told that it should send. */
export const schemaHint = `{"x": [[${channels}] * ${windowSamples}]}, finite numbers, ${units}`

/** The largest magnitude of each channel that a sensor could give. */
export const channelMax: readonly number[] = model.units.map(
  unit => ({ 'm/s2': range.accelerationMax, 'rad/s': range.gyroscopeMax, uT: range.magnetometerMax })[unit]!,
)

const means = Float32Array.from(normalization.mean)
const deviations = Float32Array.from(normalization.std)

/**
 * A window standardised by channel, in float32: what every form of the model takes. `out` may be `window`. Lengths are
 * multiples of the number of channels.
 */
export function standardise(window: Float32Array, out: Float32Array = new Float32Array(window.length)): Float32Array {
  for (let i = 0, c = 0; i < window.length; i++) {
    out[i] = Math.fround(window[i]! - means[c]!) / deviations[c]!
    if (++c === windowChannels) c = 0
  }
  return out
}

/** Where the first value stands that is not finite or beyond its channel's bound, or -1. */
export function indexOfOdd(window: Float32Array): number {
  for (let i = 0, c = 0; i < window.length; i++) {
    if (!(Math.abs(window[i]!) <= channelMax[c]!)) return i
    if (++c === windowChannels) c = 0
  }
  return -1
}
