/**
 * Turns shapes into TensorRT's Dims and back.
 *
 * `struct Dims { int32_t nbDims; extent d[8]; }`, extents of 4 bytes in TensorRT 8 and of 8 bytes (so padded by 4)
 * since 10.
 */
import { FfiError } from '../errors.ts'
import type { DimsLayout } from './abi/abi.ts'

/** What koffi gives for a Dims. */
export interface NativeDims {
  readonly nbDims: number
  readonly d: Int32Array | BigInt64Array
}

/** TensorRT's limit. */
const ranksMax = 8

/**
 * The bytes of a shape, for an argument that is a reference.
 *
 * @throws FfiError usage for a shape that TensorRT cannot hold
 */
export function dimsBytes(shape: readonly number[], { extent, bytes }: DimsLayout): Uint8Array {
  mustFit(shape, extent)
  const view = new DataView(new ArrayBuffer(bytes))
  view.setInt32(0, shape.length, true)
  for (const [axis, n] of shape.entries()) {
    if (extent === 'int32') view.setInt32(4 + 4 * axis, n, true)
    else view.setBigInt64(8 + 8 * axis, BigInt(n), true)
  }
  return new Uint8Array(view.buffer)
}

/**
 * A shape for an argument that is passed by value.
 *
 * @throws FfiError as `dimsBytes`
 */
export function dimsValue(shape: readonly number[], { extent }: DimsLayout): NativeDims {
  mustFit(shape, extent)
  const padded = Array.from({ length: ranksMax }, (_, axis) => shape[axis] ?? 0)
  return { nbDims: shape.length, d: extent === 'int32' ? Int32Array.from(padded) : BigInt64Array.from(padded, BigInt) }
}

/**
 * The shape that a Dims holds; null for the Dims of -1 axes that stands for "no such tensor".
 *
 * @throws FfiError refused for nonsense
 */
export function shapeFromDims({ nbDims, d }: NativeDims): number[] | null {
  if (nbDims === -1) return null
  if (nbDims < 0 || nbDims > ranksMax) {
    throw new FfiError(
      'refused',
      `Cannot read a shape: TensorRT gave one of ${nbDims} axes`,
      'the library is not what it says it is: reinstall it',
    )
  }
  return Array.from({ length: nbDims }, (_, axis) => Number(d[axis]))
}

function mustFit(shape: readonly number[], extent: DimsLayout['extent']): void {
  const limit = extent === 'int32' ? 0x7fffffff : Number.MAX_SAFE_INTEGER
  if (shape.length <= ranksMax && shape.every(n => Number.isInteger(n) && n >= -1 && n <= limit)) return
  throw new FfiError(
    'usage',
    `Cannot give TensorRT the shape [${shape.join(', ')}]: up to ${ranksMax} whole numbers, none below -1`,
    'check the shape',
  )
}
