/**
 * Lists the number and the wire form of each field of an ONNX message.
 *
 * The numbers and forms of onnx.proto, IR version 13 (SOURCE: github.com/onnx/onnx, onnx/onnx.proto). The compiler
 * checks that every property of `schema.ts` has its line here. A field that a later version adds is carried as
 * unknown.
 */
import type * as onnx from './schema.ts'

/** How a number is written. `version` is an int64 that is read as a number. */
export type Numeric = 'int32' | 'int64' | 'uint64' | 'version' | 'float' | 'double'
/** The name of a message of ONNX. */
export type MessageName = keyof Messages
/** What one field holds. */
export type Kind = Numeric | 'string' | 'bytes' | MessageName

/**
 * `one`: absent or a value. `name`: text that is '' when absent. `list`: an array that is always there. `many`: an
 * array, absent when empty. `packed`: numbers as one typed array, absent when empty, and written as one block.
 */
export interface FieldSpec {
  readonly number: number
  readonly kind: Kind
  readonly mode: 'one' | 'name' | 'list' | 'many' | 'packed'
}

const one = (number: number, kind: Kind): FieldSpec => ({ number, kind, mode: 'one' })
const name = (number: number): FieldSpec => ({ number, kind: 'string', mode: 'name' })
const list = (number: number, kind: Kind): FieldSpec => ({ number, kind, mode: 'list' })
const many = (number: number, kind: Kind): FieldSpec => ({ number, kind, mode: 'many' })
const packed = (number: number, kind: Numeric): FieldSpec => ({ number, kind, mode: 'packed' })

type FieldsOf<T> = { readonly [K in Exclude<keyof T, 'unknown'>]-?: FieldSpec }
interface Messages {
  ModelProto: onnx.ModelProto
  GraphProto: onnx.GraphProto
  NodeProto: onnx.NodeProto
  AttributeProto: onnx.AttributeProto
  TensorProto: onnx.TensorProto
  ValueInfoProto: onnx.ValueInfoProto
  TypeProto: onnx.TypeProto
  TensorTypeProto: onnx.TensorTypeProto
  ElementTypeProto: onnx.ElementTypeProto
  MapTypeProto: onnx.MapTypeProto
  OpaqueTypeProto: onnx.OpaqueTypeProto
  TensorShapeProto: onnx.TensorShapeProto
  Dimension: onnx.Dimension
  OperatorSetIdProto: onnx.OperatorSetIdProto
  StringStringEntryProto: onnx.StringStringEntryProto
  TensorSegment: onnx.TensorSegment
  SparseTensorProto: onnx.SparseTensorProto
  TensorAnnotation: onnx.TensorAnnotation
  TrainingInfoProto: onnx.TrainingInfoProto
  FunctionProto: onnx.FunctionProto
  DeviceConfigurationProto: onnx.DeviceConfigurationProto
  NodeDeviceConfigurationProto: onnx.NodeDeviceConfigurationProto
  ShardingSpecProto: onnx.ShardingSpecProto
  IntIntListEntryProto: onnx.IntIntListEntryProto
  ShardedDimProto: onnx.ShardedDimProto
  SimpleShardedDimProto: onnx.SimpleShardedDimProto
}

/** Field tables by message. */
export const fieldTables: { readonly [M in MessageName]: FieldsOf<Messages[M]> } = {
  ModelProto: {
    irVersion: one(1, 'version'),
    producerName: one(2, 'string'),
    producerVersion: one(3, 'string'),
    domain: one(4, 'string'),
    modelVersion: one(5, 'version'),
    docString: one(6, 'string'),
    graph: one(7, 'GraphProto'),
    opsetImport: list(8, 'OperatorSetIdProto'),
    metadataProps: list(14, 'StringStringEntryProto'),
    trainingInfo: many(20, 'TrainingInfoProto'),
    functions: many(25, 'FunctionProto'),
    configuration: many(26, 'DeviceConfigurationProto'),
  },
  GraphProto: {
    node: list(1, 'NodeProto'),
    name: name(2),
    initializer: list(5, 'TensorProto'),
    docString: one(10, 'string'),
    input: list(11, 'ValueInfoProto'),
    output: list(12, 'ValueInfoProto'),
    valueInfo: list(13, 'ValueInfoProto'),
    quantizationAnnotation: many(14, 'TensorAnnotation'),
    sparseInitializer: many(15, 'SparseTensorProto'),
    metadataProps: many(16, 'StringStringEntryProto'),
  },
  NodeProto: {
    input: list(1, 'string'),
    output: list(2, 'string'),
    name: name(3),
    opType: name(4),
    attribute: list(5, 'AttributeProto'),
    docString: one(6, 'string'),
    domain: one(7, 'string'),
    overload: one(8, 'string'),
    metadataProps: many(9, 'StringStringEntryProto'),
    deviceConfigurations: many(10, 'NodeDeviceConfigurationProto'),
  },
  AttributeProto: {
    name: name(1),
    f: one(2, 'float'),
    i: one(3, 'int64'),
    s: one(4, 'bytes'),
    t: one(5, 'TensorProto'),
    g: one(6, 'GraphProto'),
    floats: many(7, 'float'),
    ints: many(8, 'int64'),
    strings: many(9, 'bytes'),
    tensors: many(10, 'TensorProto'),
    graphs: many(11, 'GraphProto'),
    docString: one(13, 'string'),
    tp: one(14, 'TypeProto'),
    typeProtos: many(15, 'TypeProto'),
    type: one(20, 'int32'),
    refAttrName: one(21, 'string'),
    sparseTensor: one(22, 'SparseTensorProto'),
    sparseTensors: many(23, 'SparseTensorProto'),
  },
  TensorProto: {
    dims: list(1, 'int64'),
    dataType: one(2, 'int32'),
    segment: one(3, 'TensorSegment'),
    floatData: packed(4, 'float'),
    int32Data: packed(5, 'int32'),
    stringData: many(6, 'bytes'),
    int64Data: packed(7, 'int64'),
    name: name(8),
    rawData: one(9, 'bytes'),
    doubleData: packed(10, 'double'),
    uint64Data: packed(11, 'uint64'),
    docString: one(12, 'string'),
    externalData: many(13, 'StringStringEntryProto'),
    dataLocation: one(14, 'int32'),
    metadataProps: many(16, 'StringStringEntryProto'),
  },
  ValueInfoProto: {
    name: name(1),
    type: one(2, 'TypeProto'),
    docString: one(3, 'string'),
    metadataProps: many(4, 'StringStringEntryProto'),
  },
  TypeProto: {
    tensorType: one(1, 'TensorTypeProto'),
    sequenceType: one(4, 'ElementTypeProto'),
    mapType: one(5, 'MapTypeProto'),
    denotation: one(6, 'string'),
    opaqueType: one(7, 'OpaqueTypeProto'),
    sparseTensorType: one(8, 'TensorTypeProto'),
    optionalType: one(9, 'ElementTypeProto'),
  },
  TensorTypeProto: { elemType: one(1, 'int32'), shape: one(2, 'TensorShapeProto') },
  ElementTypeProto: { elemType: one(1, 'TypeProto') },
  MapTypeProto: { keyType: one(1, 'int32'), valueType: one(2, 'TypeProto') },
  OpaqueTypeProto: { domain: one(1, 'string'), name: one(2, 'string') },
  TensorShapeProto: { dim: list(1, 'Dimension') },
  Dimension: { dimValue: one(1, 'int64'), dimParam: one(2, 'string'), denotation: one(3, 'string') },
  OperatorSetIdProto: { domain: one(1, 'string'), version: one(2, 'version') },
  StringStringEntryProto: { key: name(1), value: name(2) },
  TensorSegment: { begin: one(1, 'int64'), end: one(2, 'int64') },
  SparseTensorProto: { values: one(1, 'TensorProto'), indices: one(2, 'TensorProto'), dims: list(3, 'int64') },
  TensorAnnotation: { tensorName: one(1, 'string'), quantParameterTensorNames: list(2, 'StringStringEntryProto') },
  TrainingInfoProto: {
    initialization: one(1, 'GraphProto'),
    algorithm: one(2, 'GraphProto'),
    initializationBinding: list(3, 'StringStringEntryProto'),
    updateBinding: list(4, 'StringStringEntryProto'),
  },
  FunctionProto: {
    name: name(1),
    input: list(4, 'string'),
    output: list(5, 'string'),
    attribute: list(6, 'string'),
    node: list(7, 'NodeProto'),
    docString: one(8, 'string'),
    opsetImport: list(9, 'OperatorSetIdProto'),
    domain: one(10, 'string'),
    attributeProto: many(11, 'AttributeProto'),
    valueInfo: many(12, 'ValueInfoProto'),
    overload: one(13, 'string'),
    metadataProps: many(14, 'StringStringEntryProto'),
  },
  DeviceConfigurationProto: { name: one(1, 'string'), numDevices: one(2, 'int32'), device: list(3, 'string') },
  NodeDeviceConfigurationProto: {
    configurationId: one(1, 'string'),
    shardingSpec: list(2, 'ShardingSpecProto'),
    pipelineStage: one(3, 'int32'),
  },
  ShardingSpecProto: {
    tensorName: one(1, 'string'),
    device: list(2, 'int64'),
    indexToDeviceGroupMap: list(3, 'IntIntListEntryProto'),
    shardedDim: list(4, 'ShardedDimProto'),
  },
  IntIntListEntryProto: { key: one(1, 'int64'), value: list(2, 'int64') },
  ShardedDimProto: { axis: one(1, 'int64'), simpleSharding: list(2, 'SimpleShardedDimProto') },
  SimpleShardedDimProto: { dimValue: one(1, 'int64'), dimParam: one(2, 'string'), numShards: one(3, 'int64') },
}

/** A field with the name of its property. */
export interface Field extends FieldSpec {
  readonly name: string
}

/** The fields of a message, in the order of their numbers. */
export const fieldsOf = {} as Record<MessageName, readonly Field[]>
/** The fields of a message by number. */
export const fieldsByNumber = {} as Record<MessageName, ReadonlyMap<number, Field>>

for (const [message, table] of Object.entries(fieldTables) as [MessageName, Record<string, FieldSpec>][]) {
  const fields = Object.entries(table).map(([name, { number, kind, mode }]): Field => ({ name, number, kind, mode }))
  fields.sort((a, b) => a.number - b.number)
  fieldsOf[message] = fields
  fieldsByNumber[message] = new Map(fields.map(field => [field.number, field]))
}

/** Whether a kind is a message of its own. */
export const isMessage = (kind: Kind): kind is MessageName => Object.hasOwn(fieldTables, kind)
