/**
 * Widens float16 and bfloat16 tensors to float32, exactly.
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
