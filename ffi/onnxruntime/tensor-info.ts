/** Reads the element type and the shape of a stream or of a tensor. */
import { FfiError } from '../errors.ts'
import { koffi } from '../load.ts'
import { checkStatus, type OrtApi } from './api.ts'
import { elementTypeOf, type ElementType } from './elements.ts'
import type { Pointer } from './table.ts'

/** A stream of the model. A dimension that the model leaves open is its name, or `?` where it has none. */
export interface StreamInfo {
  readonly name: string
  readonly dtype: ElementType
  readonly shape: readonly (number | string)[]
}

/** What a slot or a binding knows of its session. */
export interface SessionFacts {
  readonly inputs: readonly StreamInfo[]
  readonly outputs: readonly StreamInfo[]
  /** As errors name it. */
  readonly title: string
}

/** More axes than any tensor has. */
const rankMax = 256n

/**
 * A count that the library told.
 *
 * @throws FfiError `refused` when there cannot be so many
 */
export function plausible(count: bigint, max: bigint, act: string): number {
  if (count <= max) return Number(count)
  const hint = 'unset ONNXRUNTIME_LIB to use the library of npm ci'
  throw new FfiError('refused', `Cannot ${act}: the library tells of ${count}, and at most ${max} can be`, hint)
}

/**
 * Type and shape from an `OrtTensorTypeAndShapeInfo`.
 *
 * @throws FfiError `refused` for elements that are not numbers
 */
export function tensorInfo({ functions }: OrtApi, info: Pointer, act: string): Omit<StreamInfo, 'name'> {
  const code = new Int32Array(1)
  const rank = new BigUint64Array(1)
  checkStatus(functions, functions.GetTensorElementType(info, code), { call: 'GetTensorElementType', act })
  const dtype = elementTypeOf(code[0]!)
  if (dtype === undefined) {
    const what = code[0] === 8 ? 'string' : `element type ${code[0]}`
    throw new FfiError('refused', `Cannot ${act}: it is a tensor of ${what}`, 'choose another model')
  }
  checkStatus(functions, functions.GetDimensionsCount(info, rank), { call: 'GetDimensionsCount', act })
  const dims = new BigInt64Array(plausible(rank[0]!, rankMax, act))
  const names = new BigUint64Array(dims.length)
  if (dims.length > 0) {
    checkStatus(functions, functions.GetDimensions(info, dims, dims.length), { call: 'GetDimensions', act })
    checkStatus(functions, functions.GetSymbolicDimensions(info, names, dims.length), {
      call: 'GetSymbolicDimensions',
      act,
    })
  }
  const nameOf = (address: bigint) => (address === 0n ? '' : koffi().decode.string(address)) || '?'
  return { dtype, shape: [...dims].map((n, axis) => (n >= 0n ? Number(n) : nameOf(names[axis]!))) }
}
