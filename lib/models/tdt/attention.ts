/**
 * Authors attention with relative positions: how strongly each frame listens to each other one.
 *
 * Source: NVIDIA-NeMo/NeMo@8cfedd72:nemo/collections/asr/parts/submodules/multi_head_attention.py, and paper:
 * Transformer-XL (1901.02860), appendix B, for the shift.
 */
import { float32 } from '../../formats/tensors/tensor.ts'
import type { EncoderConfig } from './config.ts'
import { toEnd, type Net } from './net.ts'

/**
 * Sines and cosines of the distances T−1 … −(T−1): [1, 2T−1, width].
 * @param frames T, a list of one integer
 */
export function positions(net: Net, config: EncoderConfig, frames: string): string {
  const last = net.op('Sub', [net.op('Squeeze', [frames]), net.ints(1)])
  const distances = net.op('Range', [last, net.op('Neg', [net.op('Squeeze', [frames])]), net.ints(-1)])
  const rates = net.once('positions.rates', () => {
    const step = -Math.log(10000) / config.width
    return float32(
      [1, config.width / 2],
      Float32Array.from({ length: config.width / 2 }, (_, i) => Math.exp(2 * i * step)),
    )
  })
  const angles = net.op('Mul', [net.op('Unsqueeze', [net.op('Cast', [distances], { to: 1 }), net.ints([1])]), rates])
  const pairs = ['Sin', 'Cos'].map(wave => net.op('Unsqueeze', [net.op(wave, [angles]), net.ints([2])]))
  return net.reshape(net.op('Concat', pairs, { axis: 2 }), [1, -1, config.width])
}

/** What a layer's attention works with. */
export interface AttentionInputs {
  /** [B, Tq, width], normalised */
  readonly query: string
  /** [B, Tk, width]: the query, after a cache where there is one */
  readonly keys: string
  /** [1, 2·Tk−1, width] */
  readonly positions: string
  /** [B, Tq, Tk]: true where a frame may not listen */
  readonly blocked: string
}

/** The attention of one layer: [B, Tq, width]. */
export function attention(net: Net, config: EncoderConfig, prefix: string, inputs: AttentionInputs): string {
  const { heads, width } = config
  const depth = width / heads
  const byHead = (x: string, perm: readonly number[]) =>
    net.op('Transpose', [net.reshape(x, [0, -1, heads, depth])], { perm: [...perm] })
  const query = net.reshape(net.linear(inputs.query, `${prefix}.linear_q`), [0, -1, heads, depth])
  const keys = byHead(net.linear(inputs.keys, `${prefix}.linear_k`), [0, 2, 3, 1])
  const values = byHead(net.linear(inputs.keys, `${prefix}.linear_v`), [0, 2, 1, 3])
  const places = byHead(net.linear(inputs.positions, `${prefix}.linear_pos`), [0, 2, 3, 1])
  const biased = (bias: string) =>
    net.op('Transpose', [net.op('Add', [query, net.weight(`${prefix}.${bias}`)])], { perm: [0, 2, 1, 3] })
  const content = net.op('MatMul', [biased('pos_bias_u'), keys])
  const shifted = shift(net, heads, net.op('MatMul', [biased('pos_bias_v'), places]))
  const place = net.slice(shifted, 3, 0, net.dim(content, 3))
  const scores = net.op('Div', [net.op('Add', [content, place]), net.float(Math.sqrt(depth))])
  const blocked = net.op('Unsqueeze', [inputs.blocked, net.ints([1])])
  const weights = net.op('Softmax', [net.op('Where', [blocked, net.float(-10000), scores])], { axis: -1 })
  const heard = net.op('MatMul', [net.op('Where', [blocked, net.float(0), weights]), values])
  const joined = net.reshape(net.op('Transpose', [heard], { perm: [0, 2, 1, 3] }), [0, -1, width])
  return net.linear(joined, `${prefix}.linear_out`)
}

/** Row t of [B, H, Tq, P] moves left by Tq−1−t, so that column k is the distance from frame t to frame k. */
function shift(net: Net, heads: number, x: string): string {
  const column = net.once('shift.column', () => float32([1, 1, 1, 1], [0]))
  const shape = net.op('Shape', [x])
  const rows = net.slice(shape, 0, 2, 3)
  const edge = net.op('Expand', [column, net.op('Concat', [net.slice(shape, 0, 0, 3), net.ints([1])], { axis: 0 })])
  const padded = net.reshape(net.op('Concat', [edge, x], { axis: 3 }), [0, heads, -1, rows])
  return net.op('Reshape', [net.slice(padded, 2, 1, toEnd), shape])
}
