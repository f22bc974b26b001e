/**
 * Authors a stock ConvTasNet in ONNX: global layer norms, PReLUs and a transposed convolution for each source.
 *
 * A global layer norm takes mean and variance over channels and time, so each output depends on the whole window. The
 * graph equals the trained network for a recording that is as long as the window, and for no tiles of a longer one.
 */
import type { ModelProto } from '../../../formats/onnx/index.ts'
import { float32 } from '../../../formats/tensors/tensor.ts'
import { usageError } from '../../../base/errors.ts'
import { GraphBuilder } from '../../../onnx/builder.ts'
import type { Pair, StockNetwork } from './network.ts'

/** Both projects add this to the variance. */
const epsilon = 1e-8

/** How long the one window is, and what else the file says. */
export interface StockWindow {
  /** Samples, a multiple of the stride. */
  readonly inputLen: number
  /** In Hz; left out of the file when nobody says it. */
  readonly sampleRate?: number | undefined
}

/**
 * The graph, float32[1, 1, 1, inputLen] to float32[1, sources, inputLen].
 * @throws RunbookError usage for a window that the frames do not fill
 */
export function stockGraph(network: StockNetwork, { inputLen, sampleRate }: StockWindow): ModelProto {
  const { sizes, family } = network
  const { stride, kernelSize, padding, nSrc } = sizes
  const rest = (inputLen + 2 * padding - kernelSize) % stride
  if (inputLen < kernelSize || rest !== 0) {
    const near = Math.max(kernelSize, inputLen - rest)
    throw usageError(
      `Cannot author ${family}'s network for ${inputLen} samples: its frames do not fill them`,
      `give --shape input=1x1x1x${near}`,
    )
  }
  const graph = new GraphBuilder({
    name: `${family.toLowerCase()}_convtasnet`,
    opset: 12,
    irVersion: 7,
    producer: 'rungbook',
    ...(sampleRate !== undefined && { metadata: { sample_rate: String(sampleRate) } }),
  })
  const layers = new StockLayers(graph)
  const encoded = layers.conv('encoder', graph.input('input', 'float32', [1, 1, 1, inputLen]), {
    weight: network.encoder,
    shape: [sizes.nFilters, 1, 1, kernelSize],
    stride,
    pad: padding,
  })
  const mask = masker(layers, graph, network, encoded)
  const copies =
    nSrc === 1 ? encoded : graph.node('Concat', Array<string>(nSrc).fill(encoded), { attributes: { axis: 1 } })
  const masked = graph.node('Mul', [mask, copies], { name: 'apply_mask' })
  const filters = Float32Array.from(
    { length: nSrc * network.decoder.length },
    (_, i) => network.decoder[i % network.decoder.length]!,
  )
  const decoded = graph.node(
    'ConvTranspose',
    [masked, graph.weight('decoder.weight', float32([nSrc * sizes.nFilters, 1, 1, kernelSize], filters))],
    { name: 'decoder', attributes: attributesOf({ kernel: kernelSize, stride, pad: padding, group: nSrc }) },
  )
  graph.node('Squeeze', [decoded], { name: 'squeeze', output: 'output', attributes: { axes: [2] } })
  graph.output('output', 'float32', [1, nSrc, inputLen])
  return graph.build()
}

interface Stretch {
  readonly kernel?: number
  readonly stride?: number
  readonly pad?: number
  readonly dilation?: number
  readonly group?: number
}

const attributesOf = ({ kernel = 1, stride = 1, pad = 0, dilation = 1, group = 1 }: Stretch) => ({
  dilations: [1, dilation],
  group,
  kernel_shape: [1, kernel],
  pads: [0, pad, 0, pad],
  strides: [1, stride],
})

interface ConvOptions extends Stretch {
  readonly weight: Float32Array
  readonly shape: readonly [number, number, 1, number]
  readonly bias?: Float32Array
}

/** The layers of the network by name. */
class StockLayers {
  readonly #graph: GraphBuilder

  constructor(graph: GraphBuilder) {
    this.#graph = graph
  }

  conv(name: string, input: string, { weight, shape, bias, ...stretch }: ConvOptions): string {
    const inputs = [input, this.#graph.weight(`${name}.weight`, float32(shape, weight))]
    if (bias !== undefined) inputs.push(this.#graph.weight(`${name}.bias`, float32([bias.length], bias)))
    return this.#graph.node('Conv', inputs, { name, attributes: attributesOf({ kernel: shape[3], ...stretch }) })
  }

  pointwise(name: string, input: string, { weight, bias }: Pair): string {
    const out = bias.length
    return this.conv(name, input, { weight, bias, shape: [out, weight.length / out, 1, 1] })
  }

  prelu(name: string, input: string, slope: Float32Array): string {
    return this.#graph.node('PRelu', [input, this.#graph.weight(`${name}.slope`, float32([1], slope))], { name })
  }

  /** (x - mean) / sqrt(variance + epsilon) * gain + shift, over channels and time. */
  globalNorm(name: string, input: string, { weight, bias }: Pair): string {
    const g = this.#graph
    const over = { attributes: { axes: [1, 2, 3], keepdims: 1 } }
    const mean = g.node('ReduceMean', [input], { name: `${name}.mean`, ...over })
    const centred = g.node('Sub', [input, mean], { name: `${name}.centre` })
    const square = g.node('Mul', [centred, centred], { name: `${name}.square` })
    const variance = g.node('ReduceMean', [square], { name: `${name}.variance`, ...over })
    const lifted = g.node('Add', [variance, g.weight(`${name}.epsilon`, float32([1], [epsilon]))], {
      name: `${name}.lift`,
    })
    const deviation = g.node('Sqrt', [lifted], { name: `${name}.deviation` })
    const unit = g.node('Div', [centred, deviation], { name: `${name}.unit` })
    const shape = [1, weight.length, 1, 1]
    const scaled = g.node('Mul', [unit, g.weight(`${name}.gain`, float32(shape, weight))], { name: `${name}.scale` })
    return g.node('Add', [scaled, g.weight(`${name}.shift`, float32(shape, bias))], { name })
  }
}

function masker(layers: StockLayers, graph: GraphBuilder, network: StockNetwork, encoded: string): string {
  const { hidChan, convKernelSize } = network.sizes
  let stream = layers.pointwise(
    'bottleneck',
    layers.globalNorm('input_norm', encoded, network.inputNorm),
    network.bottleneck,
  )
  let skips: string | null = null
  for (const [i, block] of network.blocks.entries()) {
    const name = `blocks.${i}`
    const opened = layers.prelu(
      `${name}.prelu1`,
      layers.pointwise(`${name}.expand`, stream, block.expand),
      block.slope1,
    )
    const deep = layers.conv(`${name}.depthwise`, layers.globalNorm(`${name}.norm1`, opened, block.norm1), {
      ...block.depthwise,
      shape: [hidChan, 1, 1, convKernelSize],
      group: hidChan,
      dilation: block.dilation,
      pad: (block.dilation * (convKernelSize - 1)) / 2,
    })
    const hidden = layers.globalNorm(`${name}.norm2`, layers.prelu(`${name}.prelu2`, deep, block.slope2), block.norm2)
    const skip = layers.pointwise(`${name}.skip`, hidden, block.skip)
    skips = skips === null ? skip : graph.node('Add', [skips, skip], { name: `${name}.add_skip` })
    if (block.residual !== null) {
      const residual = layers.pointwise(`${name}.residual`, hidden, block.residual)
      stream = graph.node('Add', [stream, residual], { name: `${name}.add_residual` })
    }
  }
  const score = layers.pointwise('mask', layers.prelu('mask_prelu', skips!, network.maskSlope), network.mask)
  return graph.node(network.maskAct === 'relu' ? 'Relu' : 'Sigmoid', [score], { name: 'mask_act' })
}
