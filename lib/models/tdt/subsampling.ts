/**
 * Authors the front of the encoder: three strided convolutions that make one frame of eight, and a linear layer.
 *
 * Frames beyond an item's length are set to zero before every convolution, as NeMo does, so that an item gives the same
 * frames alone and in a padded batch. Source:
 * NVIDIA-NeMo/NeMo@8cfedd72:nemo/collections/asr/parts/submodules/subsampling.py.
 */
import type { EncoderConfig } from './config.ts'
import type { Net } from './net.ts'

/** Frames, and how many of them count for each item of the batch. */
export interface Frames {
  /** [B, T, D] */
  readonly x: string
  /** [B], int64 */
  readonly lengths: string
}

/**
 * The frames after down-sampling: [B, T, width].
 * @param features [B, T, featIn]
 * @param lengths [B], int64
 */
export function subsampling(net: Net, config: EncoderConfig, features: string, lengths: string): Frames {
  const prefix = 'encoder.pre_encode'
  const steps = Math.log2(config.subsamplingFactor)
  let x = net.op('Unsqueeze', [features, net.ints([1])])
  let lens = lengths
  let mask = maskOf(net, x, lens)
  for (let step = 0; step < steps; step++) {
    const at = step === 0 ? 0 : 3 * step - 1
    x = convolve(net, config, net.op('Mul', [x, mask]), `${prefix}.conv.${at}`, step > 0)
    lens = shorter(net, config, lens)
    mask = maskOf(net, x, lens)
    if (step > 0) x = pointwise(net, net.op('Mul', [x, mask]), `${prefix}.conv.${at + 1}`)
    x = net.op('Relu', [net.op('Mul', [x, mask])])
  }
  x = net.op('Mul', [x, mask])
  const rows = net.op('Transpose', [x], { perm: [0, 2, 1, 3] })
  return { x: net.linear(net.reshape(rows, [0, 0, -1]), `${prefix}.out`), lengths: lens }
}

/** Kernel 3, stride 2: padded by one on both sides, or by two before and one behind where it may not look ahead. */
function convolve(net: Net, config: EncoderConfig, x: string, prefix: string, isDepthwise: boolean): string {
  const pads = config.causalDownsampling ? [2, 2, 1, 1] : [1, 1, 1, 1]
  const weight = net.weights.read(`${prefix}.weight`)
  return net.op('Conv', convInputs(net, x, prefix), {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads,
    group: isDepthwise ? weight.shape[0]! : 1,
  })
}

const pointwise = (net: Net, x: string, prefix: string) =>
  net.op('Conv', convInputs(net, x, prefix), { kernel_shape: [1, 1] })

const convInputs = (net: Net, x: string, prefix: string) => [
  x,
  net.weight(`${prefix}.weight`),
  ...(net.weights.has(`${prefix}.bias`) ? [net.weight(`${prefix}.bias`)] : []),
]

/** floor((n + pad − 3) / 2) + 1 */
function shorter(net: Net, config: EncoderConfig, lengths: string): string {
  const pad = config.causalDownsampling ? 3 : 2
  // With pad 2 the sum may be −1 for an empty item: one is added before the division, so that it rounds down.
  return net.op('Div', [net.op('Add', [lengths, net.ints(pad - 1)]), net.ints(2)])
}

/** 1 where a frame counts, else 0: [B, 1, T, 1]. */
function maskOf(net: Net, x: string, lengths: string): string {
  const counts = net.op('Less', [net.range(net.dim(x, 2)), net.op('Unsqueeze', [lengths, net.ints([1])])])
  return net.op('Unsqueeze', [net.op('Cast', [counts], { to: 1 }), net.ints([1, 3])])
}
