/**
 * Reads and makes ONNX messages without knowledge of their wire form.
 *
 * Attributes by name, dimensions as numbers, new messages with their lists filled in. Nothing here parses bytes
 * (`index.ts`) or knows an operator.
 */
import { arrayOf, type Dtype } from '../tensors/tensor.ts'
import { attributeTypes, dataTypes } from './schema.ts'
import type {
  AttributeProto,
  Dimension,
  GraphProto,
  ModelProto,
  NodeProto,
  TensorProto,
  ValueInfoProto,
} from './schema.ts'
import { usageError } from '../../base/errors.ts'

/** The attribute of that name, if the node has it. */
export const attributeOf = (node: NodeProto, name: string): AttributeProto | undefined =>
  node.attribute.find(attribute => attribute.name === name)

/**
 * A bigint as a number.
 *
 * @throws RunbookError usage beyond ±(2^53 − 1); `what` names it
 */
export function safeNumber(value: bigint, what: string): number {
  const number = Number(value)
  if (Number.isSafeInteger(number)) return number
  throw usageError(`Cannot use ${what}: ${value} is beyond 2^53`, 'read it as bigint')
}

/**
 * An INT attribute as a number; undefined when absent. int64 limits (±2^63, "to the end") come as the nearest double.
 */
export function attributeInt(node: NodeProto, name: string): number | undefined {
  const value = attributeOf(node, name)?.i
  return value === undefined ? undefined : Number(value)
}

/** An INTS attribute as numbers (empty when declared empty); undefined when absent. */
export function attributeInts(node: NodeProto, name: string): number[] | undefined {
  const attribute = attributeOf(node, name)
  if (attribute === undefined) return undefined
  return attribute.ints?.map(Number) ?? (attribute.type === attributeTypes.ints ? [] : undefined)
}

/** A FLOAT attribute; undefined when absent. */
export const attributeFloat = (node: NodeProto, name: string): number | undefined => attributeOf(node, name)?.f

/** A FLOATS attribute (empty when declared empty); undefined when absent. */
export function attributeFloats(node: NodeProto, name: string): number[] | undefined {
  const attribute = attributeOf(node, name)
  if (attribute === undefined) return undefined
  return attribute.floats ?? (attribute.type === attributeTypes.floats ? [] : undefined)
}

/** A STRING attribute as text; undefined when absent. */
export function attributeString(node: NodeProto, name: string): string | undefined {
  const bytes = attributeOf(node, name)?.s
  return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}

/** A TENSOR attribute; undefined when absent. `tensorFromProto` turns it into values. */
export const attributeTensor = (node: NodeProto, name: string): TensorProto | undefined => attributeOf(node, name)?.t

/**
 * The dimensions of a tensor message as numbers.
 *
 * @throws RunbookError usage when negative or beyond 2^53
 */
export function tensorDims(tensor: TensorProto): number[] {
  return tensor.dims.map(dim => {
    if (dim >= 0n) return safeNumber(dim, `a dimension of the tensor "${tensor.name}"`)
    throw usageError(`Cannot use the tensor "${tensor.name}": it has a dimension of ${dim}`, 'export the model again')
  })
}

/** The dimensions of a value: a number, or a name ('' when the file says neither). [] also when none are declared. */
export const dimsOf = (value: ValueInfoProto): (number | string)[] =>
  (value.type?.tensorType?.shape?.dim ?? []).map(dim =>
    dim.dimValue === undefined ? (dim.dimParam ?? '') : Number(dim.dimValue),
  )

/** Whether the value declares a tensor shape at all; a scalar does, with no dimension. */
export const hasShape = (value: ValueInfoProto): boolean => value.type?.tensorType?.shape !== undefined

const dtypeNames = new Map<number, Dtype>((Object.keys(dataTypes) as Dtype[]).map(name => [dataTypes[name], name]))

/**
 * The element type of a TensorProto.DataType number; undefined for those that `Tensor` does not know (string, float8,
 * …).
 */
export const dtypeFromDataType = (dataType: number | undefined): Dtype | undefined => dtypeNames.get(dataType ?? 0)

/** The declared element type of a value; undefined when it is no tensor or of a type that `Tensor` does not know. */
export const dtypeOf = (value: ValueInfoProto): Dtype | undefined => dtypeFromDataType(value.type?.tensorType?.elemType)

/** Bytes that one element takes. */
export const bytesPerElement = (dtype: Dtype): number => arrayOf[dtype].BYTES_PER_ELEMENT

/**
 * A node message with the lists that were not given empty. `attributeFrom` in `lib/onnx/builder.ts` makes attributes.
 */
export const newNode = (fields: Partial<NodeProto> & Pick<NodeProto, 'opType'>): NodeProto => ({
  input: [],
  output: [],
  name: '',
  attribute: [],
  ...fields,
})

/** A graph message with the lists that were not given empty. */
export const newGraph = (fields: Partial<GraphProto> = {}): GraphProto => ({
  node: [],
  name: '',
  initializer: [],
  input: [],
  output: [],
  valueInfo: [],
  ...fields,
})

/** A model message with the lists that were not given empty. */
export const newModel = (fields: Partial<ModelProto> = {}): ModelProto => ({
  graph: newGraph(),
  opsetImport: [],
  metadataProps: [],
  ...fields,
})

/** A value of a tensor type. A dimension is a number, a name, or '' for unknown; no `shape` leaves the rank open. */
export function newValueInfo(name: string, dtype: Dtype, shape?: readonly (number | string)[]): ValueInfoProto {
  const dim = shape?.map((d): Dimension =>
    typeof d === 'number' ? { dimValue: BigInt(d) } : d === '' ? {} : { dimParam: d },
  )
  return { name, type: { tensorType: { elemType: dataTypes[dtype], ...(dim && { shape: { dim } }) } } }
}

/** The version of an operator set that the model imports ('' is ONNX's own); undefined when it imports none. */
export const opsetOf = (model: ModelProto, domain = ''): number | undefined =>
  model.opsetImport.find(opset => normalDomain(opset.domain) === domain)?.version

/** ONNX's own domain has two names, '' and 'ai.onnx'. */
export const normalDomain = (domain: string | undefined): string => (domain === 'ai.onnx' ? '' : (domain ?? ''))
