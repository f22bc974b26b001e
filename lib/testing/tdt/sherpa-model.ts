/**
 * Writes one seeded model twice: for sherpa-onnx, and as a folder of ours. The encoder ignores what it hears, so both
 * decoders get the same frames although their features differ.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodeModel, type ModelProto } from '../../formats/onnx/index.ts'
import { float32 } from '../../formats/tensors/tensor.ts'
import { makeFolder } from '../../host/files.ts'
import type { TdtConfig } from '../../models/tdt/config.ts'
import { Net, type WeightSource } from '../../models/tdt/net.ts'
import { GraphBuilder } from '../../onnx/builder.ts'

/** Where the files of sherpa-onnx lie. */
export interface SherpaFiles {
  readonly encoder: string
  readonly decoder: string
  readonly joiner: string
  readonly tokens: string
}

/** Write the model for sherpa-onnx, with its metadata and its names. One LSTM layer. */
export function writeSherpaModel(
  folder: string,
  {
    config,
    weights,
    pieces,
    seed,
  }: { config: TdtConfig; weights: WeightSource; pieces: readonly string[]; seed: number },
): SherpaFiles {
  makeFolder(folder)
  const files = {
    encoder: join(folder, 'encoder.onnx'),
    decoder: join(folder, 'decoder.onnx'),
    joiner: join(folder, 'joiner.onnx'),
    tokens: join(folder, 'tokens.txt'),
  }
  writeFileSync(files.encoder, encodeModel(positionEncoder(config, seed)))
  writeFileSync(files.decoder, encodeModel(sherpaDecoder(config, weights)))
  writeFileSync(files.joiner, encodeModel(sherpaJoiner(config, weights)))
  writeFileSync(files.tokens, [...pieces, '<blk>'].map((piece, id) => `${piece} ${id}\n`).join(''))
  return files
}

/** Frames that depend on their place alone: sines of the frame's number, with seeded rates. */
export function positionEncoder({ encoder, decoder }: TdtConfig, seed: number): ModelProto {
  const metadata = {
    vocab_size: String(decoder.vocabSize),
    normalize_type: 'per_feature',
    pred_rnn_layers: String(decoder.layers),
    pred_hidden: String(decoder.hidden),
    subsampling_factor: '8',
    feat_dim: '128',
    model_type: 'EncDecRNNTBPEModel',
    url: 'a seeded tdt model',
  }
  const graph = new GraphBuilder({ name: 'encoder', opset: 17, irVersion: 8, metadata })
  const constant = (name: string, ...values: number[]) =>
    graph.weight(name, { dtype: 'int64', shape: [values.length], data: BigInt64Array.from(values, BigInt) })
  const audio = graph.input('audio_signal', 'float32', ['batch', encoder.featIn, 'frames'])
  const length = graph.input('length', 'int64', ['batch'])
  const silent = graph.node('Mul', [audio, graph.weight('zero', float32([], [0]))])
  const sums = graph.node('ReduceMean', [silent], { attributes: { axes: [1], keepdims: 1 } })
  const bounds = [
    constant('from', 0),
    constant('to', Number.MAX_SAFE_INTEGER),
    constant('axis', 2),
    constant('step', 8),
  ]
  const every = graph.node('Slice', [sums, ...bounds])
  const ones = graph.node('Add', [every, graph.weight('one', float32([], [1]))])
  const places = graph.node('CumSum', [
    ones,
    graph.weight('axis2', { dtype: 'int64', shape: [], data: BigInt64Array.of(2n) }),
  ])
  const rates = Float32Array.from(
    { length: encoder.width },
    (_, i) => 0.3 + 1.1 * Math.abs(Math.sin((seed + 1) * 12.9898 + i * 78.233)),
  )
  const angles = graph.node('Mul', [places, graph.weight('rates', float32([1, encoder.width, 1], rates))])
  const waves = graph.node('Sin', [angles])
  graph.node('Mul', [waves, graph.weight('size', float32([], [1.4]))], { output: 'outputs' })
  graph.output('outputs', 'float32', ['batch', encoder.width, 'encoded'])
  const rounded = graph.node('Add', [
    length,
    graph.weight('seven', { dtype: 'int64', shape: [], data: BigInt64Array.of(7n) }),
  ])
  const eight = graph.weight('eight', { dtype: 'int64', shape: [], data: BigInt64Array.of(8n) })
  graph.node('Div', [rounded, eight], { output: 'encoded_lengths' })
  graph.output('encoded_lengths', 'int64', ['batch'])
  return graph.build()
}

function sherpaDecoder({ decoder }: TdtConfig, weights: WeightSource): ModelProto {
  const { hidden, layers } = decoder
  const net = new Net({ name: 'decoder', weights })
  const { graph } = net
  const targets = graph.input('targets', 'int32', ['batch', 'tokens'])
  const length = graph.input('target_length', 'int32', ['batch'])
  const states = ['states.1', 'onnx::LSTM_3'].map(name => graph.input(name, 'float32', [layers, 'batch', hidden]))
  const embedded = net.op('Gather', [net.weight('decoder.prediction.embed.weight'), targets], { axis: 0 })
  let x = net.op('Transpose', [embedded], { perm: [1, 0, 2] })
  const ends: string[][] = [[], []]
  for (let layer = 0; layer < layers; layer++) {
    const [h, c] = states.map(state => net.slice(state, 0, layer, layer + 1))
    const [all, last, cell] = ['all', 'last', 'cell'].map(name => `${name}_${layer}`)
    const inputs = [x, ...lstmWeights(net, hidden, layer), '', h!, c!]
    net.split('LSTM', inputs, [all!, last!, cell!], { hidden_size: hidden })
    ends[0]!.push(last!)
    ends[1]!.push(cell!)
    x = net.op('Squeeze', [all!, net.ints([1])])
  }
  graph.node('Transpose', [x], { output: 'outputs', attributes: { perm: [1, 2, 0] } })
  graph.output('outputs', 'float32', ['batch', hidden, 'tokens'])
  graph.node('Identity', [length], { output: 'prednet_lengths' })
  graph.output('prednet_lengths', 'int32', ['batch'])
  for (const [i, name] of ['states', '74'].entries()) {
    graph.node('Concat', ends[i]!, { output: name, attributes: { axis: 0 } })
    graph.output(name, 'float32', [layers, 'batch', hidden])
  }
  return graph.build()
}

/** torch orders the gates input, forget, cell, output; ONNX input, output, forget, cell. */
function lstmWeights({ graph, weights }: Net, hidden: number, layer: number): string[] {
  const ordered = (name: string) => {
    const { data } = weights.read(`decoder.prediction.dec_rnn.lstm.${name}_l${layer}`)
    const part = data.length / 4
    const out = new Float32Array(data.length)
    for (const [to, from] of [0, 3, 1, 2].entries()) out.set(data.subarray(from * part, (from + 1) * part), to * part)
    return out
  }
  const biases = new Float32Array(8 * hidden)
  biases.set(ordered('bias_ih'))
  biases.set(ordered('bias_hh'), 4 * hidden)
  return [
    graph.weight(`w_${layer}`, float32([1, 4 * hidden, hidden], ordered('weight_ih'))),
    graph.weight(`r_${layer}`, float32([1, 4 * hidden, hidden], ordered('weight_hh'))),
    graph.weight(`b_${layer}`, float32([1, 8 * hidden], biases)),
  ]
}

function sherpaJoiner({ encoder, decoder }: TdtConfig, weights: WeightSource): ModelProto {
  const net = new Net({ name: 'joiner', weights })
  const { graph } = net
  const rows = (name: string, depth: number, axis: number, prefix: string) => {
    const input = graph.input(name, 'float32', ['batch', depth, `${name}_frames`])
    const linear = net.linear(net.op('Transpose', [input], { perm: [0, 2, 1] }), prefix)
    return net.op('Unsqueeze', [linear, net.ints([axis])])
  }
  const frames = rows('encoder_outputs', encoder.width, 2, 'joint.enc')
  const tokens = rows('decoder_outputs', decoder.hidden, 1, 'joint.pred')
  const scores = net.linear(net.op('Relu', [net.op('Add', [frames, tokens])]), 'joint.joint_net.2')
  graph.node('Identity', [scores], { output: 'outputs' })
  graph.output('outputs', 'float32', ['batch', 'frames', 'tokens', decoder.vocabSize + 1 + decoder.durations.length])
  return graph.build()
}
