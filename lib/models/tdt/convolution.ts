/**
 * Authors the convolution of a Conformer layer, over frames that may continue a stream.
 *
 * Source: NVIDIA-NeMo/NeMo@8cfedd72:nemo/collections/asr/parts/submodules/conformer_modules.py and causal_convs.py.
 */
import { float32 } from '../../formats/tensors/tensor.ts'
import type { EncoderConfig } from './config.ts'
import type { Net } from './net.ts'

/** Frames kept for the next chunk: the last `length` of those before the `drop` that come again. */
export interface TimeCache {
  /** [B, width, length] */
  readonly past: string
  readonly length: number
  readonly drop: number
}

/**
 * The convolution of one layer, [B, T, width], and the cache for the next chunk where there is one.
 * @param counts [B, 1, T], 1 where a frame counts
 */
export function convolution(
  net: Net,
  config: EncoderConfig,
  prefix: string,
  { x, counts, cache }: { x: string; counts: string; cache?: TimeCache },
): { x: string; next?: string } {
  const { width, convKernel, convContext } = config
  const columns = net.op('Transpose', [x], { perm: [0, 2, 1] })
  const doubled = conv(net, columns, `${prefix}.pointwise_conv1`, { kernel_shape: [1] })
  const gated = net.op('Mul', [
    net.slice(doubled, 1, 0, width),
    net.op('Sigmoid', [net.slice(doubled, 1, width, 2 * width)]),
  ])
  const masked = net.op('Mul', [gated, counts])
  const whole = cache === undefined ? masked : net.op('Concat', [cache.past, masked], { axis: 2 })
  const deep = conv(net, whole, `${prefix}.depthwise_conv`, {
    kernel_shape: [convKernel],
    group: width,
    pads: [cache === undefined ? convContext[0] : 0, convContext[1]],
  })
  const active = net.swish(norm(net, config, `${prefix}.batch_norm`, deep))
  const out = net.op('Transpose', [conv(net, active, `${prefix}.pointwise_conv2`, { kernel_shape: [1] })], {
    perm: [0, 2, 1],
  })
  return cache === undefined
    ? { x: out }
    : { x: out, next: nextCache(net, config, { whole, frames: net.dim(x, 1) }, cache) }
}

/**
 * Frames that come again in the next chunk go first, and of what is left the last `length` stay; the right padding
 * counts among them, as NeMo has it. A last chunk may be shorter than what comes again: then the cache stays.
 */
function nextCache(
  net: Net,
  { width, convContext }: EncoderConfig,
  { whole, frames }: { whole: string; frames: string },
  { length, drop }: TimeCache,
): string {
  const beyond = convContext[1] - drop
  const from = net.op('Max', [net.op('Add', [frames, net.ints([beyond])]), net.ints(0)])
  const to = net.op('Add', [from, net.ints([length])])
  if (beyond <= 0) return net.slice(whole, 2, from, to)
  const zeros = net.once('cache.right', () => float32([1, width, beyond], new Float32Array(width * beyond)))
  const shape = net.op('Concat', [net.dim(whole, 0), net.ints([width, beyond])], { axis: 0 })
  return net.slice(net.op('Concat', [whole, net.op('Expand', [zeros, shape])], { axis: 2 }), 2, from, to)
}

const conv = (net: Net, x: string, prefix: string, attributes: Record<string, number | number[]>) =>
  net.op(
    'Conv',
    [x, net.weight(`${prefix}.weight`), ...(net.weights.has(`${prefix}.bias`) ? [net.weight(`${prefix}.bias`)] : [])],
    attributes,
  )

/** Batch normalisation with the statistics of training is one factor and one summand per channel. */
function norm(net: Net, { convNorm, width }: EncoderConfig, prefix: string, x: string): string {
  if (convNorm === 'layer_norm') {
    const rows = net.layerNorm(net.op('Transpose', [x], { perm: [0, 2, 1] }), prefix)
    return net.op('Transpose', [rows], { perm: [0, 2, 1] })
  }
  const read = (name: string) => net.weights.read(`${prefix}.${name}`).data
  const factors = () => {
    const variance = read('running_var')
    return read('weight').map((weight, i) => weight / Math.sqrt(variance[i]! + 1e-5))
  }
  const factor = net.once(`${prefix}.factor`, () => float32([width, 1], factors()))
  const summand = net.once(`${prefix}.summand`, () => {
    const [scale, mean] = [factors(), read('running_mean')]
    return float32(
      [width, 1],
      read('bias').map((bias, i) => bias - mean[i]! * scale[i]!),
    )
  })
  return net.op('Add', [net.op('Mul', [x, factor]), summand])
}
