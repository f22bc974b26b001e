/**
 * Reads or cuts the windows of sound that a rung is quantised with.
 *
 * With the windows of a `.npz` or `.npy` file, or else with windows cut from the recordings that ship with the project.
 * A file's windows must be as wide as the network's input, or may be cut to it when the caller says so; they are never
 * stretched.
 */
import { pickArray } from '../../../formats/tensors/pick-array.ts'
import { describe, type Tensor } from '../../../formats/tensors/tensor.ts'
import { readWav } from '../../../formats/wav/index.ts'
import { usageError } from '../../../base/errors.ts'
import { shippedMixtures } from '../pick-recording.ts'

/** Windows of sound to calibrate with. */
export interface Calibration {
  /** Where the windows come from, for the narrative. */
  readonly from: string
  /**
   * Up to `count` windows of `inputLen` samples.
   *
   * @throws RunbookError usage (bucket `calibration_shape`) when the file's windows do not fit
   */
  windows(inputLen: number, count: number): Float32Array[]
}

/**
 * Open calibration data.
 * @param o.path `.npz` (key `calib_data`, else the only array of floats) or `.npy`; the shipped recordings when it is
 *   undefined
 * @param o.lengthPolicy `error`: a window of another width is refused; `crop`: a wider one is cut
 * @throws RunbookError blocked when the file is absent; usage when it is empty, of another rank, type or scale, or
 *   holds NaN
 */
export async function openCalibration(o: {
  path?: string | undefined
  lengthPolicy: 'error' | 'crop'
}): Promise<Calibration> {
  if (o.path === undefined) return { from: 'the recordings that ship with Rungbook', windows: windowsOfRecordings() }
  const { count, width, data } = flatWindows(o.path, pickArray(o.path, 'calib_data'))
  return {
    from: `${o.path} (${count} windows of ${width} samples)`,
    windows(inputLen, wanted) {
      if (width < inputLen || (width > inputLen && o.lengthPolicy === 'error')) {
        throw usageError(
          `Unsupported calibration shape: expected (N, ${inputLen}), got (${count}, ${width}) from "${o.path}"`,
          width > inputLen
            ? 'cut the windows: monolithic-sweep --input-length-policy crop'
            : 'give windows as wide as the network: monolithic-sweep --calib-npz FILE',
        )
      }
      return Array.from({ length: Math.min(count, wanted) }, (_, i) => data.subarray(i * width, i * width + inputLen))
    },
  }
}

// WHY: sound may peak a little above full scale; samples on an integer scale lie thousands of times above.
// SOURCE: lib/systems/monolithic/search/calibration.test.ts
// CONTRACT: 24 dB over full scale is no sound on a scale of [-1, 1]; int8 measured on it passes and means nothing.
const soundMax = 16

/** (N,1,1,T), (N,1,T,1), (N,1,T) and (N,T), as rows of T. */
function flatWindows(path: string, tensor: Tensor): { count: number; width: number; data: Float32Array } {
  const [count = 0, ...rest] = tensor.shape
  const width = rest.reduce((product, n) => product * n, 1)
  const refuse = (state: string, hint: string) => usageError(`Cannot calibrate with "${path}": ${state}`, hint)
  if (rest.length < 1 || rest.length > 3 || rest.filter(n => n !== 1).length > 1) {
    throw refuse(
      `its shape is ${describe(tensor)}`,
      'save it as (N, samples), (N, 1, samples), (N, 1, 1, samples) or (N, 1, samples, 1)',
    )
  }
  if (!(tensor.data instanceof Float32Array) && !(tensor.data instanceof Float64Array)) {
    throw refuse(`it is ${describe(tensor)}`, 'save it as float32 in [-1, 1]')
  }
  if (count === 0 || width === 0) throw refuse('it is empty', 'give at least one window')
  const odd = tensor.data.findIndex(value => !Number.isFinite(value))
  if (odd >= 0)
    throw refuse(
      `window ${Math.floor(odd / width)}, sample ${odd % width} is ${tensor.data[odd]}`,
      'leave that window out',
    )
  if (!tensor.data.some(value => value !== 0)) throw refuse('it is silent', 'record windows with sound')
  const loud = tensor.data.findIndex(value => Math.abs(value) > soundMax)
  if (loud >= 0) {
    throw refuse(
      `window ${Math.floor(loud / width)}, sample ${loud % width} is ${tensor.data[loud]}, and sound lies in [-1, 1]`,
      'divide 16-bit samples by 32768 before they are saved: x.astype(np.float32) / 32768',
    )
  }
  return { count, width, data: tensor.data instanceof Float32Array ? tensor.data : Float32Array.from(tensor.data) }
}

/**
 * Windows at even steps over the shipped mixtures, one recording after the other in turn. The last fifth of them, which
 * the host keeps back to measure with, comes from the last quarter of the sound, and the others do not touch it (for
 * windows up to 1.5 s).
 */
function windowsOfRecordings(): Calibration['windows'] {
  return (inputLen, wanted) => {
    const mixtures = shippedMixtures().map(path => readWav(path).channels[0]!)
    const length = Math.min(...mixtures.map(mix => mix.length))
    const held = Math.max(1, Math.floor(wanted / 5))
    const quarter = Math.max(0, Math.min(Math.floor(length * 0.75), length - inputLen))
    const starts = [
      ...evenly(wanted - held, { from: 0, to: Math.max(0, quarter - inputLen) }),
      ...evenly(held, { from: quarter, to: length - inputLen }),
    ]
    const windows = starts.map((start, i) => mixtures[i % mixtures.length]!.subarray(start, start + inputLen))
    if (windows.every(window => window.length === inputLen)) return windows
    throw usageError(
      `Unsupported calibration shape: expected (N, ${inputLen}), but the shipped recordings have ${length} samples`,
      'give your own: monolithic-sweep --calib-npz FILE',
    )
  }
}

/** `count` whole numbers from `from` to `to`, both included. */
const evenly = (count: number, { from, to }: { from: number; to: number }): number[] =>
  Array.from({ length: count }, (_, i) => Math.floor(from + ((to - from) * i) / Math.max(1, count - 1)))
