/**
 * Converts between the bytes of a file and a tensor.
 *
 * Little-endian and row-major, as memory is on every machine that we run on. Byte order and axis order of a file are
 * put right by its own reader (`npy.ts`). What the bytes mean as numbers is `tensor.ts`.
 */
import { arrayOf, describe, sizeOf, type Dtype, type Tensor, type TensorData } from './tensor.ts'
import { usageError } from '../../base/errors.ts'

/** Bytes of one element. */
export const elementBytes = (dtype: Dtype): number => arrayOf[dtype].BYTES_PER_ELEMENT

/** Bytes that a tensor of this type and shape takes. */
export const byteLengthOf = (dtype: Dtype, shape: readonly number[]): number => elementBytes(dtype) * sizeOf(shape)

/**
 * A tensor over a copy of `bytes`. A view of a Buffer may start anywhere, and a Float32Array may not: the copy is
 * aligned, and outlives the buffer.
 *
 * @throws RunbookError usage when the shape takes another number of bytes
 */
export function tensorFromBytes({
  dtype,
  shape,
  bytes,
}: {
  dtype: Dtype
  shape: readonly number[]
  bytes: Uint8Array
}): Tensor {
  if (bytes.length !== byteLengthOf(dtype, shape)) {
    const state = `that takes ${byteLengthOf(dtype, shape)}`
    throw usageError(`Cannot shape ${bytes.length} bytes as ${describe({ dtype, shape })}: ${state}`, 'check the shape')
  }
  return { dtype, shape, data: arrayOver(dtype, new Uint8Array(bytes).buffer) }
}

/**
 * The bytes of a tensor, not copied.
 *
 * @throws RunbookError usage when its data is of another length or type than it says
 */
export function bytesFromTensor(tensor: Tensor): Uint8Array {
  const { dtype, shape, data } = tensor
  if (data.length !== sizeOf(shape) || !(data instanceof arrayOf[dtype])) {
    const state = `its data is a ${data.constructor.name} of ${data.length}`
    throw usageError(`Cannot write a tensor as ${describe(tensor)}: ${state}`, 'check its dtype and shape')
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

const arrayOver = (dtype: Dtype, buffer: ArrayBuffer): TensorData => new arrayOf[dtype](buffer)
