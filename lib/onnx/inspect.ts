/**
 * Counts what a graph holds, and what it costs to run once.
 *
 * Conventions. Parameters: elements of float initializers and float Constants that are read, those in the bodies of If,
 * Loop and Scan included (of both branches). MACs: multiply-accumulates of Conv, ConvTranspose, Gemm, MatMul and the
 * recurrent layers; bias, elementwise and pooling are not counted. Peak activations: nodes run in the order of the
 * file; a value lives from the node that makes it (an input of the graph: from the start) to its last reader (an output
 * of the graph: to the end); views and in-place work are not modelled, weights are apart.
 */
import {
  attributeInt,
  attributeTensor,
  bytesPerElement,
  dimsOf,
  dtypeFromDataType,
  dtypeOf,
  hasShape,
  tensorDims,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from '../formats/onnx/index.ts'
import { sizeOf } from '../formats/tensors/tensor.ts'
import { convolutionMacs } from './shapes/rules-convolution.ts'
import { productOf } from './shapes/value.ts'
import { inferShapes, type ValueShape } from './shapes/infer.ts'

/**
 * A value at the border of a graph. `dtype` is null and `shape` is null where the file declares none that is known
 * here.
 */
export interface Port {
  readonly name: string
  readonly dtype: string | null
  readonly shape: readonly (number | string)[] | null
}

/** What `inspect` finds. */
export interface Inspection {
  readonly inputs: readonly Port[]
  readonly outputs: readonly Port[]
  /** Operator to count, in the order of the alphabet; a foreign domain stands before it, `com.microsoft.QLinearAdd`. */
  readonly ops: Readonly<Record<string, number>>
  readonly parameters: number
  readonly macs: number
  readonly weightBytes: number
  readonly peakActivationBytes: number
  /** Values whose size is not known. When there are any, `macs` and `peakActivationBytes` are lower bounds. */
  readonly unsized: readonly string[]
}

/**
 * Look at a model without running it.
 * @param options.dims numbers for named dimensions, such as `{ batch: 1 }`
 * @throws RunbookError usage when the graph contradicts itself (`inferShapes`)
 * @example
 * ```ts
 * import { convTasNetGraph } from './lib/models/convtasnet/graph.ts'
 * import { convTasNetOptions } from './lib/models/convtasnet/options.ts'
 *
 * const { parameters, macs } = inspect(convTasNetGraph(convTasNetOptions({ nFilters: 32, nBlocks: 2 })))
 * assert.ok(parameters > 0 && macs > parameters)
 * ```
 */
export function inspect(model: ModelProto, options: { dims?: Readonly<Record<string, number>> } = {}): Inspection {
  const { graph } = model
  const shapes = inferShapes(model, options)
  const weights = weightsOf(graph)
  const port = (info: ValueInfoProto): Port =>
    shapes.has(info.name)
      ? { name: info.name, ...shapes.get(info.name)! }
      : { name: info.name, dtype: dtypeOf(info) ?? null, shape: hasShape(info) ? dimsOf(info) : null }
  const activations = activationsOf(graph, weights)
  const all = [...weights.values(), ...bodyWeights(graph)]
  return {
    inputs: graph.input.filter(({ name }) => !weights.has(name)).map(port),
    outputs: graph.output.map(port),
    ops: histogramOf(graph),
    parameters: sum(all.filter(isFloat), tensor => sizeOf(tensorDims(tensor))),
    macs: sum(graph.node, node => macsOf(node, shapes) ?? 0),
    weightBytes: sum(all, bytesOfTensor),
    peakActivationBytes: peakOf(graph, activations, shapes),
    unsized: activations.filter(name => bytesOf(shapes.get(name)) === undefined),
  }
}

const sum = <T>(items: readonly T[], size: (item: T) => number): number =>
  items.reduce((total, item) => total + size(item), 0)

const isFloat = (tensor: TensorProto): boolean => dtypeFromDataType(tensor.dataType)?.includes('float') ?? false

function bytesOfTensor(tensor: TensorProto): number {
  const dtype = dtypeFromDataType(tensor.dataType)
  return dtype === undefined ? (tensor.rawData?.length ?? 0) : sizeOf(tensorDims(tensor)) * bytesPerElement(dtype)
}

/** Initializers and tensors of Constant nodes that a node or an output of the graph reads, by name. */
function weightsOf(graph: GraphProto): Map<string, TensorProto> {
  const read = new Set(readIn(graph))
  const constants = graph.node.flatMap((node): [string, TensorProto][] => {
    const tensor = node.opType === 'Constant' ? attributeTensor(node, 'value') : undefined
    return tensor ? [[node.output[0]!, tensor]] : []
  })
  const all = [...graph.initializer.map((tensor): [string, TensorProto] => [tensor.name, tensor]), ...constants]
  return new Map(all.filter(([name]) => read.has(name)))
}

/** Graphs in the attributes of a node. */
const bodiesOf = (node: NodeProto): GraphProto[] =>
  node.attribute.flatMap(({ g, graphs = [] }) => (g ? [g, ...graphs] : graphs))

/** Names that the nodes, the bodies and the outputs of a graph read. */
const readIn = (graph: GraphProto): string[] => [
  ...graph.node.flatMap(node => [...node.input, ...bodiesOf(node).flatMap(readIn)]),
  ...graph.output.map(({ name }) => name),
]

/** Weights that stand in the bodies of a graph's nodes, however deep. */
const bodyWeights = (graph: GraphProto): TensorProto[] =>
  graph.node.flatMap(bodiesOf).flatMap(body => [...weightsOf(body).values(), ...bodyWeights(body)])

function histogramOf(graph: GraphProto): Record<string, number> {
  const counts = new Map<string, number>()
  for (const { opType, domain } of graph.node) {
    const name = domain && domain !== 'ai.onnx' ? `${domain}.${opType}` : opType
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return Object.fromEntries([...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** Inputs of the graph and node outputs that are not constants. */
function activationsOf(graph: GraphProto, weights: ReadonlyMap<string, TensorProto>): string[] {
  const stored = new Set(graph.initializer.map(({ name }) => name))
  const made = graph.node.filter(({ opType }) => opType !== 'Constant').flatMap(node => node.output)
  return [...graph.input.map(({ name }) => name), ...made].filter(
    name => name !== '' && !stored.has(name) && !weights.has(name),
  )
}

function bytesOf(value: ValueShape | undefined): number | undefined {
  const size = value && productOf(value.shape)
  return value && size !== undefined ? size * bytesPerElement(value.dtype) : undefined
}

function peakOf(graph: GraphProto, activations: readonly string[], shapes: ReadonlyMap<string, ValueShape>): number {
  const bytes = new Map(activations.map(name => [name, bytesOf(shapes.get(name)) ?? 0]))
  const outputs = new Set(graph.output.map(({ name }) => name))
  const lastReader = new Map(graph.node.flatMap((node, i) => node.input.map(name => [name, i] as const)))
  const made = new Set(graph.node.flatMap(node => node.output))
  let live = sum(
    [...bytes].filter(([name]) => !made.has(name)),
    ([, size]) => size,
  )
  let peak = live
  for (const [i, node] of graph.node.entries()) {
    live += sum(node.output, name => bytes.get(name) ?? 0)
    peak = Math.max(peak, live)
    const done = new Set([
      ...node.input.filter(name => lastReader.get(name) === i),
      ...node.output.filter(name => !lastReader.has(name)),
    ])
    live -= sum(
      [...done].filter(name => !outputs.has(name)),
      name => bytes.get(name) ?? 0,
    )
  }
  return peak
}

const recurrentGates: Readonly<Record<string, number>> = { LSTM: 4, GRU: 3, RNN: 1 }

/** The multiply-accumulates of one node; undefined when its shapes are not known. */
function macsOf(node: NodeProto, shapes: ReadonlyMap<string, ValueShape>): number | undefined {
  const [a, b, c] = node.input.map(name => shapes.get(name)?.shape)
  const y = shapes.get(node.output.find(name => name !== '') ?? '')?.shape
  if (a === undefined || b === undefined) return undefined
  if (node.opType === 'Conv' || node.opType === 'ConvTranspose') return y && convolutionMacs(node.opType, a, b, y)
  if (node.opType === 'QLinearConv') {
    const weight = shapes.get(node.input[3]!)?.shape
    return y && weight && convolutionMacs('Conv', a, weight, y)
  }
  if (node.opType === 'Gemm') return y && productOf([...y, (attributeInt(node, 'transA') === 1 ? a[0] : a[1])!])
  if (/^(QLinear)?MatMul(Integer)?$/.test(node.opType)) return y && productOf([...y, a.at(-1)!])
  const gates = recurrentGates[node.opType]
  if (gates === undefined || c === undefined) return undefined
  // Every step of every direction multiplies the input by W [directions, gates · hidden, input] and the state by R.
  const steps = productOf(a.slice(0, 2))
  const [fromInput, fromState] = [productOf(b), productOf(c)]
  return steps === undefined || fromInput === undefined || fromState === undefined
    ? undefined
    : steps * (fromInput + fromState)
}
