/**
 * Authors a Whisper as Hailo's files have it: chunks of one length, sequences of one length, no cache.
 *
 * The encoder takes [1, mels, 1, frames] through two-dimensional convolutions of height 1. The decoder takes
 * embeddings, which the host looks up, and gives logits in parts, because one product with the whole vocabulary does
 * not compile. Source of the shapes: the HEFs that Hailo publishes and the conversion they came from.
 */
import { float32, type FloatTensor } from '../../formats/tensors/tensor.ts'
import type { ModelProto } from '../../formats/onnx/index.ts'
import { GraphBuilder } from '../../onnx/builder.ts'
import type { WhisperDims, WhisperWeights } from './dims.ts'
import { encoderBlocks, whisperOpset } from './encoder.ts'
import { int64, Layers, queryScale, transposed } from './layers.ts'

/** The fixed lengths. */
export interface FixedLengths {
  /** Mel frames of 10 ms in a chunk: 1000 or 500. */
  readonly chunkFrames: number
  /** Tokens of a sequence. */
  readonly sequence: number
  /** In how many parts the logits come; the last one takes what is left over. */
  readonly parts: number
}

/**
 * The encoder of form (b). Input `mel` float32 [1, mels, 1, chunkFrames]; output `hidden` [1, chunkFrames / 2, width].
 */
export function fixedEncoderGraph(
  dims: WhisperDims,
  weights: WhisperWeights,
  { chunkFrames }: FixedLengths,
): ModelProto {
  const graph = new GraphBuilder({ name: 'whisper_fixed_encoder', ...whisperOpset })
  const layers = new Layers(graph, { dims, weights, precision: 'float32' })
  const { mels, width } = dims
  const steps = chunkFrames / 2
  const mel = graph.input('mel', 'float32', [1, mels, 1, chunkFrames])
  const conv = (name: string, input: string, stride: number) => {
    const kernel = layers.tensor(`${name}.weight`)
    const [outputs, inputs, taps] = kernel.shape as [number, number, number]
    const weight = graph.weight(`${name}.weight`, float32([outputs, inputs, 1, taps], kernel.data))
    return graph.node('Conv', [input, weight, layers.weight(`${name}.bias`)], {
      name,
      attributes: { dilations: [1, 1], group: 1, kernel_shape: [1, 3], pads: [0, 1, 0, 1], strides: [1, stride] },
    })
  }
  const first = layers.gelu('encoder.gelu1', conv('encoder.conv1', mel, 1))
  const second = layers.gelu('encoder.gelu2', conv('encoder.conv2', first, 2))
  const shape = layers.constant('shape.flat', () => int64(1, width, steps))
  const flat = layers.op('Reshape', 'encoder.flat', [second, shape])
  const frames = layers.op('Transpose', 'encoder.frames', [flat], { perm: [0, 2, 1] })
  const positions = layers.constant('encoder.positions', () =>
    rowsOf(layers.tensor('encoder.positional_embedding'), steps),
  )
  graph.node('Identity', [encoderBlocks(layers, frames, positions)], { name: 'hidden', output: 'hidden' })
  graph.output('hidden', 'float32', [1, steps, width])
  return graph.build()
}

/**
 * The decoder of form (b). Inputs `hidden` float32 [1, chunkFrames / 2, width] and `embeddings` [1, sequence, width],
 * to which it adds the positions. Outputs `logits_0` … [1, sequence, vocabulary / parts].
 */
export function fixedDecoderGraph(dims: WhisperDims, weights: WhisperWeights, lengths: FixedLengths): ModelProto {
  const { chunkFrames, sequence, parts } = lengths
  const graph = new GraphBuilder({ name: 'whisper_fixed_decoder', ...whisperOpset })
  const layers = new Layers(graph, { dims, weights, precision: 'float32' })
  const hidden = graph.input('hidden', 'float32', [1, chunkFrames / 2, dims.width])
  const embeddings = graph.input('embeddings', 'float32', [1, sequence, dims.width])
  const positions = graph.weight('decoder.positions', rowsOf(layers.tensor('decoder.positional_embedding'), sequence))
  const mask = graph.weight('decoder.mask', causal(sequence))
  let stream = layers.op('Add', 'decoder.placed', [embeddings, positions])
  for (let i = 0; i < dims.decoderLayers; i++) {
    const name = `decoder.blocks.${i}`
    stream = attention(layers, { name: `${name}.attn`, stream, source: undefined, mask })
    stream = attention(layers, { name: `${name}.cross_attn`, stream, source: hidden, mask: undefined })
    stream = layers.feedForward(name, stream)
  }
  const normed = layers.norm('decoder.ln', stream)
  for (const [i, [from, to]] of partsOf(dims.vocabulary, parts).entries()) {
    const rows = rowsOf(layers.tensor('decoder.token_embedding.weight'), to, from)
    const weight = graph.weight(`decoder.part_${i}`, transposed(rows))
    graph.node('MatMul', [normed, weight], { name: `logits_${i}`, output: `logits_${i}` })
    graph.output(`logits_${i}`, 'float32', [1, sequence, to - from])
  }
  return graph.build()
}

/** Where each part of the vocabulary begins and ends. */
export function partsOf(vocabulary: number, parts: number): [from: number, to: number][] {
  const size = Math.floor(vocabulary / parts)
  return Array.from({ length: parts }, (_, i) => [i * size, i + 1 === parts ? vocabulary : (i + 1) * size])
}

interface AttentionPlace {
  readonly name: string
  readonly stream: string
  /** What is looked up; the stream itself unless given. */
  readonly source: string | undefined
  readonly mask: string | undefined
}

function attention(layers: Layers, { name, stream, source, mask }: AttentionPlace): string {
  const normed = layers.norm(`${name}_ln`, stream)
  const query = layers.split(`${name}.q`, layers.linear(`${name}.query`, normed, { scale: queryScale }))
  const key = layers.split(`${name}.k`, layers.linear(`${name}.key`, source ?? normed), { keys: true })
  const value = layers.split(`${name}.v`, layers.linear(`${name}.value`, source ?? normed))
  const scores = layers.op('MatMul', `${name}.scores`, [query, key])
  const seen = mask === undefined ? scores : layers.op('Add', `${name}.masked`, [scores, mask])
  const weights = layers.op('Softmax', `${name}.softmax`, [seen], { axis: -1 })
  const mixed = layers.merge(`${name}.mix`, layers.op('MatMul', `${name}.context`, [weights, value]))
  return layers.op('Add', `${name}.residual`, [stream, layers.linear(`${name}.out`, mixed)])
}

/** Far below every score, and finite, so that 8 bits can hold the sum. */
const forbidden = -1e4

function causal(time: number): FloatTensor {
  const mask = new Float32Array(time * time)
  for (let row = 0; row < time; row++) mask.fill(forbidden, row * time + row + 1, (row + 1) * time)
  return float32([time, time], mask)
}

/** Rows `from` to `to` of a matrix. */
function rowsOf({ shape, data }: FloatTensor, to: number, from = 0): FloatTensor {
  const columns = shape[1]!
  return float32([to - from, columns], data.slice(from * columns, to * columns))
}
