/**
 * The types of an ONNX model: the messages of onnx.proto (IR version 13), with their fields in camelCase.
 *
 * Lists that readers walk (`node`, `input`, `attribute`, …) and names are always there; every other field is absent
 * when the file has none. int64 fields are bigint, so that nothing is lost; versions and enumerations are numbers;
 * bytes are views into the file. `unknown` holds whole records of fields that the table (`fields.ts`) does not
 * know. The codec is `index.ts`, easy access `access.ts`.
 */

/** What every message may carry beside its own fields. */
export interface Message {
  unknown?: Uint8Array[]
}

/** A model file: one graph, and the operator sets that it uses. */
export interface ModelProto extends Message {
  irVersion?: number
  producerName?: string
  producerVersion?: string
  domain?: string
  modelVersion?: number
  docString?: string
  graph: GraphProto
  opsetImport: OperatorSetIdProto[]
  metadataProps: StringStringEntryProto[]
  trainingInfo?: TrainingInfoProto[]
  functions?: FunctionProto[]
  configuration?: DeviceConfigurationProto[]
}

/** Nodes in an order in which they can run, weights, inputs and outputs. */
export interface GraphProto extends Message {
  node: NodeProto[]
  name: string
  initializer: TensorProto[]
  docString?: string
  input: ValueInfoProto[]
  output: ValueInfoProto[]
  valueInfo: ValueInfoProto[]
  quantizationAnnotation?: TensorAnnotation[]
  sparseInitializer?: SparseTensorProto[]
  metadataProps?: StringStringEntryProto[]
}

/** `input` and `output` are names of values; an empty name stands for an optional one left out. */
export interface NodeProto extends Message {
  input: string[]
  output: string[]
  name: string
  opType: string
  attribute: AttributeProto[]
  docString?: string
  domain?: string
  overload?: string
  metadataProps?: StringStringEntryProto[]
  deviceConfigurations?: NodeDeviceConfigurationProto[]
}

/** `type` (see `attributeTypes`) says which of the payloads counts. `s` and `strings` are UTF-8 bytes. */
export interface AttributeProto extends Message {
  name: string
  f?: number
  i?: bigint
  s?: Uint8Array
  t?: TensorProto
  g?: GraphProto
  floats?: number[]
  ints?: bigint[]
  strings?: Uint8Array[]
  tensors?: TensorProto[]
  graphs?: GraphProto[]
  docString?: string
  tp?: TypeProto
  typeProtos?: TypeProto[]
  type?: number
  refAttrName?: string
  sparseTensor?: SparseTensorProto
  sparseTensors?: SparseTensorProto[]
}

/**
 * `dataType`: see `dataTypes`. The values lie in `rawData` (little-endian), or in one of the typed lists, or in another
 * file.
 */
export interface TensorProto extends Message {
  dims: bigint[]
  dataType?: number
  segment?: TensorSegment
  floatData?: Float32Array
  int32Data?: Int32Array
  stringData?: Uint8Array[]
  int64Data?: BigInt64Array
  name: string
  rawData?: Uint8Array
  doubleData?: Float64Array
  uint64Data?: BigUint64Array
  docString?: string
  externalData?: StringStringEntryProto[]
  /** 0: here; 1: in the file that `externalData` names. */
  dataLocation?: number
  metadataProps?: StringStringEntryProto[]
}

/** The name, type and shape of an input, an output or a value between. */
export interface ValueInfoProto extends Message {
  name: string
  type?: TypeProto
  docString?: string
  metadataProps?: StringStringEntryProto[]
}

/** One of the seven kinds is set. */
export interface TypeProto extends Message {
  tensorType?: TensorTypeProto
  sequenceType?: ElementTypeProto
  mapType?: MapTypeProto
  denotation?: string
  opaqueType?: OpaqueTypeProto
  sparseTensorType?: TensorTypeProto
  optionalType?: ElementTypeProto
}
/** A tensor: its element type (see `dataTypes`) and its shape, where known. */
export interface TensorTypeProto extends Message {
  elemType?: number
  shape?: TensorShapeProto
}
/** A sequence or an optional value of one type. */
export interface ElementTypeProto extends Message {
  elemType?: TypeProto
}
/** A map from keys of one type to values of another. */
export interface MapTypeProto extends Message {
  keyType?: number
  valueType?: TypeProto
}
/** A type of its own domain, which ONNX does not describe. */
export interface OpaqueTypeProto extends Message {
  domain?: string
  name?: string
}
/** The dimensions of a tensor, outermost first. */
export interface TensorShapeProto extends Message {
  dim: Dimension[]
}
/** A number, or a name, or neither (unknown). */
export interface Dimension extends Message {
  dimValue?: bigint
  dimParam?: string
  denotation?: string
}

/** A version of the operators of one domain; the empty domain is ONNX itself. */
export interface OperatorSetIdProto extends Message {
  domain?: string
  version?: number
}
/** One entry of the metadata. */
export interface StringStringEntryProto extends Message {
  key: string
  value: string
}
/** Which part of a larger tensor this one is. */
export interface TensorSegment extends Message {
  begin?: bigint
  end?: bigint
}
/** A tensor given by its non-zero values and where they stand. */
export interface SparseTensorProto extends Message {
  values?: TensorProto
  indices?: TensorProto
  dims: bigint[]
}
/** Names of the scale and zero point that belong to a tensor. */
export interface TensorAnnotation extends Message {
  tensorName?: string
  quantParameterTensorNames: StringStringEntryProto[]
}
/** Graphs that initialise and train a model. */
export interface TrainingInfoProto extends Message {
  initialization?: GraphProto
  algorithm?: GraphProto
  initializationBinding: StringStringEntryProto[]
  updateBinding: StringStringEntryProto[]
}
/** An operator that the model defines by other operators. */
export interface FunctionProto extends Message {
  name: string
  input: string[]
  output: string[]
  attribute: string[]
  node: NodeProto[]
  docString?: string
  opsetImport: OperatorSetIdProto[]
  domain?: string
  attributeProto?: AttributeProto[]
  valueInfo?: ValueInfoProto[]
  overload?: string
  metadataProps?: StringStringEntryProto[]
}
/** A group of devices that a model may be spread over. */
export interface DeviceConfigurationProto extends Message {
  name?: string
  numDevices?: number
  device: string[]
}
/** How one node is spread over a group of devices. */
export interface NodeDeviceConfigurationProto extends Message {
  configurationId?: string
  shardingSpec: ShardingSpecProto[]
  pipelineStage?: number
}
/** How one tensor is spread over devices. */
export interface ShardingSpecProto extends Message {
  tensorName?: string
  device: bigint[]
  indexToDeviceGroupMap: IntIntListEntryProto[]
  shardedDim: ShardedDimProto[]
}
/** A device, and the devices that it stands for. */
export interface IntIntListEntryProto extends Message {
  key?: bigint
  value: bigint[]
}
/** How one axis of a tensor is spread. */
export interface ShardedDimProto extends Message {
  axis?: bigint
  simpleSharding: SimpleShardedDimProto[]
}
/** In how many parts one dimension is cut. */
export interface SimpleShardedDimProto extends Message {
  dimValue?: bigint
  dimParam?: string
  numShards?: bigint
}

/**
 * TensorProto.DataType: the element types that `Tensor` knows. Others (string, complex, float8, int4) have no number
 * here.
 */
export const dataTypes = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
} as const

/** AttributeProto.AttributeType. */
export const attributeTypes = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  tensors: 9,
  graphs: 10,
  sparseTensor: 11,
  sparseTensors: 12,
  typeProto: 13,
  typeProtos: 14,
} as const
