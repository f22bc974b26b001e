/**
 * Makes tensors whose bytes JavaScript and native code both see.
 *
 * In an ArrayBuffer of JavaScript's own, whose bytes do not move and live as long as anyone looks at them: a view that
 * is kept after the session was closed reads old numbers and never freed memory. Strings, sequences and maps are not
 * carried.
 */
import { markAsUntransferable } from 'node:worker_threads'
import { FfiError } from '../errors.ts'
import { koffi } from '../load.ts'
import type { Pointer } from './table.ts'

/**
 * Element types: number in `ONNXTensorElementDataType`, and the array that shows them. The 16-bit floats are shown as
 * their bits.
 */
export const elements = {
  float32: { code: 1, array: Float32Array },
  uint8: { code: 2, array: Uint8Array },
  int8: { code: 3, array: Int8Array },
  uint16: { code: 4, array: Uint16Array },
  int16: { code: 5, array: Int16Array },
  int32: { code: 6, array: Int32Array },
  int64: { code: 7, array: BigInt64Array },
  bool: { code: 9, array: Uint8Array },
  float16: { code: 10, array: Uint16Array },
  float64: { code: 11, array: Float64Array },
  uint32: { code: 12, array: Uint32Array },
  uint64: { code: 13, array: BigUint64Array },
  bfloat16: { code: 16, array: Uint16Array },
} as const

/** Names of element types, as ONNX has them. */
export type ElementType = keyof typeof elements
/** An array that views a tensor of some type. */
export type ElementArray = InstanceType<(typeof elements)[ElementType]['array']>

/** The type with this number in the C API, or undefined for one that is not carried here. */
export const elementTypeOf = (code: number): ElementType | undefined =>
  (Object.keys(elements) as ElementType[]).find(name => elements[name].code === code)

/** A tensor whose bytes native code may read and write. `data` stays the same array as long as the tensor is used. */
export interface NativeTensor {
  readonly dtype: ElementType
  readonly shape: readonly number[]
  readonly data: ElementArray
  /** Where `data` begins; a multiple of 64. */
  readonly address: Pointer
}

// ONNX Runtime's own allocator aligns to a cache line as well; its vector code is fastest there.
const alignment = 64

/**
 * A tensor of zeros.
 *
 * @throws FfiError `usage` for a shape that is not whole numbers of 0 or more, or is too large for one array
 */
export function nativeTensor(dtype: ElementType, shape: readonly number[]): NativeTensor {
  const size = shape.reduce((product, n) => product * n, 1)
  const refuse = (state: string) =>
    new FfiError('usage', `Cannot make room for ${described({ dtype, shape })}: ${state}`, 'give another shape')
  if (shape.some(n => !Number.isSafeInteger(n) || n < 0)) throw refuse('a dimension is no whole number of 0 or more')
  const { array } = elements[dtype]
  const bytes = size * array.BYTES_PER_ELEMENT
  let buffer: ArrayBuffer
  try {
    buffer = new ArrayBuffer(bytes + alignment)
  } catch {
    throw refuse(`it takes ${bytes} bytes`)
  }
  // Moving the buffer to another thread would free it under native code that still writes there.
  markAsUntransferable(buffer)
  const start = koffi().address(buffer)
  const offset = Number((BigInt(alignment) - (start % BigInt(alignment))) % BigInt(alignment))
  return { dtype, shape: [...shape], data: new array(buffer, offset, size), address: start + BigInt(offset) }
}

/** `float32[1, 16]`. */
export const described = ({
  dtype,
  shape,
}: {
  readonly dtype: string
  readonly shape: readonly (number | string)[]
}): string => `${dtype}[${shape.join(', ')}]`
