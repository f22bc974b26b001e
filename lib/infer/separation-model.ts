/**
 * How is this model fed, and what does it answer?
 *
 * Read from the shapes, because a HEF carries nothing else: a row of samples or a matrix of frames goes in, and audio, polyphase
 * coefficients or latent frames come out. An answer at the latent rate is refused: it is not sound at the model's sample rate.
 */
import { describe } from '../formats/tensor.ts'
import { usageError } from '../notebook/errors.ts'
import type { TensorInfo } from './backend.ts'

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
}

export interface Layout {
  readonly kernel: number
  readonly stride: number
}

/**
 * Read the shapes of a model.
 * @param o.input, o.output names, needed where the model has several
 * @throws usage naming every stream and its shape when one is ambiguous, unknown, of an unfit shape, or at the latent rate
 */
export function separationModel(
  model: { inputs: readonly TensorInfo[]; outputs: readonly TensorInfo[] },
  o: Layout & { input?: string | undefined; output?: string | undefined },
): SeparationModel {
  const input = select(model.inputs, 'input', o.input)
  const output = select(model.outputs, 'output', o.output)
  const { feed, widthFrames, widthSamples } = feedOf(input, o)
  const { answer, sources } = answerOf(output, { layout: o, widthFrames, widthSamples })
  return { input, output, feed, answer, sources, widthFrames, widthSamples }
}

const listed = (streams: readonly TensorInfo[]) => streams.map(stream => `${stream.name} ${describe(stream)}`).join(', ')

function select(streams: readonly TensorInfo[], kind: 'input' | 'output', wanted: string | undefined): TensorInfo {
  const found = wanted === undefined ? streams : streams.filter(stream => stream.name === wanted)
  if (found.length === 1) return found[0]!
  const state = wanted === undefined ? `the model has ${streams.length} ${kind}s` : `there is no ${kind} "${wanted}"`
  throw usageError(`Cannot choose the ${kind} stream: ${state}: ${listed(streams)}`, `give --${kind} ${streams[0]?.name ?? '<name>'}`)
}

/** Channels and width of a one-row tensor, `[1, C, 1, W]` or `[1, C, W]`; null for anything else. */
function oneRow(info: TensorInfo): { channels: number; width: number } | null {
  const shape = info.shape.length === 3 ? [info.shape[0], info.shape[1], 1, info.shape[2]] : info.shape
  const [n, channels, height, width] = shape
  if (shape.length !== 4 || n !== 1 || height !== 1 || typeof channels !== 'number' || typeof width !== 'number') return null
  return { channels, width }
}

function feedOf(input: TensorInfo, { kernel, stride }: Layout): Pick<SeparationModel, 'feed' | 'widthFrames' | 'widthSamples'> {
  const row = input.dtype === 'float32' ? oneRow(input) : null
  if (row?.channels === 1 && row.width % stride === 0 && row.width > 0) return { feed: 'samples', widthFrames: row.width / stride + 1, widthSamples: row.width }
  if (row?.channels === kernel && row.width > 1) return { feed: 'frames', widthFrames: row.width, widthSamples: (row.width - 1) * stride }
  throw usageError(
    `Cannot feed sound to "${input.name}" ${describe(input)}: expected float32[1, 1, 1, samples] or float32[1, ${kernel}, 1, frames]`,
    'choose a model of the ladder, or another stream with --input',
  )
}

function answerOf(output: TensorInfo, o: { layout: Layout; widthFrames: number; widthSamples: number }): Pick<SeparationModel, 'answer' | 'sources'> {
  const row = output.dtype === 'float32' ? oneRow(output) : null
  const { kernel } = o.layout
  if (row && row.width === o.widthSamples && row.channels <= 4) return { answer: 'audio', sources: row.channels }
  if (row && row.width === o.widthFrames && row.channels % kernel === 0 && row.channels <= 4 * kernel) return { answer: 'polyphase', sources: row.channels / kernel }
  if (row && row.width === o.widthFrames) {
    throw usageError(
      `Cannot write sound from "${output.name}" ${describe(output)}: it answers at the latent rate, ${row.width} values for ${o.widthSamples} samples`,
      'compile it with --decoder polyphase, which answers at the audio rate',
    )
  }
  throw usageError(
    `Cannot read sources from "${output.name}" ${describe(output)}: expected float32[1, sources, ${o.widthSamples}] or float32[1, sources*${kernel}, 1, ${o.widthFrames}]`,
    'choose a model of the ladder, or another stream with --output',
  )
}
