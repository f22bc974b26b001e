/**
 * Keeps the last log-mel frames of a stream, and normalises them by what was heard so far where the model asks for it.
 */
import type { MelSpectrogram } from '../../../signal/mel/mel.ts'
import type { NemoMelOptions } from '../../../signal/mel/nemo.ts'

/** Frames of a stream by their number from its beginning. */
export class RunningFeatures {
  readonly #options: NemoMelOptions
  /** One array of [bins] per kept frame. */
  #kept: Float32Array[] = []
  #first = 0
  readonly #sum: Float64Array
  readonly #squares: Float64Array

  constructor(options: NemoMelOptions) {
    this.#options = options
    this.#sum = new Float64Array(options.bins)
    this.#squares = new Float64Array(options.bins)
  }

  /** Frames heard so far. */
  get frames(): number {
    return this.#first + this.#kept.length
  }

  /** Append frames. */
  push({ bins, frames, data }: MelSpectrogram): void {
    for (let f = 0; f < frames; f++) {
      const frame = Float32Array.from({ length: bins }, (_, b) => data[b * frames + f]!)
      for (let b = 0; b < bins; b++) {
        this.#sum[b]! += frame[b]!
        this.#squares[b]! += frame[b]! ** 2
      }
      this.#kept.push(frame)
    }
  }

  /** Zeros, then frames [from, to), as the encoder takes them: [bins][frames]. They must be kept still. */
  take({ from, to, padding }: { from: number; to: number; padding: number }): MelSpectrogram {
    const { bins, normalize, normalizeGuard } = this.#options
    const frames = padding + to - from
    const data = new Float32Array(bins * frames)
    const count = this.frames
    for (let b = 0; b < bins; b++) {
      const mean = normalize === 'none' ? 0 : this.#sum[b]! / count
      const variance = count > 1 ? Math.max(0, (this.#squares[b]! - count * mean * mean) / (count - 1)) : 0
      const scale = normalize === 'none' ? 1 : 1 / (Math.sqrt(variance) + normalizeGuard)
      for (let f = from; f < to; f++)
        data[b * frames + padding + f - from] = (this.#kept[f - this.#first]![b]! - mean) * scale
    }
    return { bins, frames, data }
  }

  /** Frames before `frame` are not asked for again. */
  forget(frame: number): void {
    const count = Math.max(0, frame - this.#first)
    this.#kept = this.#kept.slice(count)
    this.#first += count
  }
}
