/**
 * Authors NeMo's front end in ONNX: from samples to normalised log-mel features.
 *
 * Windows and transform are one matrix, the filterbank another, both in float64 as our own front end computes, so that
 * the two agree to the last digits of float32. Names are those of the preprocessors of `onnx-asr`.
 */
import type { ModelProto } from '../../formats/onnx/index.ts'
import type { Tensor } from '../../formats/tensors/tensor.ts'
import { slaneyFilterbank } from '../../signal/mel/filterbank.ts'
import type { NemoMelOptions } from '../../signal/mel/nemo.ts'
import { Net, type NetOptions, type WeightSource } from './net.ts'

const double = 11

/**
 * `waveforms` [B, N] and `waveforms_lens` [B] to `features` [B, bins, 1 + N / hop] and `features_lens` [B]. Frames that
 * do not count are zero, and samples behind a length are not heard.
 * @throws RunbookError usage when the filterbank's sizes make no sense
 */
export function authorPreprocessor(options: NemoMelOptions, o: Omit<NetOptions, 'weights'>): ModelProto {
  const net = new Net({ ...o, weights: noWeights })
  const waveforms = net.graph.input('waveforms', 'float32', ['batch', 'samples'])
  const lengths = net.graph.input('waveforms_lens', 'int64', ['batch'])
  const log = logMel(net, options, emphasised(net, options, waveforms, lengths), net.dim(waveforms, 1))
  const valid = net.op('Div', [lengths, net.ints(options.hopSamples)])
  const counts = net.op('Unsqueeze', [
    net.op('Less', [net.range(net.dim(log, 2)), net.op('Unsqueeze', [valid, net.ints([1])])]),
    net.ints([1]),
  ])
  const zero = scalar(net, 0)
  const scaled = options.normalize === 'none' ? log : normalised(net, options, { log, counts, valid, zero })
  const kept = net.op('Where', [counts, scaled, zero])
  net.graph.node('Cast', [kept], { output: 'features', attributes: { to: 1 } })
  net.graph.output('features', 'float32', ['batch', options.bins, 'frames'])
  net.graph.node('Identity', [valid], { output: 'features_lens' })
  net.graph.output('features_lens', 'int64', ['batch'])
  return net.graph.build()
}

const noWeights: WeightSource = {
  has: () => false,
  read: name => {
    throw new Error(`the front end has no weight "${name}"`)
  },
}
const scalar = (net: Net, value: number) =>
  net.once(`double_${String(value).replaceAll(/[^0-9a-z]/gi, '_')}`, () => doubles([], [value]))
const doubles = (shape: readonly number[], values: ArrayLike<number>): Tensor => ({
  dtype: 'float64',
  shape,
  data: Float64Array.from(values),
})

/** Each sample less a share of the one before, in float32 as NeMo has it; zero behind the length. */
function emphasised(net: Net, { preemphasis }: NemoMelOptions, waveforms: string, lengths: string): string {
  const shape = net.op('Concat', [net.dim(waveforms, 0), net.ints([1])], { axis: 0 })
  const silent = net.op('ConstantOfShape', [shape])
  const before = net.op('Concat', [silent, net.slice(waveforms, 1, 0, -1)], { axis: 1 })
  const sharp = net.op('Sub', [waveforms, net.op('Mul', [before, net.float(preemphasis)])])
  const heard = net.op('Less', [net.range(net.dim(waveforms, 1)), net.op('Unsqueeze', [lengths, net.ints([1])])])
  return net.op('Where', [heard, sharp, net.float(0)])
}

/** [B, bins, frames] in float64. Half a window of zeros stands on both sides of the sound. */
function logMel(net: Net, options: NemoMelOptions, sound: string, samples: string): string {
  const { windowSamples, hopSamples, logGuard } = options
  const half = Math.floor(windowSamples / 2)
  const pads = net.ints([0, half, 0, windowSamples - half])
  const padded = net.op('Cast', [net.op('Pad', [sound, pads])], { to: double })
  const frames = net.op('Add', [net.op('Div', [samples, net.ints(hopSamples)]), net.ints([1])])
  const starts = net.op('Mul', [net.range(frames), net.ints(hopSamples)])
  const places = net.op('Add', [net.op('Unsqueeze', [starts, net.ints([1])]), net.range(net.ints([windowSamples]))])
  const framed = net.op('Gather', [padded, places], { axis: 1 })
  const parts = net.op('MatMul', [framed, net.once('transform', () => transform(options))])
  const mel = net.op('MatMul', [net.op('Mul', [parts, parts]), net.once('filterbank', () => filterbank(options))])
  const log = net.op('Log', [net.op('Add', [mel, scalar(net, logGuard)])])
  return net.op('Transpose', [log], { perm: [0, 2, 1] })
}

/** Windowed cosines and sines: [window, 2 · (fft / 2 + 1)]. */
function transform({ windowSamples, fftSize }: NemoMelOptions): Tensor {
  const rows = fftSize / 2 + 1
  const values = new Float64Array(windowSamples * 2 * rows)
  for (let i = 0; i < windowSamples; i++) {
    const weight = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (windowSamples - 1))
    for (let k = 0; k < rows; k++) {
      const angle = (2 * Math.PI * ((k * i) % fftSize)) / fftSize
      values[i * 2 * rows + k] = weight * Math.cos(angle)
      values[i * 2 * rows + rows + k] = weight * Math.sin(angle)
    }
  }
  return doubles([windowSamples, 2 * rows], values)
}

/** The triangles for the squares of cosines and of sines: [2 · (fft / 2 + 1), bins]. */
function filterbank({ sampleRate, fftSize, bins }: NemoMelOptions): Tensor {
  const bank = slaneyFilterbank({ sampleRate, fftSize, bins, minHz: 0, maxHz: sampleRate / 2 })
  const values = new Float64Array(2 * bank.rows * bins)
  for (let bin = 0; bin < bins; bin++)
    for (let i = bank.offset[bin]!; i < bank.offset[bin + 1]!; i++) {
      const row = bank.first[bin]! + i - bank.offset[bin]!
      for (const part of [0, bank.rows]) values[(part + row) * bins + bin] = bank.weights[i]!
    }
  return doubles([2 * bank.rows, bins], values)
}

/** Each bin less its mean, over its deviation (with N − 1) and the guard; one frame has no deviation. */
function normalised(
  net: Net,
  { normalizeGuard }: NemoMelOptions,
  { log, counts, valid, zero }: { log: string; counts: string; valid: string; zero: string },
): string {
  const total = (x: string) => net.op('ReduceSum', [net.op('Where', [counts, x, zero]), net.ints([2])], { keepdims: 1 })
  const atLeastOne = (count: string) => {
    const floor = net.op('Cast', [net.op('Max', [count, net.ints(1)])], { to: double })
    return net.op('Unsqueeze', [floor, net.ints([1, 2])])
  }
  const gap = net.op('Sub', [log, net.op('Div', [total(log), atLeastOne(valid)])])
  const squares = net.op('Div', [total(net.op('Mul', [gap, gap])), atLeastOne(net.op('Sub', [valid, net.ints(1)]))])
  return net.op('Div', [gap, net.op('Add', [net.op('Sqrt', [squares]), scalar(net, normalizeGuard)])])
}
