/**
 * Authors predictor and joint in ONNX from the weights of a NeMo model.
 *
 * The predictor takes `y` [B, U] and the states `h`, `c` [layers, B, hidden] and gives `g` [B, U, hidden] and the next
 * states. The joint takes `encoder` [B, T, width] and `g` and gives `logits` [B, T, U, pieces + 1 + durations]. Two
 * more graphs split the joint for a hot loop: `projected` of all frames of a chunk at once, and what is left for each
 * step.
 */
import type { ModelProto } from '../../formats/onnx/index.ts'
import { float32, type FloatTensor } from '../../formats/tensors/tensor.ts'
import type { DecoderConfig } from './config.ts'
import { Net, type NetOptions } from './net.ts'

/**
 * The predictor.
 *
 * @throws RunbookError usage when a weight is absent
 */
export function authorPredictor(config: DecoderConfig, options: NetOptions): ModelProto {
  const { hidden, layers } = config
  const net = new Net(options)
  const y = net.graph.input('y', 'int64', ['batch', 'tokens'])
  const states = ['h', 'c'].map(name => net.graph.input(name, 'float32', [layers, 'batch', hidden]))
  const embedded = net.op('Gather', [net.weight('decoder.prediction.embed.weight'), y], { axis: 0 })
  let x = net.op('Transpose', [embedded], { perm: [1, 0, 2] })
  const ends: string[][] = [[], []]
  for (let i = 0; i < layers; i++) {
    const [h, c] = states.map(state => net.slice(state, 0, i, i + 1))
    const [all, last, cell] = ['all', 'h', 'c'].map(part => `lstm_${i}_${part}`)
    const inputs = [x, ...lstmWeights(net, config, i), '', h!, c!]
    net.split('LSTM', inputs, [all!, last!, cell!], { hidden_size: hidden })
    ends[0]!.push(last!)
    ends[1]!.push(cell!)
    x = net.op('Squeeze', [all!, net.ints([1])])
  }
  net.graph.node('Transpose', [x], { output: 'g', attributes: { perm: [1, 0, 2] } })
  net.graph.output('g', 'float32', ['batch', 'tokens', hidden])
  for (const [i, name] of ['h_out', 'c_out'].entries()) {
    net.graph.node('Concat', ends[i]!, { output: name, attributes: { axis: 0 } })
    net.graph.output(name, 'float32', [layers, 'batch', hidden])
  }
  return net.graph.build()
}

/** torch orders the gates input, forget, cell, output; ONNX input, output, forget, cell. */
const gates = [0, 3, 1, 2]

function lstmWeights(net: Net, { hidden }: DecoderConfig, layer: number): string[] {
  const prefix = 'decoder.prediction.dec_rnn.lstm'
  const ordered = ({ data }: FloatTensor) => {
    const part = data.length / 4
    const out = new Float32Array(data.length)
    for (const [to, from] of gates.entries()) out.set(data.subarray(from * part, (from + 1) * part), to * part)
    return out
  }
  const matrix = (kind: 'ih' | 'hh') =>
    net.once(`${prefix}.${kind}_l${layer}`, () => {
      const weight = net.weights.read(`${prefix}.weight_${kind}_l${layer}`)
      return float32([1, 4 * hidden, weight.shape[1]!], ordered(weight))
    })
  const bias = net.once(`${prefix}.bias_l${layer}`, () => {
    const both = ['ih', 'hh'].map(kind => ordered(net.weights.read(`${prefix}.bias_${kind}_l${layer}`)))
    return float32([1, 8 * hidden], Float32Array.from([...both[0]!, ...both[1]!]))
  })
  return [matrix('ih'), matrix('hh'), bias]
}

const activations = { relu: 'Relu', sigmoid: 'Sigmoid', tanh: 'Tanh' } as const

/**
 * The whole joint.
 *
 * @throws RunbookError usage when a weight is absent
 */
export function authorJoint(config: DecoderConfig, width: number, options: NetOptions): ModelProto {
  const net = new Net(options)
  const encoder = net.graph.input('encoder', 'float32', ['batch', 'frames', width])
  const g = net.graph.input('g', 'float32', ['batch', 'tokens', config.hidden])
  const frames = net.op('Unsqueeze', [net.linear(encoder, 'joint.enc'), net.ints([2])])
  const tokens = net.op('Unsqueeze', [net.linear(g, 'joint.pred'), net.ints([1])])
  logits(net, config, net.op('Add', [frames, tokens]), ['batch', 'frames', 'tokens'])
  return net.graph.build()
}

/** The joint's projection of the frames of a chunk: `encoder` [frames, width] to `projected` [frames, joint]. */
export function authorProjection(config: DecoderConfig, width: number, options: NetOptions): ModelProto {
  const net = new Net(options)
  const encoder = net.graph.input('encoder', 'float32', ['frames', width])
  net.graph.node('Identity', [net.linear(encoder, 'joint.enc')], { output: 'projected' })
  net.graph.output('projected', 'float32', ['frames', config.jointHidden])
  return net.graph.build()
}

/** What is left of the joint for each step: `projected` [frames, joint] and `g` [1, 1, hidden] to `logits`. */
export function authorJointStep(config: DecoderConfig, options: NetOptions): ModelProto {
  const net = new Net(options)
  const frames = net.graph.input('projected', 'float32', ['frames', config.jointHidden])
  const g = net.graph.input('g', 'float32', [1, 1, config.hidden])
  const token = net.reshape(net.linear(g, 'joint.pred'), [1, config.jointHidden])
  logits(net, config, net.op('Add', [frames, token]), ['frames'])
  return net.graph.build()
}

function logits(net: Net, { activation, vocabSize, durations }: DecoderConfig, sum: string, axes: string[]): void {
  const scores = net.linear(net.op(activations[activation], [sum]), 'joint.joint_net.2')
  net.graph.node('Identity', [scores], { output: 'logits' })
  net.graph.output('logits', 'float32', [...axes, vocabSize + 1 + durations.length])
}
