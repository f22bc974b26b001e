/**
 * Authors a Whisper's encoder: mel in, hidden states out, and the keys and values that the decoder will look up in
 * them.
 */
import type { ModelProto } from '../../formats/onnx/index.ts'
import { GraphBuilder } from '../../onnx/builder.ts'
import { headWidth, type WhisperDims, type WhisperWeights } from './dims.ts'
import { Layers, queryScale, type Precision } from './layers.ts'

/** The version of ONNX's operators in every graph of this room: the first with LayerNormalization. */
export const whisperOpset = { opset: 17, irVersion: 8 } as const

/**
 * The encoder of form (a), for 30 s.
 *
 * Input `mel` float32 [1, mels, 2 · audioContext]. Outputs `hidden` [1, audioContext, width], and for each decoder
 * layer i `cross_key_i` [1, heads, 64, audioContext] and `cross_value_i` [1, heads, audioContext, 64].
 */
export function encoderGraph(dims: WhisperDims, weights: WhisperWeights, precision: Precision = 'float32'): ModelProto {
  const graph = new GraphBuilder({ name: 'whisper_encoder', ...whisperOpset })
  const layers = new Layers(graph, { dims, weights, precision })
  const { mels, audioContext, heads, width } = dims
  const mel = graph.input('mel', 'float32', [1, mels, 2 * audioContext])
  const conv = (name: string, input: string, stride: number) =>
    graph.node('Conv', [input, layers.weight(`${name}.weight`), layers.weight(`${name}.bias`)], {
      name,
      attributes: { dilations: [1], group: 1, kernel_shape: [3], pads: [1, 1], strides: [stride] },
    })
  const first = layers.gelu('encoder.gelu1', conv('encoder.conv1', mel, 1))
  const second = layers.gelu('encoder.gelu2', conv('encoder.conv2', first, 2))
  const frames = layers.op('Transpose', 'encoder.frames', [second], { perm: [0, 2, 1] })
  const hidden = encoderBlocks(layers, frames)
  graph.node('Identity', [hidden], { name: 'hidden', output: 'hidden' })
  graph.output('hidden', 'float32', [1, audioContext, width])
  for (let i = 0; i < dims.decoderLayers; i++) crossKeys(layers, hidden, i)
  for (let i = 0; i < dims.decoderLayers; i++) {
    graph.output(`cross_key_${i}`, 'float32', [1, heads, headWidth, audioContext])
    graph.output(`cross_value_${i}`, 'float32', [1, heads, audioContext, headWidth])
  }
  return graph.build()
}

/** Positions, blocks and the last normalisation: [1, time, width] to [1, time, width]. */
export function encoderBlocks(
  layers: Layers,
  frames: string,
  positions = layers.weight('encoder.positional_embedding'),
) {
  let stream = layers.op('Add', 'encoder.positions', [frames, positions])
  for (let i = 0; i < layers.dims.encoderLayers; i++) {
    const name = `encoder.blocks.${i}`
    const normed = layers.norm(`${name}.attn_ln`, stream)
    const query = layers.split(`${name}.q`, layers.linear(`${name}.attn.query`, normed, { scale: queryScale }))
    const key = layers.split(`${name}.k`, layers.linear(`${name}.attn.key`, normed), { keys: true })
    const value = layers.split(`${name}.v`, layers.linear(`${name}.attn.value`, normed))
    const weights = layers.op('Softmax', `${name}.softmax`, [layers.op('MatMul', `${name}.scores`, [query, key])], {
      axis: -1,
    })
    const mixed = layers.merge(`${name}.mix`, layers.op('MatMul', `${name}.context`, [weights, value]))
    stream = layers.op('Add', `${name}.residual`, [stream, layers.linear(`${name}.attn.out`, mixed)])
    stream = layers.feedForward(name, stream)
  }
  return layers.norm('encoder.ln_post', stream)
}

/** What decoder layer `i` looks up in the hidden states, under the names of the outputs. */
function crossKeys(layers: Layers, hidden: string, i: number): void {
  const name = `decoder.blocks.${i}.cross_attn`
  const key = layers.split(`${name}.k`, layers.linear(`${name}.key`, hidden), { keys: true })
  const value = layers.split(`${name}.v`, layers.linear(`${name}.value`, hidden))
  layers.graph.node('Identity', [key], { name: `cross_key_${i}`, output: `cross_key_${i}` })
  layers.graph.node('Identity', [value], { name: `cross_value_${i}`, output: `cross_value_${i}` })
}
