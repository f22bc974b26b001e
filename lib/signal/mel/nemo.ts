/**
 * The log-mel features of NeMo's speech models, for a whole recording or as it arrives.
 *
 * A recording of n samples has 1 + floor(n / hop) frames, of which floor(n / hop) count; the last is set to zero.
 */
import { usageError } from '../../base/errors.ts'
import { MelFrontEnd, type MelSpectrogram } from './mel.ts'
import { normalisePerBin } from './normalise.ts'

/** What a NeMo configuration says of its front end. */
export interface NemoMelOptions {
  readonly sampleRate: number
  readonly fftSize: number
  readonly windowSamples: number
  readonly hopSamples: number
  readonly bins: number
  readonly preemphasis: number
  /** Added to the power before the logarithm. */
  readonly logGuard: number
  readonly normalize: 'per_feature' | 'none'
  /** Added to the deviation of a bin. */
  readonly normalizeGuard: number
}

/** Features of a recording, row-major [bins][frames]; frames from `validFrames` on are zero. */
export interface NemoFeatures extends MelSpectrogram {
  readonly validFrames: number
}

/** Computes the features of one model. Not for two recordings at once. */
export class NemoMel {
  readonly options: NemoMelOptions
  readonly #front: MelFrontEnd

  /** @throws RunbookError usage when the sizes make no sense */
  constructor(options: NemoMelOptions) {
    this.options = options
    const { sampleRate, fftSize, windowSamples, hopSamples, bins, preemphasis, logGuard } = options
    this.#front = new MelFrontEnd({
      sampleRate,
      fftSize,
      windowSamples,
      window: 'symmetric',
      hopSamples,
      bins,
      minHz: 0,
      maxHz: sampleRate / 2,
      preemphasis,
      pad: 'zeros',
      lastFrame: 'kept',
      log: { base: 'e', plus: logGuard },
    })
  }

  /** The features of a whole recording. */
  features(samples: Float32Array): NemoFeatures {
    const { hopSamples, normalize, normalizeGuard } = this.options
    const mel = this.#front.spectrogram(samples)
    const validFrames = Math.floor(samples.length / hopSamples)
    if (normalize === 'per_feature') normalisePerBin(mel, { validFrames, guard: normalizeGuard })
    else zeroFrom(mel, validFrames)
    return { ...mel, validFrames }
  }

  /** The logarithms of a stretch of sound, with all of its frames. */
  logMel(samples: Float32Array): MelSpectrogram {
    return this.#front.spectrogram(samples)
  }
}

function zeroFrom({ bins, frames, data }: MelSpectrogram, from: number): void {
  for (let bin = 0; bin < bins; bin++) data.fill(0, bin * frames + Math.min(from, frames), (bin + 1) * frames)
}

/**
 * Log-mel frames as sound arrives: the same numbers as for the whole recording.
 *
 * A frame is given once all samples under its window are there. Nothing is normalised: means over a recording are not
 * known before it ends.
 */
export class NemoMelStream {
  readonly #mel: NemoMel
  #held = new Float32Array(0)
  #heldFrom = 0
  #next = 0
  #samples = 0
  #isEnded = false

  constructor(mel: NemoMel) {
    this.#mel = mel
  }

  /** Frames given so far. */
  get frames(): number {
    return this.#next
  }

  /**
   * Frames that `samples` complete, [bins][frames]; perhaps none.
   * @throws RunbookError usage after the end
   */
  push(samples: Float32Array): MelSpectrogram {
    if (this.#isEnded) throw usageError('Cannot push sound into a stream that has ended', 'begin another stream')
    const joined = new Float32Array(this.#held.length + samples.length)
    joined.set(this.#held)
    joined.set(samples, this.#held.length)
    this.#held = joined
    this.#samples += samples.length
    const { hopSamples, windowSamples } = this.#mel.options
    const complete = Math.floor((this.#samples - windowSamples / 2) / hopSamples) + 1
    return this.#frames(Math.max(this.#next, complete))
  }

  /** The frames that are left, as if silence followed; those that count, floor(samples / hop) in all. */
  end(): MelSpectrogram {
    this.#isEnded = true
    return this.#frames(Math.max(this.#next, Math.floor(this.#samples / this.#mel.options.hopSamples)))
  }

  #frames(until: number): MelSpectrogram {
    const { hopSamples, bins, fftSize } = this.#mel.options
    const from = this.#next
    const count = until - from
    if (count === 0) return { bins, frames: 0, data: new Float32Array(0) }
    const all = this.#mel.logMel(this.#held)
    const skipped = from - this.#heldFrom / hopSamples
    const data = new Float32Array(bins * count)
    for (let bin = 0; bin < bins; bin++) {
      const at = bin * all.frames + skipped
      data.set(all.data.subarray(at, at + count), bin * count)
    }
    this.#next = until
    // Enough is kept for the frame after the last one: half a transform, and one sample for the pre-emphasis.
    const keepFrames = Math.ceil((fftSize / 2 + 1) / hopSamples)
    const keepFrom = Math.max(this.#heldFrom, (until - keepFrames) * hopSamples)
    this.#held = this.#held.slice(keepFrom - this.#heldFrom)
    this.#heldFrom = keepFrom
    return { bins, frames: count, data }
  }
}
