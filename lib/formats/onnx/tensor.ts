/**
 * Reads the values of a tensor message, and makes one from values.
 *
 * Values lie in `rawData` (little-endian, as every machine that Node runs on), in a typed list, or in another file.
 * Strings, complex, 8-bit floats and packed 4-bit types are refused by name.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { isAbsolute, join, normalize } from 'node:path'
import { fileError } from '../../host/files.ts'
import { blockedError, usageError } from '../../base/errors.ts'
import { dtypeFromDataType, tensorDims } from './access.ts'
import { dataTypes, type TensorProto } from './schema.ts'
import { arrayOf, describe, sizeOf, type Dtype, type Tensor, type TensorData } from '../tensors/tensor.ts'

/** Whether the values lie in another file. */
export const isExternal = (tensor: TensorProto): boolean => tensor.dataLocation === 1

/**
 * The values of a tensor message. Data may be a view into the file: do not write to it.
 * @param options.folder where the model lies, for weights that it keeps in another file
 * @throws RunbookError usage when the values do not fit the dimensions, or the type has no numbers; blocked when they
 *   lie in a file that is absent or not given
 */
export function tensorFromProto(tensor: TensorProto, options: { folder?: string } = {}): Tensor {
  const dtype = dtypeFromDataType(tensor.dataType)
  if (dtype === undefined) {
    const type = typeNames[tensor.dataType ?? 0] ?? tensor.dataType
    const hint = 'float32, float64, float16, bfloat16, bool and the integers of 8 to 64 bits can be read'
    throw usageError(`Cannot read the tensor "${tensor.name}": its element type is ${type}`, hint)
  }
  if (tensor.segment) throw refusal(tensor.name, 'it is stored in segments')
  const shape = tensorDims(tensor)
  const data = isExternal(tensor)
    ? fromRaw(dtype, readExternal(tensor, options.folder), tensor.name)
    : valuesOf(tensor, dtype)
  if (data.length !== sizeOf(shape)) {
    throw refusal(
      tensor.name,
      `it holds ${data.length} values, its shape ${describe({ dtype, shape })} takes ${sizeOf(shape)}`,
    )
  }
  return { dtype, shape, data }
}

const refusal = (name: string, state: string) =>
  usageError(`Cannot read the tensor "${name}": ${state}`, 'export the model again')

const typeNames: Record<number, string> = {
  0: 'undefined',
  8: 'string',
  14: 'complex64',
  15: 'complex128',
  17: 'float8e4m3fn',
  18: 'float8e4m3fnuz',
  19: 'float8e5m2',
  20: 'float8e5m2fnuz',
  21: 'uint4',
  22: 'int4',
  23: 'float4e2m1',
  24: 'float8e8m0',
}

function valuesOf(tensor: TensorProto, dtype: Dtype): TensorData {
  const typed = typedData(tensor, dtype)
  const { rawData: raw, name } = tensor
  if (raw !== undefined && (raw.length > 0 || typed === undefined)) return fromRaw(dtype, raw, name)
  if (typed === undefined) return new arrayOf[dtype](0)
  const Target = arrayOf[dtype]
  if (typed instanceof Target) return typed
  // int32_data carries the narrower types, one value (or the bits of one) each; uint64_data carries uint32.
  if (typed instanceof BigUint64Array) return Uint32Array.from(typed, Number)
  return (Target as typeof Int8Array).from(typed as Int32Array)
}

function typedData(tensor: TensorProto, dtype: Dtype): TensorData | undefined {
  if (dtype === 'float32') return tensor.floatData
  if (dtype === 'float64') return tensor.doubleData
  if (dtype === 'int64') return tensor.int64Data
  if (dtype === 'uint32' || dtype === 'uint64') return tensor.uint64Data
  return tensor.int32Data
}

function fromRaw(dtype: Dtype, raw: Uint8Array, name: string): TensorData {
  const Target = arrayOf[dtype]
  const width = Target.BYTES_PER_ELEMENT
  if (raw.length % width !== 0) throw refusal(name, `${raw.length} bytes are no whole number of ${dtype}`)
  // A typed array wants its memory aligned, and bytes in a file lie anywhere: copy those that do not fit.
  const aligned = raw.byteOffset % width === 0 ? raw : Uint8Array.from(raw)
  return new Target(aligned.buffer as ArrayBuffer, aligned.byteOffset, raw.length / width)
}

/**
 * What `externalData` says: which file, from which byte, and how many (undefined: to the end).
 *
 * @throws RunbookError usage
 */
export function externalPlace(tensor: TensorProto): { location: string; offset: number; length?: number } {
  const entries = new Map((tensor.externalData ?? []).map(({ key, value }) => [key, value]))
  const number = (key: string) => {
    const text = entries.get(key)
    if (text === undefined) return undefined
    const value = Number(text)
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw refusal(tensor.name, `its ${key} is "${text}"`)
    return value
  }
  const location = entries.get('location')
  if (!location) throw refusal(tensor.name, 'it lies in another file, and does not say which')
  // A model from somewhere else must not read what lies outside its folder.
  const isOutside = isAbsolute(location) || normalize(location).startsWith('..')
  if (isOutside) throw refusal(tensor.name, `it lies in "${location}", outside the model's folder`)
  const length = number('length')
  return { location, offset: number('offset') ?? 0, ...(length !== undefined && { length }) }
}

function readExternal(tensor: TensorProto, folder: string | undefined): Uint8Array {
  const { location, offset, length } = externalPlace(tensor)
  if (folder === undefined) {
    const hint = 'give the folder that the model lies in'
    throw blockedError(`Cannot read the tensor "${tensor.name}": its values lie in "${location}"`, hint)
  }
  const path = join(folder, location)
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (thrown) {
    throw fileError('read', path, thrown)
  }
  try {
    const size = fstatSync(file).size
    const wanted = length ?? Math.max(0, size - offset)
    if (offset + wanted > size) {
      const state = `the tensor "${tensor.name}" wants bytes ${offset} to ${offset + wanted}, the file has ${size}`
      throw usageError(`Cannot read "${path}": ${state}`, 'copy the file again')
    }
    const bytes = new Uint8Array(wanted)
    for (let at = 0; at < wanted;) {
      const count = readSync(file, bytes, at, wanted - at, offset + at)
      if (count === 0)
        throw usageError(`Cannot read "${path}": it became shorter while it was read`, 'copy the file again')
      at += count
    }
    return bytes
  } finally {
    closeSync(file)
  }
}

/**
 * A tensor message whose `rawData` is a view of the tensor's memory.
 *
 * @throws RunbookError usage when the data does not fit the shape
 */
export function protoFromTensor(name: string, tensor: Tensor): TensorProto {
  const { data, dtype, shape } = tensor
  if (data.length !== sizeOf(shape)) {
    throw usageError(`Cannot store "${name}" as ${describe(tensor)}: it holds ${data.length} values`, 'check the shape')
  }
  const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return { dims: shape.map(BigInt), dataType: dataTypes[dtype], name, rawData }
}
