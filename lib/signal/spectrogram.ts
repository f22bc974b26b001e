/**
 * Computes a spectrogram: level over time and frequency, small enough to draw, for a sound of any length.
 *
 * Hann windows; where the sound has more windows than the picture has columns, a column shows the loudest of its
 * windows, so a click an hour in is still seen. Memory is the picture alone. Colours, axes and PNG are left to the
 * report.
 */
import { createRequire } from 'node:module'
import type FFT from 'fft.js'
import { usageError } from '../base/errors.ts'

/** Levels below this one are drawn as this one, dB relative to a full-scale sine. */
export const floorDb = -100

/** A picture of a sound. `db` is row-major [rows][columns]; row 0 is 0 Hz, the last row half the sample rate. */
export interface SpectrogramResult {
  columns: number
  rows: number
  /** dB relative to a sine of amplitude 1, never below `floorDb`; NaN where the sound held a NaN. */
  db: Float32Array
  secondsPerColumn: number
  hzPerRow: number
}

/**
 * Collects a spectrogram from blocks of any size. Column c covers the time from c to c + 1 times `secondsPerColumn`.
 */
export class Spectrogram {
  readonly #sampleRate: number
  readonly #fftSize: number
  readonly #hop: number
  readonly #windowsPerColumn: number
  readonly #columns: number
  readonly #totalSamples: number
  readonly #transform: Transform
  // The largest squared magnitude so far, column after column, so that one column lies together.
  readonly #power: Float64Array
  #held: Float32Array
  #windows = 0
  #samples = 0

  /**
   * @param o `sampleRate` in Hz; `totalSamples` that will be pushed; `maxColumns`, 1200 if not given; `fftSize` in
   *   samples, a power of two, 512 if not given.
   * @throws RunbookError usage when one of them is not a number that makes sense
   */
  constructor(o: { sampleRate: number; totalSamples: number; maxColumns?: number; fftSize?: number }) {
    const { sampleRate, totalSamples, maxColumns = 1200, fftSize = 512 } = o
    const whole =
      Number.isSafeInteger(totalSamples) && totalSamples >= 0 && Number.isInteger(maxColumns) && maxColumns >= 1
    if (!whole || !(sampleRate > 0) || !Number.isInteger(Math.log2(fftSize)) || fftSize < 16 || fftSize > 65_536) {
      throw usageError(
        `Cannot draw a spectrogram of "${totalSamples} samples at ${sampleRate} Hz": ${maxColumns} columns, ` +
          `window ${fftSize}`,
        'sample rate > 0, samples >= 0, columns >= 1, and a window that is a power of two from 16 to 65536',
      )
    }
    this.#sampleRate = sampleRate
    this.#fftSize = fftSize
    this.#totalSamples = totalSamples
    // Half a window is the widest step that a Hann window sees every sample with; an eighth is as fine as it can tell
    // apart.
    this.#hop = Math.min(fftSize / 2, Math.max(fftSize / 8, Math.ceil(totalSamples / maxColumns)))
    const windows = Math.ceil(totalSamples / this.#hop)
    this.#windowsPerColumn = Math.max(1, Math.ceil(windows / maxColumns))
    this.#columns = Math.ceil(windows / this.#windowsPerColumn)
    this.#power = new Float64Array(this.#columns * (fftSize / 2 + 1))
    this.#transform = transformOf(fftSize)
    // Zeros before the sound put the middle of each window in the middle of its step.
    this.#held = new Float32Array(((fftSize - this.#hop) / 2) | 0)
  }

  /** The next block. Pushing more than `totalSamples` is a bug and throws. */
  push(samples: Float32Array): void {
    this.#samples += samples.length
    if (this.#samples > this.#totalSamples) {
      throw new Error(`a spectrogram of ${this.#totalSamples} samples was pushed ${this.#samples}`)
    }
    this.#held = this.#consume(this.#held, samples)
  }

  /** The picture of all that was pushed so far; what is still to come is at the floor. May be asked for at any time. */
  result(): SpectrogramResult {
    const windows = this.#windows
    const power = this.#power.slice()
    this.#consume(this.#held, new Float32Array(this.#fftSize), Math.ceil(this.#samples / this.#hop), power)
    this.#windows = windows
    const [columns, rows] = [this.#columns, this.#fftSize / 2 + 1]
    const db = new Float32Array(rows * columns)
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        db[row * columns + column] = Math.max(floorDb, 10 * Math.log10(power[column * rows + row]!))
      }
    }
    const secondsPerColumn = (this.#hop * this.#windowsPerColumn) / this.#sampleRate
    return { columns, rows, db, secondsPerColumn, hzPerRow: this.#sampleRate / this.#fftSize }
  }

  // Takes every whole window out of what is held and what is new, and returns what is left.
  #consume(held: Float32Array, samples: Float32Array, limit = Infinity, power = this.#power): Float32Array {
    const input = new Float32Array(held.length + samples.length)
    input.set(held)
    input.set(samples, held.length)
    const rows = this.#fftSize / 2 + 1
    let at = 0
    for (; at + this.#fftSize <= input.length && this.#windows < limit; at += this.#hop) {
      const column = Math.floor(this.#windows++ / this.#windowsPerColumn)
      this.#transform(input, at, power.subarray(column * rows, (column + 1) * rows))
    }
    return input.slice(at)
  }
}

/** Raises each of `loudest` to the power of the window that begins at `at`, 1 being a sine of amplitude 1. */
type Transform = (input: Float32Array, at: number, loudest: Float64Array) => void

function transformOf(size: number): Transform {
  // Loaded here and not above, so that importing this file costs nothing.
  const Fourier = createRequire(import.meta.url)('fft.js') as typeof FFT
  const fft = new Fourier(size)
  const window = Float64Array.from({ length: size }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size))
  // A Hann window sums to half its size, and a real sine has half its amplitude at each of its two frequencies.
  const scale = (4 / size) ** 2
  const windowed: number[] = Array.from({ length: size }, () => 0)
  const spectrum: number[] = Array.from({ length: 2 * size }, () => 0)
  return (input, at, loudest) => {
    for (let i = 0; i < size; i++) windowed[i] = input[at + i]! * window[i]!
    fft.realTransform(spectrum, windowed)
    for (let row = 0; row < loudest.length; row++) {
      const edge = row === 0 || row === loudest.length - 1 ? 0.25 : 1
      loudest[row] = Math.max(loudest[row]!, edge * scale * (spectrum[2 * row]! ** 2 + spectrum[2 * row + 1]! ** 2))
    }
  }
}
