/**
 * A tensor of a torch file: where its elements lie in a storage, and how they are gathered into row-major order.
 */
import { usageError } from '../../base/errors.ts'
import { elementBytes, tensorFromBytes } from '../tensors/tensor-bytes.ts'
import { arrayOf, sizeOf, type Dtype, type Tensor } from '../tensors/tensor.ts'

/** A storage: its key in the archive, and how many bytes the pickle says it holds. */
export interface TorchStorage {
  readonly key: string
  readonly bytes: number
  /** Undefined for an untyped storage: then the tensor says what its elements are. */
  readonly dtype: Dtype | undefined
  /**
   * The bytes, little-endian.
   *
   * @throws RunbookError usage when they are absent or of another length
   */
  read(elementBytes: number): Uint8Array
}

/** A view into a storage. `strides` and `offset` count elements. `tensor()` reads and copies the elements. */
export class TorchTensor {
  readonly dtype: Dtype
  readonly shape: readonly number[]
  readonly strides: readonly number[]
  readonly offset: number
  readonly storage: TorchStorage

  /** @throws RunbookError usage when the view leaves its storage or repeats elements beyond reason */
  constructor(view: {
    dtype: Dtype
    shape: readonly number[]
    strides: readonly number[]
    offset: number
    storage: TorchStorage
  }) {
    const { dtype, shape, strides, offset, storage } = view
    const counts = [...shape, ...strides, offset]
    const last = offset + shape.reduce((sum, n, axis) => sum + (n - 1) * (strides[axis] ?? 0), 0)
    const elements = Math.floor(storage.bytes / elementBytes(dtype))
    const isEmpty = sizeOf(shape) === 0
    const fits = isEmpty || (last < elements && sizeOf(shape) <= Math.max(elements, 1 << 24))
    if (shape.length !== strides.length || !counts.every(n => Number.isSafeInteger(n) && n >= 0) || !fits)
      throw usageError(
        `Cannot read the storage "${storage.key}": a tensor [${shape.join(', ')}] with strides ` +
          `[${strides.join(', ')}] ` +
          `from element ${offset} leaves its ${elements} elements`,
        'the file was damaged: copy or download it again',
      )
    this.dtype = dtype
    this.shape = shape
    this.strides = strides
    this.offset = offset
    this.storage = storage
  }

  /**
   * The elements in row-major order, in memory of their own.
   * @throws RunbookError usage when the storage is absent or damaged
   */
  tensor(): Tensor {
    const { dtype, shape, strides, offset } = this
    const width = elementBytes(dtype)
    const size = sizeOf(shape)
    if (size === 0) return tensorFromBytes({ dtype, shape, bytes: new Uint8Array(0) })
    const bytes = this.storage.read(width)
    if (isRowMajor(shape, strides))
      return tensorFromBytes({ dtype, shape, bytes: bytes.subarray(offset * width, (offset + size) * width) })
    const elements = tensorFromBytes({
      dtype,
      shape: [Math.floor(bytes.length / width)],
      bytes: bytes.subarray(0, bytes.length - (bytes.length % width)),
    }).data
    const data = new arrayOf[dtype](size)
    gather(elements as Float32Array, data as Float32Array, { shape, strides, offset })
    return { dtype, shape, data }
  }
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let step = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== step) return false
    step *= shape[axis]!
  }
  return true
}

interface View {
  readonly shape: readonly number[]
  readonly strides: readonly number[]
  readonly offset: number
}

function gather(from: Float32Array, into: Float32Array, { shape, strides, offset }: View): void {
  const index = shape.map(() => 0)
  let at = offset
  for (let i = 0; i < into.length; i++) {
    into[i] = from[at]!
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis]!
      if (++index[axis]! < shape[axis]!) break
      at -= strides[axis]! * shape[axis]!
      index[axis] = 0
    }
  }
}
