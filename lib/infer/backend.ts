/**
 * The face of an open model, the same over every runtime, and the check of what it is fed.
 *
 * `open.ts` opens one; the runtimes are in folders beside this file.
 */
import { describe, sizeOf, type Dtype, type Tensor } from '../formats/tensors/tensor.ts'
import { usageError } from '../base/errors.ts'

/** Input or output of an open model. A dimension that the model leaves open is its name, or `?` where it has none. */
export interface TensorInfo {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly (number | string)[]
}

/** Tensors by the name of the input. */
export type Feeds = Readonly<Record<string, Tensor>>
/** Tensors by the name of the output. */
export type Results = Readonly<Record<string, Tensor>>

/** What a device says of itself, for the evidence. What it cannot tell is null. */
export interface Vitals {
  /** The hottest of its sensors, in °C. */
  readonly temperatureC: number | null
  /** One measurement, in W. */
  readonly powerW: number | null
}

/** A model opened on some runtime. Shapes are fixed after open; results are views until the next `infer`. */
export interface Backend extends AsyncDisposable {
  readonly name: 'ort' | 'hailort' | 'tensorrt' | 'null'
  /** Which silicon answers: `cpu (ONNX Runtime 1.30.0)`. */
  readonly device: string
  readonly inputs: readonly TensorInfo[]
  readonly outputs: readonly TensorInfo[]
  /** Reading the file and opening the session, in ms; loading the runtime's own library is not in it. */
  readonly loadMs: number
  /** What is worth knowing of this file on this device, though it runs. */
  readonly warnings?: readonly string[]
  /**
   * Only where the runtime can ask its device.
   *
   * @throws RunbookError as `infer`
   */
  vitals?(): Promise<Vitals>
  /**
   * Run the model on a worker thread.
   *
   * @throws RunbookError usage for a feed of the wrong name, shape or type, or with NaN in it; fail when the runtime
   *   cannot do it
   * @throws Error after the model was closed
   */
  infer(feeds: Feeds): Promise<Results>
  /**
   * Run the model on this thread, for hot loops; only where the runtime can do it in this process.
   *
   * @throws RunbookError as `infer`
   * @throws Error after the model was closed, and while another question is under way in every slot
   */
  inferSync?(feeds: Feeds): Results
}

/** Where the first NaN or infinity stands, or -1. A plain loop: twelve times as fast as `every(Number.isFinite)`. */
export function indexOfNonFinite(values: Float32Array | Float64Array): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i
  return -1
}

/** The bits of the exponent of a float16; all of them set mean NaN or infinity. */
const halfExponent = 0x7c00

function oddIn({ dtype, data }: Tensor): number {
  if (data instanceof Float32Array || data instanceof Float64Array) return indexOfNonFinite(data)
  return dtype === 'float16' ? (data as Uint16Array).findIndex(half => (half & halfExponent) === halfExponent) : -1
}

/** `mix float32[1, 1, 1, 16000], gain float32[1]`, as an error lists them. */
export const listed = (streams: readonly TensorInfo[]): string =>
  streams.map(stream => `${stream.name} ${describe(stream)}`).join(', ')

/**
 * Check feeds against a model's inputs.
 *
 * @throws RunbookError usage, naming the input and both shapes
 */
export function checkFeeds(feeds: Feeds, inputs: readonly TensorInfo[]): void {
  for (const name of Object.keys(feeds)) {
    if (inputs.some(info => info.name === name)) continue
    throw usageError(`Cannot feed "${name}": the model takes ${listed(inputs)}`, 'check the name')
  }
  for (const info of inputs) {
    const feed = feeds[info.name]
    if (!feed)
      throw usageError(`Cannot infer without "${info.name}": the model takes ${listed(inputs)}`, 'feed every input')
    const fits =
      feed.dtype === info.dtype &&
      feed.shape.length === info.shape.length &&
      info.shape.every((n, axis) => typeof n === 'string' || n === feed.shape[axis])
    if (!fits || feed.data.length !== sizeOf(feed.shape)) {
      const given = `${describe(feed)}${fits ? ` with ${feed.data.length} values` : ''}`
      throw usageError(
        `Cannot feed ${given} to "${info.name}": it takes ${describe(info)}`,
        'check the shape and the type',
      )
    }
    const odd = oddIn(feed)
    if (odd < 0) continue
    const state = `value ${odd} is ${feed.dtype === 'float16' ? 'NaN or infinite' : feed.data[odd]}`
    throw usageError(`Cannot feed "${info.name}": ${state}`, 'look for silence divided by silence, or a broken file')
  }
}
