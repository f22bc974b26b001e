/**
 * Defines a tensor: an array with a shape and an element type.
 *
 * Row-major data in a typed array. float16 and bfloat16 are kept as their 16 bits (Uint16Array); int64 as
 * BigInt64Array.
 */
import { usageError } from '../../base/errors.ts'

/** Element type to typed array. `bool` is one byte an element. */
export const arrayOf = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const

/** The element types that a tensor may have, by the names of numpy. */
export type Dtype = keyof typeof arrayOf
/** The elements of a tensor, in the array of their type. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array

/** An array with a shape. `data.length` equals the product of `shape`. */
export interface Tensor {
  readonly dtype: Dtype
  readonly shape: readonly number[]
  readonly data: TensorData
}

/** A float32 tensor, the usual case. */
export interface FloatTensor extends Tensor {
  readonly dtype: 'float32'
  readonly data: Float32Array
}

/** The number of elements of a shape; 1 for a scalar. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1)

/**
 * A float32 tensor over `data`.
 *
 * @throws RunbookError usage when the length does not fit the shape
 */
export function float32(shape: readonly number[], data: Float32Array | readonly number[]): FloatTensor {
  const values = data instanceof Float32Array ? data : Float32Array.from(data)
  if (values.length !== sizeOf(shape)) {
    throw usageError(
      `Cannot shape ${values.length} values as [${shape.join(', ')}]: that takes ${sizeOf(shape)}`,
      'check the shape',
    )
  }
  return { dtype: 'float32', shape, data: values }
}

/** `float32[1, 1, 1, 16000]`, as people write it. */
export const describe = ({
  dtype,
  shape,
}: {
  readonly dtype: Dtype
  readonly shape: readonly (number | string)[]
}): string => `${dtype}[${shape.join(', ')}]`
