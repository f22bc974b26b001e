/**
 * Reads from a model's shapes how it is fed and what it answers.
 *
 * A HEF carries nothing else. A row of samples or a matrix of frames goes in; audio comes out, or polyphase
 * coefficients that are still to be added up. An answer at the latent rate is refused: it is not sound at the model's
 * sample rate.
 */
import { usageError } from '../../../base/errors.ts'
import { arrayOf, describe, sizeOf, type Tensor } from '../../../formats/tensors/tensor.ts'
import { listed, type Feeds, type Results, type TensorInfo } from '../../../infer/backend.ts'

/** A kernel of `kernel` samples every `stride` samples. */
export interface Layout {
  readonly kernel: number
  readonly stride: number
}

/** How a model of fixed shapes separates one window. */
export interface SeparationModel {
  readonly input: TensorInfo
  /** One stream that holds every source, or one stream for each. */
  readonly outputs: readonly TensorInfo[]
  readonly feed: 'samples' | 'frames'
  readonly answer: 'audio' | 'polyphase'
  readonly sources: number
  readonly layout: Layout
  /** Frames that one window holds. */
  readonly widthFrames: number
  /** Samples that one window holds, `(widthFrames - 1) * stride`. */
  readonly widthSamples: number
  /** Zeros for the inputs that were not chosen; empty for a model with one input. */
  readonly zeros: Feeds
}

/** What is known of a model beside its shapes. */
export interface ModelChoice {
  /** Undefined where neither the file nor the person says: the shapes then tell. */
  readonly layout?: Layout | undefined
  /** Names, needed where the model has several; an input that is not chosen is fed zeros. */
  readonly input?: string | undefined
  readonly output?: string | undefined
}

/** More sources than anybody scores; a wider answer is something else than sources. */
const mostSources = 4

/**
 * Tiles of a model whose stride nobody tells begin at multiples of this many samples, or of the largest power of two
 * below it that divides the window: the strides of networks are powers of two.
 */
const widestStride = 256

/**
 * Read the shapes of a model.
 * @throws RunbookError usage naming streams and shapes when one is ambiguous, unknown, of an unfit or open shape, or at
 *   the latent rate
 */
export function separationModel(
  model: { inputs: readonly TensorInfo[]; outputs: readonly TensorInfo[] },
  choice: ModelChoice = {},
): SeparationModel {
  const input = select(model.inputs, 'input', choice.input)
  const outputs = sourceStreams(model.outputs, choice.output) ?? [select(model.outputs, 'output', choice.output)]
  const others = model.inputs.filter(info => info !== input)
  for (const stream of [input, ...outputs, ...others]) refuseOpen(stream)
  const layout = choice.layout ?? layoutOf(input, outputs)
  const { feed, widthFrames, widthSamples } = feedOf(input, layout)
  const { answer, sources } = answerOf(outputs, { layout, widthFrames, widthSamples })
  const zeros = Object.fromEntries(others.map(info => [info.name, zerosOf(info)]))
  return { input, outputs, feed, answer, sources, layout, widthFrames, widthSamples, zeros }
}

/** Several outputs of one row each are the sources, one a stream; null when they are not. */
function sourceStreams(outputs: readonly TensorInfo[], wanted: string | undefined): readonly TensorInfo[] | null {
  if (wanted !== undefined || outputs.length < 2 || outputs.length > mostSources) return null
  const shapes = new Set(outputs.map(({ shape }) => shape.join()))
  return shapes.size === 1 && outputs.every(info => rowOf(info)?.rows === 1) ? outputs : null
}

function select(streams: readonly TensorInfo[], kind: 'input' | 'output', wanted: string | undefined): TensorInfo {
  const found = wanted === undefined ? streams : streams.filter(stream => stream.name === wanted)
  if (found.length === 1) return found[0]!
  const state = wanted === undefined ? `the model has ${streams.length} ${kind}s` : `there is no ${kind} "${wanted}"`
  const rest = kind === 'input' && streams.length > 1 ? '; the others are fed zeros' : ''
  const hint = `give --${kind} ${streams.map(({ name }) => name).join('|')}${rest}`
  throw usageError(`Cannot choose the ${kind} stream: ${state}: ${listed(streams)}`, hint)
}

/** A window must have one size: the tiling and the device's buffers both need it. */
function refuseOpen(stream: TensorInfo): void {
  const open = stream.shape.find(n => typeof n === 'string')
  if (open === undefined) return
  throw usageError(
    `Cannot cut windows for "${stream.name}" ${describe(stream)}: its dimension "${open}" is open`,
    'export the model with fixed shapes, float32[1, 1, 1, 16000] for example',
  )
}

function zerosOf(stream: TensorInfo): Tensor {
  const shape = stream.shape.map(Number)
  return { dtype: stream.dtype, shape, data: new arrayOf[stream.dtype](sizeOf(shape)) }
}

/**
 * Rows and columns of a tensor that holds one matrix: `[1, C, 1, W]`, `[1, C, W]`, `[C, W]` and `[W]`; null for
 * anything else.
 */
function rowOf(info: TensorInfo): { rows: number; width: number | string } | null {
  const { shape } = info
  if (info.dtype !== 'float32' || shape.length < 1 || shape.length > 4) return null
  const [width, rows] = [shape.at(-1)!, shape.length > 2 ? shape[1]! : shape.length === 2 ? shape[0]! : 1]
  const isBatch = shape.length > 2 && shape[0] !== 1
  const isPicture = shape.length === 4 && shape[2] !== 1
  return isBatch || isPicture || typeof rows !== 'number' ? null : { rows, width }
}

/** The same with every dimension a number. */
function matrixOf(info: TensorInfo): { rows: number; width: number } | null {
  const row = rowOf(info)
  return row !== null && typeof row.width === 'number' ? { rows: row.rows, width: row.width } : null
}

/** The layout that the shapes allow, for a kernel of two strides; a stride of audio in and out is only bounded. */
function layoutOf(input: TensorInfo, outputs: readonly TensorInfo[]): Layout {
  const [into, out] = [matrixOf(input), matrixOf(outputs[0]!)]
  const strideOf = (stride: number): Layout => ({ kernel: 2 * stride, stride })
  if (into === null || into.rows === 0) return strideOf(1)
  if (into.rows === 2) {
    throw usageError(
      `Cannot feed sound to "${input.name}" ${describe(input)}: it takes two channels, and a recording is mixed to one`,
      'export the model for one channel, float32[1, 1, 16000]; or monolithic-infer --kernel 2 where its rows are taps',
    )
  }
  if (into.rows > 1) return strideOf(into.rows / 2)
  if (out !== null && outputs.length === 1 && out.width < into.width && out.width > 1) {
    return strideOf(Math.max(1, Math.round(into.width / (out.width - 1))))
  }
  let stride = widestStride
  while (into.width % stride !== 0) stride /= 2
  return strideOf(stride)
}

function feedOf(
  input: TensorInfo,
  { kernel, stride }: Layout,
): Pick<SeparationModel, 'feed' | 'widthFrames' | 'widthSamples'> {
  const matrix = matrixOf(input)
  if (matrix?.rows === 1 && matrix.width % stride === 0 && matrix.width > 0) {
    return { feed: 'samples', widthFrames: matrix.width / stride + 1, widthSamples: matrix.width }
  }
  if (matrix?.rows === kernel && matrix.width > 1) {
    return { feed: 'frames', widthFrames: matrix.width, widthSamples: (matrix.width - 1) * stride }
  }
  const multiple = matrix?.rows === 1 ? ` with a multiple of ${stride} samples` : ''
  throw usageError(
    `Cannot feed sound to "${input.name}" ${describe(input)}: expected float32[1, 1, 1, samples]${multiple} ` +
      `or float32[1, ${kernel}, 1, frames]`,
    'choose another stream (monolithic-infer --input), or export the model with one row of samples',
  )
}

function answerOf(
  outputs: readonly TensorInfo[],
  o: { layout: Layout; widthFrames: number; widthSamples: number },
): Pick<SeparationModel, 'answer' | 'sources'> {
  const output = outputs[0]!
  const matrix = matrixOf(output)
  const { layout, widthFrames, widthSamples } = o
  if (matrix && matrix.width === widthSamples && matrix.rows >= 1 && matrix.rows * outputs.length <= mostSources) {
    return { answer: 'audio', sources: matrix.rows * outputs.length }
  }
  const sources = matrix && matrix.width === widthFrames ? matrix.rows / layout.kernel : 0
  if (Number.isInteger(sources) && sources >= 1 && sources <= mostSources) return { answer: 'polyphase', sources }
  if (matrix && matrix.width === widthFrames) {
    throw usageError(
      `Cannot write sound from "${output.name}" ${describe(output)}: it answers at the latent rate, ` +
        `${matrix.width} values for ${widthSamples} samples`,
      'compile it with monolithic-sweep --decoder polyphase, which answers at the audio rate',
    )
  }
  throw usageError(
    `Cannot read sources from "${output.name}" ${describe(output)}: expected float32[1, sources, ${widthSamples}] ` +
      `or float32[1, sources*${layout.kernel}, 1, ${widthFrames}]`,
    'choose another stream (monolithic-infer --output), or export the model with as many samples out as in',
  )
}

/** All sources of one window as one array, one source after the other, from the answers of one or several streams. */
export function joinedAnswer({ outputs }: SeparationModel, results: Results): Float32Array {
  const arrays = outputs.map(({ name }) => results[name]!.data as Float32Array)
  if (arrays.length === 1) return arrays[0]!
  const all = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const array of arrays) {
    all.set(array, at)
    at += array.length
  }
  return all
}
