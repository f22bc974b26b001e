/**
 * Finds the stretches of speech in a row of speech probabilities, and cuts a recording to them without losing its
 * times.
 *
 * Source of the rule: get_speech_timestamps of silero-vad, with its defaults.
 */

/** A stretch of samples, `to` not included. */
export interface Region {
  readonly from: number
  readonly to: number
}

/** How probabilities become regions. Times in seconds. */
export interface RegionOptions {
  readonly sampleRate: number
  /** Samples that one probability stands for. */
  readonly frameSamples: number
  readonly totalSamples: number
  /** Speech begins at this probability, and goes on until it falls 0.15 below; 0.5 unless told. */
  readonly threshold?: number
  /** Shorter speech is dropped; 0.25 unless told. */
  readonly minSpeechS?: number
  /** A shorter pause does not end speech; 0.1 unless told. */
  readonly minSilenceS?: number
  /** Kept on either side; 0.03 unless told. */
  readonly padS?: number
}

/**
 * The stretches of speech, in order, padded and without overlap.
 *
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { speechRegions } from './regions.ts'
 *
 * const frames = { sampleRate: 1000, frameSamples: 100, totalSamples: 1000, padS: 0 }
 * assert.deepEqual(speechRegions([0, 0, 1, 1, 1, 0, 0, 0, 0, 0], frames), [{ from: 200, to: 500 }])
 * ```
 */
export function speechRegions(probabilities: ArrayLike<number>, o: RegionOptions): Region[] {
  const { sampleRate, frameSamples, totalSamples, threshold = 0.5 } = o
  const minSpeech = (o.minSpeechS ?? 0.25) * sampleRate
  const minSilence = (o.minSilenceS ?? 0.1) * sampleRate
  const found: Region[] = []
  let from: number | null = null
  let silentFrom: number | null = null
  for (let i = 0; i < probabilities.length; i++) {
    const at = i * frameSamples
    const probability = probabilities[i]!
    if (probability >= threshold) {
      silentFrom = null
      from ??= at
    } else if (from !== null && probability < threshold - 0.15) {
      silentFrom ??= at
      if (at - silentFrom < minSilence) continue
      if (silentFrom - from > minSpeech) found.push({ from, to: silentFrom })
      from = silentFrom = null
    }
  }
  if (from !== null && totalSamples - from > minSpeech) found.push({ from, to: totalSamples })
  return padded(found, (o.padS ?? 0.03) * sampleRate, totalSamples)
}

/** Pads each; two that would meet share the pause between them. */
function padded(regions: readonly Region[], pad: number, total: number): Region[] {
  return regions.map(({ from, to }, i) => {
    const before = i === 0 ? from : (from - regions[i - 1]!.to) / 2
    const after = i === regions.length - 1 ? total - to : (regions[i + 1]!.from - to) / 2
    return { from: Math.round(from - Math.min(pad, before)), to: Math.round(to + Math.min(pad, after)) }
  })
}

/** A recording cut to its speech, and the way back to its own times. */
export interface SpeechOnly {
  readonly samples: Float32Array
  /** Seconds in the recording of a time in `samples`; an end at a cut stays with the speech before it. */
  originalSeconds(seconds: number, edge: 'start' | 'end'): number
}

/** Only the given regions of a recording, one after the other. */
export function cutToSpeech(samples: Float32Array, regions: readonly Region[], sampleRate: number): SpeechOnly {
  const joined = new Float32Array(regions.reduce((sum, { from, to }) => sum + to - from, 0))
  const starts: number[] = []
  let at = 0
  for (const { from, to } of regions) {
    starts.push(at)
    joined.set(samples.subarray(from, to), at)
    at += to - from
  }
  return {
    samples: joined,
    originalSeconds(seconds, edge) {
      const sample = seconds * sampleRate
      const isIn = (start: number) => (edge === 'start' ? start <= sample : start < sample)
      const i = Math.max(0, starts.findLastIndex(isIn))
      const region = regions[i]
      return region === undefined ? seconds : (region.from + sample - starts[i]!) / sampleRate
    },
  }
}
