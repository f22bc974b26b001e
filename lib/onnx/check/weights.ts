/**
 * Checks that every weight of a graph can be read and is finite.
 *
 * Initializers and Constant nodes, also in subgraphs. Part of `check.ts`.
 */
import { dtypeFromDataType, externalPlace, isExternal, tensorFromProto } from '../../formats/onnx/index.ts'
import type { GraphProto, TensorProto } from '../../formats/onnx/index.ts'
import type { Tensor } from '../../formats/tensors/tensor.ts'
import { RunbookError } from '../../base/errors.ts'
import { subgraphsOf } from './names.ts'

/**
 * Problems with the weights of a graph: unreadable, in another file, or not finite (with the first index and the
 * count).
 */
export function checkWeights(graph: GraphProto): string[] {
  const constants = graph.node.flatMap(node =>
    node.attribute.flatMap(({ t, tensors = [] }) =>
      [...(t === undefined ? [] : [t]), ...tensors].map(tensor => ({
        tensor,
        name: tensor.name || node.output[0] || node.name,
      })),
    ),
  )
  const sparse = (graph.sparseInitializer ?? []).flatMap(({ values }) => values ?? [])
  const named = [...graph.initializer, ...sparse].map(tensor => ({ tensor, name: tensor.name }))
  const own = [...named, ...constants].flatMap(({ tensor, name }) => checkTensor(tensor, name))
  return [...own, ...graph.node.flatMap(subgraphsOf).flatMap(checkWeights)]
}

function checkTensor(proto: TensorProto, name: string): string[] {
  try {
    if (isExternal(proto))
      return [`The tensor "${name}" keeps its values in another file, "${externalPlace(proto).location}"`]
    // Types that no Tensor can hold (strings, 4-bit) have no NaN that could be looked for.
    if (dtypeFromDataType(proto.dataType) === undefined && (proto.dataType ?? 0) > 0) return []
    const tensor = tensorFromProto(proto)
    const bad = notFinite(tensor)
    if (bad === undefined) return []
    const where = `[${indexOf(bad.first, tensor.shape).join(', ')}]`
    const more = bad.count > 1 ? `, the first of ${bad.count}` : ''
    return [`The tensor "${name}" [${tensor.shape.join(', ')}] holds ${bad.what} at ${where}${more}`]
  } catch (thrown) {
    if (thrown instanceof RunbookError) return [thrown.message]
    throw thrown
  }
}

/** Bits that are all ones in an infinity or NaN of the 16-bit types. */
const exponentBits = { float16: 0x7c00, bfloat16: 0x7f80 }

/** The first number of a tensor that is NaN or infinite, and how many there are; undefined when all are finite. */
export function notFinite({
  dtype,
  data,
}: Tensor): { what: 'NaN' | 'infinity'; first: number; count: number } | undefined {
  let first = -1
  let count = 0
  const found = (i: number) => {
    if (count++ === 0) first = i
  }
  if (data instanceof Float32Array || data instanceof Float64Array) {
    // The difference is 0 for every finite number, and NaN for the others.
    for (let i = 0; i < data.length; i++) if (data[i]! - data[i]! !== 0) found(i)
    return count === 0 ? undefined : { what: Number.isNaN(data[first]) ? 'NaN' : 'infinity', first, count }
  }
  if (dtype !== 'float16' && dtype !== 'bfloat16') return undefined
  const mask = exponentBits[dtype]
  const bits = data as Uint16Array
  for (let i = 0; i < bits.length; i++) if ((bits[i]! & mask) === mask) found(i)
  return count === 0 ? undefined : { what: (bits[first]! & ~mask & 0x7fff) === 0 ? 'infinity' : 'NaN', first, count }
}

function indexOf(flat: number, shape: readonly number[]): number[] {
  const index: number[] = []
  let rest = flat
  for (const size of shape.toReversed()) {
    index.unshift(rest % size)
    rest = Math.floor(rest / size)
  }
  return index
}
