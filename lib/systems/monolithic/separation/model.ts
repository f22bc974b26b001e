/**
 * How is this model fed, and what does it answer?
 *
 * Read from the shapes, because a HEF carries nothing else: a row of samples or a matrix of frames goes in, and audio
 * or
 * polyphase coefficients come out. An answer at the latent rate is refused: it is not sound at the model's sample rate.
 */
import { arrayOf, describe, sizeOf, type Tensor } from '../../../formats/tensors/tensor.ts'
import { usageError } from '../../../base/errors.ts'
import { listed, type Feeds, type TensorInfo } from '../../../infer/backend.ts'

export interface SeparationModel {
  readonly input: TensorInfo
  readonly output: TensorInfo
  readonly feed: 'samples' | 'frames'
  readonly answer: 'audio' | 'polyphase'
  readonly sources: number
  /** Frames that one window holds. */
  readonly widthFrames: number
  /** Samples that one window holds, `(widthFrames - 1) * stride`. */
  readonly widthSamples: number
  /** Zeros for the inputs that were not chosen; empty for a model with one input. */
  readonly zeros: Feeds
}

/** A kernel of `kernel` samples every `stride` samples. */
export interface Layout {
  readonly kernel: number
  readonly stride: number
}

/** More sources than anybody scores; a wider answer is something else than sources. */
const mostSources = 4

/**
 * Read the shapes of a model.
 * @param o.input, o.output names, needed where the model has several; an input that is not chosen is fed zeros
 * @throws usage naming streams and shapes when one is ambiguous, unknown, of an unfit or open shape, or at the latent
 * rate
 */
export function separationModel(
  model: { inputs: readonly TensorInfo[]; outputs: readonly TensorInfo[] },
  o: Layout & { input?: string | undefined; output?: string | undefined },
): SeparationModel {
  const input = select(model.inputs, 'input', o.input)
  const output = select(model.outputs, 'output', o.output)
  const others = model.inputs.filter(info => info !== input)
  for (const stream of [input, output, ...others]) refuseOpen(stream)
  const { feed, widthFrames, widthSamples } = feedOf(input, o)
  const { answer, sources } = answerOf(output, { layout: o, widthFrames, widthSamples })
  const zeros = Object.fromEntries(others.map(info => [info.name, zerosOf(info)]))
  return { input, output, feed, answer, sources, widthFrames, widthSamples, zeros }
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

/** Channels and width of a one-row tensor, `[1, C, 1, W]` or `[1, C, W]`; null for anything else. */
function oneRow(info: TensorInfo): { channels: number; width: number } | null {
  if (info.dtype !== 'float32') return null
  const shape = info.shape.length === 3 ? [info.shape[0], info.shape[1], 1, info.shape[2]] : info.shape
  const [n, channels, height, width] = shape
  if (shape.length !== 4 || n !== 1 || height !== 1 || typeof channels !== 'number' || typeof width !== 'number')
    return null
  return { channels, width }
}

function feedOf(
  input: TensorInfo,
  { kernel, stride }: Layout,
): Pick<SeparationModel, 'feed' | 'widthFrames' | 'widthSamples'> {
  const row = oneRow(input)
  if (row?.channels === 1 && row.width % stride === 0 && row.width > 0) {
    return { feed: 'samples', widthFrames: row.width / stride + 1, widthSamples: row.width }
  }
  if (row?.channels === kernel && row.width > 1) {
    return { feed: 'frames', widthFrames: row.width, widthSamples: (row.width - 1) * stride }
  }
  const multiple = row?.channels === 1 ? ` with a multiple of ${stride} samples` : ''
  throw usageError(
    `Cannot feed sound to "${input.name}" ${describe(input)}: expected float32[1, 1, 1, samples]${multiple} ` +
      `or float32[1, ${kernel}, 1, frames]`,
    'choose a model of the ladder, or another stream with --input',
  )
}

function answerOf(
  output: TensorInfo,
  o: { layout: Layout; widthFrames: number; widthSamples: number },
): Pick<SeparationModel, 'answer' | 'sources'> {
  const row = oneRow(output)
  const {
    layout: { kernel },
    widthFrames,
    widthSamples,
  } = o
  if (row && row.width === widthSamples && row.channels >= 1 && row.channels <= mostSources) {
    return { answer: 'audio', sources: row.channels }
  }
  const sources = row && row.width === widthFrames ? row.channels / kernel : 0
  if (Number.isInteger(sources) && sources >= 1 && sources <= mostSources) return { answer: 'polyphase', sources }
  if (row && row.width === widthFrames) {
    throw usageError(
      `Cannot write sound from "${output.name}" ${describe(output)}: it answers at the latent rate, ` +
        `${row.width} values for ${widthSamples} samples`,
      'compile it with --decoder polyphase, which answers at the audio rate',
    )
  }
  throw usageError(
    `Cannot read sources from "${output.name}" ${describe(output)}: expected float32[1, sources, ${widthSamples}] ` +
      `or float32[1, sources*${kernel}, 1, ${widthFrames}]`,
    'choose a model of the ladder, or another stream with --output',
  )
}
