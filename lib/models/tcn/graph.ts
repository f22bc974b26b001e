/**
 * Authors the TCN encoder with its motif head as an ONNX graph, in three forms of one network.
 *
 *   causal   [1, 100, 9]     Conv1d, padded on the left alone
 *   sliced   [1, 100, 9]     Conv1d padded on both sides, the right end cut off again: as PyTorch exports a chomp
 *   nchw     [1, 9, 1, 100]  Conv2d with kernels of one row: what Hailo's parser takes; a transpose is the host's
 *
 * All take a standardised window and give `latent_embeddings` [1, 64] and `motif_logits` [1, motifs]; standardisation
 * and softmax are the host's, for every form, so that no form has an arithmetic of its own.
 */
import type { ModelProto } from '../../formats/onnx/index.ts'
import { float32, type Tensor } from '../../formats/tensors/tensor.ts'
import { GraphBuilder, type AttributeValue } from '../../onnx/builder.ts'
import { latentSize, tcnDilations, tcnKernel, windowShape } from './weights.ts'
import type { MotifHead, TcnWeights } from './weights.ts'

/** Ways to write the same network. */
export const tcnForms = ['causal', 'nchw', 'sliced'] as const
/** One way to write it. */
export type TcnForm = (typeof tcnForms)[number]

/** Names of the graph's ends. */
export const tcnInput = 'imu_window'
/** See `tcnInput`. */
export const tcnLatent = 'latent_embeddings'
/** See `tcnInput`. */
export const tcnLogits = 'motif_logits'
/** Where a compiler should end the `nchw` graph: what comes after only drops axes of one. */
export const tcnEndNodes = ['fc_mu', 'motif'] as const

/** Shape of `imu_window` in each form. */
export const tcnInputShape = (form: TcnForm): readonly number[] =>
  form === 'nchw' ? [1, windowShape[1], 1, windowShape[0]] : [1, ...windowShape]

/**
 * The graph, operator set 11, every attribute written out.
 *
 * @example
 * ```ts
 * import { seededTcnWeights, latentSize } from './lib/models/tcn/weights.ts'
 * import { checkModel } from './lib/onnx/check/check.ts'
 * import { float32 } from './lib/formats/tensors/tensor.ts'
 *
 * const weight = float32([12, latentSize], new Float32Array(12 * latentSize))
 * const head = { weight, bias: float32([12], new Float32Array(12)) }
 * const model = tcnGraph('nchw', seededTcnWeights(1), head)
 * assert.deepEqual(checkModel(model).problems, [])
 * ```
 */
export function tcnGraph(form: TcnForm, weights: TcnWeights, head: MotifHead): ModelProto {
  const graph = new GraphBuilder({ name: `tcn_encoder_${form}`, opset: 11, irVersion: 6 })
  const layers = new Layers(graph, form, weights)
  const window = graph.input(tcnInput, 'float32', tcnInputShape(form))
  const channelsFirst =
    form === 'nchw'
      ? window
      : graph.node('Transpose', [window], { name: 'channels_first', attributes: { perm: [0, 2, 1] } })
  const features = tcnDilations.reduce((stream, dilation, i) => layers.block(i, stream, dilation), channelsFirst)
  const mean = graph.node('GlobalAveragePool', [features], { name: 'mean_over_time' })
  layers.ends(mean, head)
  graph.output(tcnLatent, 'float32', [1, latentSize])
  graph.output(tcnLogits, 'float32', [1, head.bias.data.length])
  return graph.build()
}

class Layers {
  readonly #graph: GraphBuilder
  readonly #form: TcnForm
  readonly #weights: TcnWeights

  constructor(graph: GraphBuilder, form: TcnForm, weights: TcnWeights) {
    this.#graph = graph
    this.#form = form
    this.#weights = weights
  }

  block(i: number, stream: string, dilation: number): string {
    const name = `network.${i}`
    const first = this.#relu(`${name}.relu1`, this.#conv(`${name}.conv1`, stream, { taps: tcnKernel, dilation }))
    const second = this.#relu(`${name}.relu2`, this.#conv(`${name}.conv2`, first, { taps: tcnKernel, dilation }))
    const residual = this.#conv(`${name}.downsample`, stream, { taps: 1, dilation: 1 })
    return this.#relu(`${name}.relu3`, this.#graph.node('Add', [second, residual], { name: `${name}.add` }))
  }

  #relu(name: string, input: string): string {
    return this.#graph.node('Relu', [input], { name })
  }

  #conv(name: string, input: string, o: { taps: number; dilation: number }): string {
    const past = (o.taps - 1) * o.dilation
    const isRow = this.#form === 'nchw'
    const after = this.#form === 'sliced' ? past : 0
    const row = <T>(one: T, value: T): T[] => (isRow ? [one, value] : [value])
    const attributes: Record<string, AttributeValue> = {
      dilations: row(1, o.dilation),
      group: 1,
      kernel_shape: row(1, o.taps),
      pads: [...row(0, past), ...row(0, after)],
      strides: row(1, 1),
    }
    const weight = this.#weights.get(`${name}.weight`)!
    const [out, into, taps] = weight.shape as [number, number, number]
    const shaped = isRow ? float32([out, into, 1, taps], weight.data) : weight
    const made = this.#node('Conv', name, input, {
      weight: shaped,
      bias: this.#weights.get(`${name}.bias`)!,
      attributes,
    })
    return after === 0 ? made : this.#cut(name, made, after)
  }

  /** Drop the last `count` of the time axis. */
  #cut(name: string, input: string, count: number): string {
    const int64 = (value: number): Tensor => ({ dtype: 'int64', shape: [1], data: BigInt64Array.of(BigInt(value)) })
    const ends = [int64(0), int64(-count), int64(2)]
    const inputs = ['starts', 'ends', 'axes'].map((what, i) => this.#graph.weight(`${name}.${what}`, ends[i]!))
    return this.#graph.node('Slice', [input, ...inputs], { name: `${name}.chomp` })
  }

  #node(
    op: 'Conv' | 'Gemm',
    name: string,
    input: string,
    o: { weight: Tensor; bias: Tensor; attributes: Record<string, AttributeValue>; output?: string },
  ): string {
    const inputs = [input, this.#graph.weight(`${name}.weight`, o.weight), this.#graph.weight(`${name}.bias`, o.bias)]
    return this.#graph.node(op, inputs, { name, attributes: o.attributes, ...(o.output ? { output: o.output } : {}) })
  }

  /** The two linear layers: 1x1 convolutions in the form for Hailo, so that the parser sees no change of layout. */
  ends(mean: string, head: MotifHead): void {
    const mu = { weight: this.#weights.get('fc_mu.weight')!, bias: this.#weights.get('fc_mu.bias')! }
    if (this.#form === 'nchw') {
      const latent = this.#pointwise('fc_mu', mean, mu)
      const logits = this.#pointwise('motif', latent, head)
      for (const [input, output] of [
        [latent, tcnLatent],
        [logits, tcnLogits],
      ] as const)
        this.#graph.node('Flatten', [input], { name: `${output}.flatten`, output, attributes: { axis: 1 } })
      return
    }
    const flat = this.#graph.node('Flatten', [mean], { name: 'flatten', attributes: { axis: 1 } })
    const attributes = { alpha: { float: 1 }, beta: { float: 1 }, transB: 1 }
    const latent = this.#node('Gemm', 'fc_mu', flat, { ...mu, attributes, output: tcnLatent })
    this.#node('Gemm', 'motif', latent, { ...head, attributes, output: tcnLogits })
  }

  #pointwise(name: string, input: string, { weight, bias }: MotifHead): string {
    const [out, into] = weight.shape as [number, number]
    const shaped = float32([out, into, 1, 1], weight.data)
    const attributes = { dilations: [1, 1], group: 1, kernel_shape: [1, 1], pads: [0, 0, 0, 0], strides: [1, 1] }
    return this.#node('Conv', name, input, { weight: shaped, bias, attributes })
  }
}

/** The windows of a form from one standardised window, row-major [100, 9]: itself, or transposed for `nchw`. */
export function tcnFeed(form: TcnForm, window: Float32Array): Float32Array {
  if (form !== 'nchw') return window
  const [samples, channels] = windowShape
  const turned = new Float32Array(window.length)
  for (let t = 0; t < samples; t++)
    for (let c = 0; c < channels; c++) turned[c * samples + t] = window[t * channels + c]!
  return turned
}
