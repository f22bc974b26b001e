/**
 * Turns sound into the log-mel spectrogram that a speech model listens to.
 *
 * One front end for every model: what differs between them (window, padding, pre-emphasis, the guard of the logarithm)
 * is an option, and the normalisation that follows is in `normalise.ts`. Arithmetic is in float64, so that a model's
 * own float32 front end is met within its rounding.
 *
 * @example Whisper's 80 bins of one second
 * ```ts
 * import { MelFrontEnd } from './mel.ts'
 * const whisper = new MelFrontEnd({
 *   sampleRate: 16000, fftSize: 400, windowSamples: 400, window: 'periodic', hopSamples: 160, bins: 80, minHz: 0,
 *   maxHz: 8000, preemphasis: 0, pad: 'reflect', lastFrame: 'dropped', log: { base: 10, atLeast: 1e-10 },
 * })
 * whisper.spectrogram(new Float32Array(16000)).frames // 100
 * ```
 */
import { usageError } from '../../base/errors.ts'
import { slaneyFilterbank, type Filterbank, type FilterbankOptions } from './filterbank.ts'
import { Fourier } from './fourier.ts'

/** Everything that the log-mel spectrograms of two models may differ in. */
export interface MelOptions extends FilterbankOptions {
  /** Length of the Hann window, at most `fftSize`; a shorter one stands in the middle of the transform. */
  readonly windowSamples: number
  /** Hann over N samples (`periodic`) or over N - 1 (`symmetric`: both ends are zero). */
  readonly window: 'periodic' | 'symmetric'
  /** Samples from one frame to the next. */
  readonly hopSamples: number
  /** What each sample loses of the one before it: y[i] = x[i] - preemphasis · x[i - 1], in float32; 0 for none. */
  readonly preemphasis: number
  /** What stands in the half transform before and after the sound, so that frame f is centred at sample f · hop. */
  readonly pad: 'reflect' | 'zeros'
  /** Whether the frame that is centred at the end of the sound counts. */
  readonly lastFrame: 'kept' | 'dropped'
  /** Base 10 of the power, at least `atLeast`; or base e of the power plus `plus`. */
  readonly log: { readonly base: 10; readonly atLeast: number } | { readonly base: 'e'; readonly plus: number }
}

/** Logarithms of mel power, row-major [bins][frames]. */
export interface MelSpectrogram {
  readonly bins: number
  readonly frames: number
  readonly data: Float32Array
}

/** Computes log-mel spectrograms of one kind. Not for two sounds at once: its buffers are reused. */
export class MelFrontEnd {
  readonly #options: MelOptions
  readonly #window: Float64Array
  readonly #bank: Filterbank
  readonly #fourier: Fourier
  readonly #power: Float64Array

  /**
   * @throws RunbookError usage when the window is longer than the transform, the hop is no whole number, or the bins
   *   make no sense
   */
  constructor(options: MelOptions) {
    const { fftSize, windowSamples, hopSamples } = options
    if (!(windowSamples >= 2 && windowSamples <= fftSize) || !(Number.isInteger(hopSamples) && hopSamples >= 1)) {
      const what = `window ${windowSamples}, hop ${hopSamples}, transform ${fftSize}`
      throw usageError(`Cannot make a front end with "${what}": it makes no sense`, 'keep 2 <= window <= transform')
    }
    this.#options = options
    this.#window = hann(options)
    this.#bank = slaneyFilterbank(options)
    this.#fourier = new Fourier(fftSize)
    this.#power = new Float64Array(2 * this.#bank.rows)
  }

  /** How many frames a sound of so many samples has. */
  framesOf(samples: number): number {
    return Math.floor(samples / this.#options.hopSamples) + (this.#options.lastFrame === 'kept' ? 1 : 0)
  }

  /**
   * The log-mel spectrogram of a sound, float32 [bins, frames].
   * @param trailingZeros so many zero samples follow the sound after its pre-emphasis, at no cost
   * @throws RunbookError usage when the sound is too short to be reflected at its ends
   */
  spectrogram(samples: Float32Array, { trailingZeros = 0 }: { trailingZeros?: number } = {}): MelSpectrogram {
    const { fftSize, hopSamples, pad } = this.#options
    const length = samples.length + trailingZeros
    if (pad === 'reflect' && length <= fftSize / 2) {
      throw usageError(
        `Cannot take the log-mel spectrogram of "${length} samples": fewer than the ${fftSize / 2 + 1} of half a ` +
          `window`,
        'give a longer recording, or pad it with zeros',
      )
    }
    const sound = this.#padded(samples, length)
    const frames = this.framesOf(length)
    const { bins } = this.#bank
    const data = new Float32Array(bins * frames)
    // Frames that begin behind the last sample which is not zero are all alike.
    const sounding = Math.min(frames, Math.ceil(soundingSamples(sound) / hopSamples))
    for (let frame = 0; frame < sounding; frame += 2) this.#pair(sound, { frame, frames, data })
    const { log } = this.#options
    const silence = log.base === 10 ? Math.log10(log.atLeast) : Math.log(log.plus)
    for (let bin = 0; bin < bins; bin++) {
      const row = data.subarray(bin * frames, (bin + 1) * frames)
      if (log.base === 10) toLog10(row.subarray(0, sounding), log.atLeast)
      else toLog(row.subarray(0, sounding), log.plus)
      row.fill(silence, sounding)
    }
    return { bins, frames, data }
  }

  /** The sound with pre-emphasis, half a transform of padding on both sides. */
  #padded(samples: Float32Array, length: number): Float32Array {
    const { fftSize, preemphasis, pad } = this.#options
    const half = Math.floor(fftSize / 2)
    // One hop more, because frames are taken two at a time.
    const sound = new Float32Array(length + 2 * half + this.#options.hopSamples)
    sound.set(samples, half)
    if (preemphasis !== 0) {
      const factor = Math.fround(preemphasis)
      for (let i = samples.length - 1; i > 0; i--) {
        sound[half + i] = samples[i]! - Math.fround(factor * samples[i - 1]!)
      }
    }
    if (pad === 'reflect') {
      for (let i = 1; i <= half; i++) {
        sound[half - i] = sound[half + i]!
        sound[half + length - 1 + i] = sound[half + length - 1 - i]!
      }
    }
    return sound
  }

  /** Frames `frame` and `frame + 1`: two real signals are one complex signal, and one transform serves both. */
  #pair(sound: Float32Array, { frame, frames, data }: { frame: number; frames: number; data: Float32Array }): void {
    const { fftSize, hopSamples } = this.#options
    const { cells } = this.#fourier
    const window = this.#window
    const start = frame * hopSamples
    for (let i = 0; i < fftSize; i++) {
      const weight = window[i]!
      cells[2 * i] = sound[start + i]! * weight
      cells[2 * i + 1] = sound[start + hopSamples + i]! * weight
    }
    this.#powers(this.#fourier.run())
    const { bins, rows, first, offset, weights } = this.#bank
    const power = this.#power
    const second = frame + 1 < frames
    for (let bin = 0; bin < bins; bin++) {
      let a = 0
      let b = 0
      const shift = first[bin]! - offset[bin]!
      for (let i = offset[bin]!; i < offset[bin + 1]!; i++) {
        a += weights[i]! * power[i + shift]!
        b += weights[i]! * power[i + shift + rows]!
      }
      data[bin * frames + frame] = a
      if (second) data[bin * frames + frame + 1] = b
    }
  }

  /** Takes the two real signals of the transform at `at` apart, and keeps the power of each at each frequency. */
  #powers(at: number): void {
    const { fftSize } = this.#options
    const { cells } = this.#fourier
    const { rows } = this.#bank
    const power = this.#power
    for (let row = 0; row < rows; row++) {
      const here = at + 2 * row
      const mirror = row === 0 ? at : at + 2 * (fftSize - row)
      const sumRe = cells[here]! + cells[mirror]!
      const sumIm = cells[here + 1]! - cells[mirror + 1]!
      const gapRe = cells[here]! - cells[mirror]!
      const gapIm = cells[here + 1]! + cells[mirror + 1]!
      power[row] = 0.25 * (sumRe * sumRe + sumIm * sumIm)
      power[rows + row] = 0.25 * (gapRe * gapRe + gapIm * gapIm)
    }
  }
}

function toLog10(power: Float32Array, atLeast: number): void {
  for (let i = 0; i < power.length; i++) power[i] = Math.log10(power[i]! < atLeast ? atLeast : power[i]!)
}

function toLog(power: Float32Array, plus: number): void {
  for (let i = 0; i < power.length; i++) power[i] = Math.log(power[i]! + plus)
}

/** The window of the options, in the middle of a transform. */
function hann({ windowSamples, fftSize, window }: MelOptions): Float64Array {
  const values = new Float64Array(fftSize)
  const before = Math.floor((fftSize - windowSamples) / 2)
  const period = window === 'periodic' ? windowSamples : windowSamples - 1
  for (let i = 0; i < windowSamples; i++) values[before + i] = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / period)
  return values
}

/** Samples up to the last one that is not zero. */
function soundingSamples(sound: Float32Array): number {
  let end = sound.length
  while (end > 0 && sound[end - 1] === 0) end--
  return end
}
