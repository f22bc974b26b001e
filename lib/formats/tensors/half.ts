/**
 * Widens float16 and bfloat16 tensors to float32, exactly, and narrows float32 to float16.
 */
import { usageError } from '../../base/errors.ts'
import { describe, type FloatTensor, type Tensor } from './tensor.ts'

let halves: Float32Array | undefined

/** The value of every float16, by its bits. */
function halfTable(): Float32Array {
  halves ??= Float32Array.from({ length: 0x1_0000 }, (_, bits) => {
    const sign = bits & 0x8000 ? -1 : 1
    const exponent = (bits >> 10) & 0x1f
    const fraction = bits & 0x3ff
    if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15))
  })
  return halves
}

/** The float32 values of float16 bits. */
export function float32FromHalf(bits: Uint16Array): Float32Array {
  const table = halfTable()
  const values = new Float32Array(bits.length)
  for (let i = 0; i < bits.length; i++) values[i] = table[bits[i]!]!
  return values
}

/** The largest number that float16 holds. */
export const halfMax = 65504

/** The nearest float16 bits of float32 values, the even one of two; what is too large becomes infinite. */
export function halfFromFloat32(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length)
  return Uint16Array.from(words, word => {
    const sign = (word >>> 16) & 0x8000
    const size = word & 0x7fff_ffff
    if (size > 0x7f80_0000) return sign | 0x7e00
    // Half a step above the largest number rounds to infinity.
    if (size >= 0x477f_f000) return sign | 0x7c00
    if (size < 0x3880_0000) return sign | tiny(size)
    const rounded = size + 0xfff + ((size >>> 13) & 1)
    return sign | ((rounded - 0x3800_0000) >>> 13)
  })
}

/** Below 2⁻¹⁴ float16 counts steps of 2⁻²⁴. */
function tiny(size: number): number {
  const shift = 126 - (size >>> 23)
  if (shift > 24) return 0
  const whole = (size & 0x7f_ffff) | 0x80_0000
  const kept = whole >>> shift
  const rest = whole & ((1 << shift) - 1)
  const middle = 1 << (shift - 1)
  return kept + (rest > middle || (rest === middle && (kept & 1) === 1) ? 1 : 0)
}

/** The float32 values of bfloat16 bits. */
export function float32FromBfloat(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length)
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16
  return new Float32Array(words.buffer)
}

/**
 * The same tensor as float32; a float32 tensor is returned as it is.
 * @throws RunbookError usage for a tensor of another type than float32, float16 or bfloat16
 */
export function widened(name: string, tensor: Tensor): FloatTensor {
  const { dtype, shape, data } = tensor
  if (dtype === 'float32') return tensor as FloatTensor
  if (dtype === 'float16') return { dtype: 'float32', shape, data: float32FromHalf(data as Uint16Array) }
  if (dtype === 'bfloat16') return { dtype: 'float32', shape, data: float32FromBfloat(data as Uint16Array) }
  throw usageError(`Cannot use "${name}" as numbers: it is ${describe(tensor)}`, 'give float32, float16 or bfloat16')
}
