/**
 * Writes `.safetensors` files for tests, byte for byte as the reference writer does.
 */
import { usageError } from '../../base/errors.ts'
import { safetensorsTypes, type Safetensors } from '../../formats/tensors/safetensors.ts'
import { bytesFromTensor, elementBytes } from '../../formats/tensors/tensor-bytes.ts'
import type { Tensor } from '../../formats/tensors/tensor.ts'

/**
 * A file of these tensors: the same tensors give the same bytes, whatever their order. Wide types come first, then by
 * name, so that each lies aligned, as the reference writer does.
 *
 * @throws RunbookError usage when a tensor contradicts itself or has a reserved name
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Safetensors['metadata'] = {},
): Uint8Array {
  if (tensors.has('__metadata__'))
    throw usageError('Cannot write the tensor "__metadata__": the name is reserved', 'rename it')
  const sorted = [...tensors].toSorted(([a, x], [b, y]) => width(y) - width(x) || (a < b ? -1 : 1))
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [['__metadata__', metadata]] : []
  const parts: Uint8Array[] = []
  let begin = 0
  for (const [name, tensor] of sorted) {
    const part = bytesFromTensor(tensor)
    header.push([
      name,
      { dtype: safetensorsTypes[tensor.dtype], shape: tensor.shape, data_offsets: [begin, begin + part.length] },
    ])
    parts.push(part)
    begin += part.length
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(header)))
  const padded = Buffer.concat([json, Buffer.alloc(-json.length & 7, ' ')])
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(padded.length))
  return new Uint8Array(Buffer.concat([length, padded, ...parts]))
}

const width = (tensor: Tensor) => elementBytes(tensor.dtype)
