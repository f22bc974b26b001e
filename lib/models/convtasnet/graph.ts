/**
 * Authors the ONNX graph of a ConvTasNet from its options and weights.
 *
 * One row, time as the width ([1, C, 1, W]), opset 12, every attribute of every convolution written out, and nothing in
 * it that does not reach the output: a bypassed masker and the last block's residual layer are left out, as an exporter
 * would. Operators: Conv, Relu, Add, Sigmoid or Tanh, Mul, and Squeeze or ConvTranspose where the decoder wants them
 * (and Tile for the topology `repeat`). `decoderMode` decides the output:
 *
 *   conv1x1_head          [1, sources, frames]          a signal at the latent rate, NOT at the audio rate
 *   reduced_deconv_*      [1, sources, inputLen]
 *   deconv                [1, sources, inputLen]        the stock decoder: one filterbank, a transposed convolution
 * per source
 *   polyphase             [1, sources * 16, 1, frames]  the same numbers before they are added up (`OverlapAdd` in
 * frames.ts)
 */
import type { ModelProto } from '../../formats/onnx/index.ts'
import { describe, float32, type Tensor } from '../../formats/tensors/tensor.ts'
import { usageError } from '../../base/errors.ts'
import { GraphBuilder } from '../../onnx/builder.ts'
import { convTasNetOptions, dilationsOf, latentFrames, reducedChannels, runTag, sourcesOf } from './options.ts'
import type { ConvTasNetOptions } from './options.ts'
import { seededWeights } from './seeded-weights.ts'
import { hasProjector, weightSpecs } from './weight-specs.ts'

/** Key in the model's metadata under which its options lie as JSON. */
export const optionsKey = 'rungbook.convtasnet'

/** Names that the runtime and the compiler's flags use. */
export const inputName = 'input'
/** The name of the output. */
export const outputName = 'output'
/** The decoder's node, where a compiler should end the graph: a Squeeze behind it is the host's business. */
export const decoderNode = 'decoder'

/** Shape of `input`: samples for a convolutional encoder, frames as columns for a framed one. */
export const inputShape = (o: ConvTasNetOptions): readonly number[] =>
  o.encoderMode === 'conv' ? [1, 1, 1, o.inputLen] : [1, o.kernelSize, 1, latentFrames(o)]

/** Shape of `output`. */
export function outputShape(o: ConvTasNetOptions): readonly number[] {
  if (o.decoderMode === 'polyphase') return [1, sourcesOf(o) * o.kernelSize, 1, latentFrames(o)]
  return [1, sourcesOf(o), o.decoderMode === 'conv1x1_head' ? latentFrames(o) : o.inputLen]
}

/**
 * The graph with these weights, by default the seeded ones.
 *
 * @throws Error for weights of other options
 * @example
 * ```ts
 * import { convTasNetOptions } from './lib/models/convtasnet/options.ts'
 * import { checkModel } from './lib/onnx/check/check.ts'
 *
 * const model = convTasNetGraph(convTasNetOptions({ nFilters: 64, nBlocks: 2, nRepeats: 1 }))
 * assert.deepEqual(checkModel(model).problems, [])
 * ```
 */
export function convTasNetGraph(
  options: ConvTasNetOptions,
  weights: ReadonlyMap<string, Tensor> = seededWeights(options),
): ModelProto {
  const graph = new GraphBuilder({
    name: runTag(options),
    opset: 12,
    irVersion: 7,
    producer: 'rungbook',
    metadata: { [optionsKey]: JSON.stringify(options) },
  })
  const layers = new Layers(graph, fitting(weights, options))
  const encoded = encoder(layers, options, graph.input(inputName, 'float32', inputShape(options)))
  const perSource = expandSources(layers, graph, options, encoded)
  const masked =
    options.maskMulMode === 'bypass'
      ? perSource
      : graph.node('Mul', [masker(layers, graph, options, encoded), perSource], { name: 'apply_mask' })
  const squeezes = options.decoderMode !== 'polyphase'
  const decoded = decoder(layers, options, masked, squeezes ? 'decoded' : outputName)
  if (squeezes) graph.node('Squeeze', [decoded], { name: 'squeeze', output: outputName, attributes: { axes: [2] } })
  graph.output(outputName, 'float32', outputShape(options))
  return graph.build()
}

/**
 * The options that a model was authored with, or null for somebody else's model.
 *
 * @throws RunbookError usage when they are malformed
 */
export function optionsFromModel(model: ModelProto): ConvTasNetOptions | null {
  const entry = model.metadataProps.find(({ key }) => key === optionsKey)
  if (entry === undefined) return null
  try {
    const given: unknown = JSON.parse(entry.value)
    if (typeof given !== 'object' || given === null) throw new TypeError(`${entry.value.slice(0, 40)} is no object`)
    return convTasNetOptions(given)
  } catch (thrown) {
    const why = (thrown as Error).message
    throw usageError(
      `Cannot read the options in the model "${model.graph.name}": ${why}`,
      'author the model again',
      thrown,
    )
  }
}

/** The weights of the list and no others, or an error: a stray bias must not slip into a layer that has none. */
function fitting(weights: ReadonlyMap<string, Tensor>, options: ConvTasNetOptions): Map<string, Tensor> {
  return new Map(
    weightSpecs(options).map(({ name, shape }) => {
      const tensor = weights.get(name)
      if (tensor !== undefined && tensor.shape.join() === shape.join()) return [name, tensor]
      throw new Error(`weight "${name}": want [${shape}], have ${tensor ? describe(tensor) : 'none'}`)
    }),
  )
}

interface Stretch {
  readonly kernel?: number
  readonly stride?: number
  readonly pad?: number
  readonly dilation?: number
  readonly group?: number
}

interface LayerOptions extends Stretch {
  readonly weight?: Tensor
  readonly output?: string
}

/** The attributes of a one-row convolution, all of them. */
const attributesOf = ({ kernel = 1, stride = 1, pad = 0, dilation = 1, group = 1 }: Stretch) => ({
  dilations: [1, dilation],
  group,
  kernel_shape: [1, kernel],
  pads: [0, pad, 0, pad],
  strides: [1, stride],
})

/** Convolutions by the names of their weights. */
class Layers {
  readonly #graph: GraphBuilder
  readonly #weights: ReadonlyMap<string, Tensor>

  constructor(graph: GraphBuilder, weights: ReadonlyMap<string, Tensor>) {
    this.#graph = graph
    this.#weights = weights
  }

  /** A weight by its name. */
  tensor(name: string): Tensor {
    return this.#weights.get(name)!
  }

  /**
   * `name` applied to `input`, with its bias where it has one. `weight` replaces the weight as it lies in the state
   * dict.
   */
  apply(op: 'Conv' | 'ConvTranspose', name: string, input: string, o: LayerOptions = {}): string {
    const inputs = [input, this.#graph.weight(`${name}.weight`, o.weight ?? this.tensor(`${name}.weight`))]
    const bias = this.#weights.get(`${name}.bias`)
    if (bias !== undefined) inputs.push(this.#graph.weight(`${name}.bias`, bias))
    return this.#graph.node(op, inputs, {
      name,
      attributes: attributesOf(o),
      ...(o.output ? { output: o.output } : {}),
    })
  }

  conv(name: string, input: string, stretch: Stretch = {}): string {
    return this.apply('Conv', name, input, stretch)
  }
}

function encoder(layers: Layers, o: ConvTasNetOptions, input: string): string {
  const { kernelSize: kernel, stride } = o
  if (o.encoderMode === 'conv') return layers.conv('encoder', input, { kernel, stride, pad: kernel / 2 })
  // A frame is a column of taps, so the same numbers in the same order serve as a 1x1 kernel over them.
  const weight = { ...layers.tensor('encoder.weight'), shape: [o.nFilters, kernel, 1, 1] }
  return layers.apply('Conv', 'encoder', input, { weight })
}

function expandSources(layers: Layers, graph: GraphBuilder, o: ConvTasNetOptions, encoded: string): string {
  if (sourcesOf(o) === 1) return encoded
  if (hasProjector(o)) return layers.conv('source_projector', encoded)
  const repeats: Tensor = { dtype: 'int64', shape: [4], data: BigInt64Array.of(1n, BigInt(sourcesOf(o)), 1n, 1n) }
  return graph.node('Tile', [encoded, graph.weight('repeat.repeats', repeats)], { name: 'repeat' })
}

function masker(layers: Layers, graph: GraphBuilder, o: ConvTasNetOptions, encoded: string): string {
  let stream = layers.conv('masker.bottleneck', layers.conv('masker.norm', encoded, { group: o.nFilters }))
  let skips: string | null = null
  const dilations = dilationsOf(o)
  for (const [i, dilation] of dilations.entries()) {
    const name = `masker.blocks.${i}`
    const hidden = block(layers, graph, o, { name, stream, dilation })
    const skip = layers.conv(`${name}.skip`, hidden)
    if (i < dilations.length - 1) {
      stream = graph.node('Add', [stream, layers.conv(`${name}.residual`, hidden)], { name: `${name}.add_residual` })
    }
    skips = skips === null ? skip : graph.node('Add', [skips, skip], { name: `${name}.add_skip` })
  }
  const logits = layers.conv('masker.mask', skips!)
  const acts = { sigmoid: 'Sigmoid', tanh: 'Tanh', relu: 'Relu', linear: null }
  const act = acts[o.maskAct]
  return act === null ? logits : graph.node(act, [logits], { name: `masker.${o.maskAct}` })
}

interface BlockPlace {
  readonly name: string
  readonly stream: string
  readonly dilation: number
}

function block(
  layers: Layers,
  graph: GraphBuilder,
  o: ConvTasNetOptions,
  { name, stream, dilation }: BlockPlace,
): string {
  const opened = graph.node('Relu', [layers.conv(`${name}.expand`, stream)], { name: `${name}.relu1` })
  const pad = (dilation * (o.convKernelSize - 1)) / 2
  const normed = layers.conv(`${name}.norm1`, opened, { group: o.hidChan })
  const spread = layers.conv(`${name}.depthwise`, normed, { kernel: o.convKernelSize, dilation, pad, group: o.hidChan })
  return layers.conv(`${name}.norm2`, graph.node('Relu', [spread], { name: `${name}.relu2` }), { group: o.hidChan })
}

function decoder(layers: Layers, o: ConvTasNetOptions, masked: string, output: string): string {
  const sources = sourcesOf(o)
  const upsample = { kernel: o.kernelSize, stride: o.stride, pad: o.kernelSize / 2, output }
  if (o.decoderMode === 'conv1x1_head') return layers.apply('Conv', decoderNode, masked, { output })
  if (reducedChannels(o) !== null) {
    return layers.apply('ConvTranspose', decoderNode, layers.conv('decoder.reduce', masked), upsample)
  }
  const shared = layers.tensor('decoder.weight')
  if (o.decoderMode === 'polyphase') {
    return layers.apply('Conv', decoderNode, masked, { weight: polyphase(shared, sources), output })
  }
  return layers.apply('ConvTranspose', decoderNode, masked, {
    ...upsample,
    group: sources,
    weight: repeated(shared, sources),
  })
}

/** One filterbank [N, 1, 1, K] for each of `times` groups, [times * N, 1, 1, K]. */
function repeated({ data, shape: [filters, ...rest] }: Tensor, times: number): Tensor {
  const weights = Float32Array.from({ length: times * data.length }, (_, i) => Number(data[i % data.length]))
  return float32([times * filters!, ...rest], weights)
}

/**
 * A filterbank [N, 1, 1, K] as the 1x1 kernel [sources * K, sources * N, 1, 1]: row `s * K + k` is tap k of source s
 * alone.
 */
function polyphase(filterbank: Tensor, sources: number): Tensor {
  const [filters, , , taps] = filterbank.shape as [number, number, number, number]
  const weights = new Float32Array(sources * taps * sources * filters)
  for (let s = 0; s < sources; s++) {
    for (let k = 0; k < taps; k++) {
      const row = (s * taps + k) * sources * filters + s * filters
      for (let n = 0; n < filters; n++) weights[row + n] = Number(filterbank.data[n * taps + k])
    }
  }
  return float32([sources * taps, sources * filters, 1, 1], weights)
}
