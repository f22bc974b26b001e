/**
 * Decides which nodes of a float graph run in int8, and which values between them are quantised.
 *
 * As an integer device does it: convolutions and products always; sums, masks and activations when they follow such a
 * node; views pass integers on unchanged. Every other operator stays in float, and so does whatever stands between an
 * input and the first product. A Relu or Clip straight after a node belongs to it: only its output is quantised.
 * Nothing is computed here; `quantize.ts` writes the graph.
 */
import {
  attributeTensor,
  dtypeFromDataType,
  normalDomain,
  tensorFromProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from '../../formats/onnx/index.ts'
import type { Range } from './range.ts'
import { inferShapes } from '../shapes/infer.ts'

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '))

const weighted = words('Conv ConvTranspose Gemm MatMul')
const following = words('Add Mul Relu Clip Sigmoid LeakyRelu Softmax AveragePool GlobalAveragePool Concat Pad')
const views = words(
  'MaxPool GlobalMaxPool Reshape Squeeze Unsqueeze Flatten Transpose Slice Split Identity Expand Tile Gather',
)
const clamps = words('Relu Clip')
const clampable = words('Conv ConvTranspose Gemm MatMul Add Sub Mul')
/** Operators whose every input is data; of the others only input 0 is (and input 1 of the weighted ones). */
const allData = words('Add Sub Mul Concat')

/** What an operator can give at most, whatever calibration saw. */
const fixedRanges: Readonly<Record<string, Range>> = {
  Sigmoid: { min: 0, max: 1 },
  HardSigmoid: { min: 0, max: 1 },
  Softmax: { min: 0, max: 1 },
  Tanh: { min: -1, max: 1 },
}

/** Beyond these inputs the output moves by less than a quarter of its own step, so no steps are spent there. */
const saturation: Readonly<Record<string, number>> = { Sigmoid: 8, Tanh: 4 }

/** A value to be quantised. */
export interface PlannedValue {
  /** `integer`: an int8 node makes it, so that every reader gets the integers. Of the others only int8 readers do. */
  readonly from: 'input' | 'integer' | 'float'
  /** The value whose scale it shares: itself, or what it is a view of. */
  readonly root: string
}

/** What becomes an integer, and by which range. */
export interface QuantizationPlan {
  readonly integerNodes: ReadonlySet<NodeProto>
  readonly values: ReadonlyMap<string, PlannedValue>
  /** Float32 initializers and tensors of Constant nodes, by name. */
  readonly constants: ReadonlyMap<string, TensorProto>
  /** Names that the body of an If, Loop or Scan reads. */
  readonly captured: ReadonlySet<string>
  /**
   * The range of a root, narrowed or fixed where its operator says more than calibration; undefined when `ranges` lacks
   * it.
   */
  rangeOf(root: string): Range | undefined
}

/** Whether input `i` of an int8 node is data or weight, and not an axis, a shape or a bias. */
export const isDataInput = (node: NodeProto, i: number): boolean =>
  i === 0 || allData.has(node.opType) || (weighted.has(node.opType) && i === 1)

/**
 * Values that clipping must leave alone: those that are squared, and those that an operator reads which stays in float.
 * A mean, a logarithm or a quotient of clipped values is wrong by far more than a step.
 */
export function unclippedValues({ node }: GraphProto): ReadonlySet<string> {
  const isSquare = ({ opType, input }: NodeProto) => opType === 'Mul' && input[0] === input[1]
  const isSteady = (op: string) => weighted.has(op) || following.has(op) || views.has(op)
  const readers = node.filter(reader => isSquare(reader) || !isSteady(reader.opType))
  return new Set(readers.flatMap(({ input }) => input))
}

/**
 * The plan for a float model.
 *
 * @throws RunbookError usage when its shapes contradict each other
 */
export function planQuantization(model: ModelProto, ranges: ReadonlyMap<string, Range>): QuantizationPlan {
  const { graph } = model
  const shapes = inferShapes(model)
  const constants = constantsOf(graph)
  const stored = new Set(graph.initializer.map(({ name }) => name))
  const captured = new Set(graph.node.flatMap(bodiesOf).flatMap(readBy))
  const inputs = new Set(graph.input.map(({ name }) => name).filter(name => !stored.has(name)))
  const isFloat32 = (name: string) => (shapes.has(name) ? shapes.get(name)!.dtype === 'float32' : ranges.has(name))

  const uses = usesOf(graph, captured)
  const masks = masksOf(graph, { constants, ranges })
  const inputViews = viewsOfInputs(graph, { isInput: name => inputs.has(name) && isFloat32(name), uses })
  const integerNodes = new Set<NodeProto>()
  const roots = new Map<string, string>()
  for (const node of graph.node) {
    const data = node.input.filter((name, i) => name !== '' && isDataInput(node, i) && !constants.has(name))
    const isReady = data.length > 0 && [...data, node.output[0]!].every(isFloat32)
    const op = normalDomain(node.domain) === '' ? node.opType : ''
    if (
      !isReady ||
      masks.has(node) ||
      !(
        weighted.has(op) ||
        ((following.has(op) || views.has(op)) && (inputViews.has(node) || data.some(name => roots.has(name))))
      )
    )
      continue
    integerNodes.add(node)
    const isView = views.has(op) || (op === 'Pad' && (node.input[2] ?? '') === '')
    for (const [i, name] of node.output.entries()) {
      if (name !== '' && (i === 0 || op === 'Split')) roots.set(name, isView ? (roots.get(data[0]!) ?? data[0]!) : name)
    }
  }
  const values = valuesOf(graph, { integerNodes, roots, constants, inputs, uses })
  return { integerNodes, values, constants, captured, rangeOf: rangesBy(graph, ranges, uses) }
}

/** Scores that a constant mask sets to -infinity: they have no range, and need none since they stay in float. */
export function infiniteScores(graph: GraphProto): ReadonlySet<string> {
  const constants = constantsOf(graph)
  const isInfinite = (name: string) => constants.has(name) && leastIn(constants.get(name)!) === -Infinity
  const masks = [...masksOf(graph, { constants, ranges: new Map() })]
  return new Set(masks.filter(({ input }) => input.some(isInfinite)).map(({ output }) => output[0]!))
}

/** What a mask adds to a score at least, so that Softmax gives it nothing: -10000, the least float, or -infinity. */
const maskAtMost = -1e4

/**
 * Sums that mask what a Softmax reads. Their range is the mask's, whose step no score survives, so they stay in float.
 */
function masksOf(
  graph: GraphProto,
  { constants, ranges }: { constants: ReadonlyMap<string, TensorProto>; ranges: ReadonlyMap<string, Range> },
): ReadonlySet<NodeProto> {
  const scores = new Set(graph.node.filter(({ opType }) => opType === 'Softmax').map(({ input }) => input[0]!))
  const leastOf = (name: string) => {
    const tensor = constants.get(name)
    return tensor === undefined ? (ranges.get(name)?.min ?? 0) : leastIn(tensor)
  }
  return new Set(
    graph.node.filter(
      ({ opType, input, output }) =>
        opType === 'Add' && scores.has(output[0]!) && input.some(name => leastOf(name) <= maskAtMost),
    ),
  )
}

const leastIn = (tensor: TensorProto): number => {
  const { data } = tensorFromProto(tensor)
  return (data as Float32Array).reduce((least, x) => Math.min(least, x), 0)
}

/** Graphs in the attributes of a node. */
const bodiesOf = (node: NodeProto): GraphProto[] =>
  node.attribute.flatMap(({ g, graphs = [] }) => (g ? [g, ...graphs] : graphs))

const readBy = (body: GraphProto): string[] => [
  ...body.node.flatMap(node => [...node.input, ...bodiesOf(node).flatMap(readBy)]),
  ...body.output.map(({ name }) => name),
]

function constantsOf(graph: GraphProto): Map<string, TensorProto> {
  const tensors = graph.initializer.map((tensor): [string, TensorProto] => [tensor.name, tensor])
  for (const node of graph.node) {
    const tensor = node.opType === 'Constant' ? attributeTensor(node, 'value') : undefined
    if (tensor) tensors.push([node.output[0]!, tensor])
  }
  return new Map(tensors.filter(([, tensor]) => dtypeFromDataType(tensor.dataType) === 'float32'))
}

/** Readers of each value; an output of the graph and the body of a node count as null. */
function usesOf(graph: GraphProto, captured: ReadonlySet<string>): Map<string, (NodeProto | null)[]> {
  const uses = new Map<string, (NodeProto | null)[]>()
  const add = (name: string, reader: NodeProto | null) => uses.set(name, [...(uses.get(name) ?? []), reader])
  for (const node of graph.node) for (const name of node.input) add(name, node)
  for (const { name } of graph.output) add(name, null)
  for (const name of captured) add(name, null)
  return uses
}

/**
 * Views of an input that nothing but convolutions and products read. Any other operator straight behind an input stays
 * in float: the steps of an input are right for what weighs it, and lose what a logarithm or a gate needs.
 */
function viewsOfInputs(
  graph: GraphProto,
  o: { isInput: (name: string) => boolean; uses: ReadonlyMap<string, (NodeProto | null)[]> },
): ReadonlySet<NodeProto> {
  const shown = new Set(graph.input.map(({ name }) => name).filter(o.isInput))
  const candidates = graph.node.filter(node => {
    const isView = normalDomain(node.domain) === '' && views.has(node.opType) && shown.has(node.input[0] ?? '')
    if (isView) for (const name of node.output) shown.add(name)
    return isView
  })
  const kept = new Set<NodeProto>()
  for (const node of candidates.toReversed()) {
    const readers = node.output.flatMap(name => o.uses.get(name) ?? [])
    const isWeighed = (reader: NodeProto | null) => reader !== null && (weighted.has(reader.opType) || kept.has(reader))
    if (readers.length > 0 && readers.every(isWeighed)) kept.add(node)
  }
  return kept
}

interface Found {
  integerNodes: ReadonlySet<NodeProto>
  roots: ReadonlyMap<string, string>
  constants: ReadonlyMap<string, TensorProto>
  inputs: ReadonlySet<string>
  uses: ReadonlyMap<string, (NodeProto | null)[]>
}

function valuesOf(
  graph: GraphProto,
  { integerNodes, roots, constants, inputs, uses }: Found,
): Map<string, PlannedValue> {
  const values = new Map<string, PlannedValue>()
  const makers = new Map(graph.node.flatMap(node => node.output.map(name => [name, node] as const)))
  for (const node of graph.node) {
    if (!integerNodes.has(node)) continue
    for (const [i, name] of node.input.entries()) {
      if (name === '' || !isDataInput(node, i) || constants.has(name) || roots.has(name)) continue
      values.set(name, { from: inputs.has(name) ? 'input' : 'float', root: name })
    }
    for (const name of node.output) {
      const root = roots.get(name)
      if (root !== undefined && !isFolded(name)) values.set(name, { from: 'integer', root })
    }
  }
  return values

  function isFolded(name: string): boolean {
    const readers = uses.get(name) ?? []
    const reader = readers[0]
    return (
      readers.length === 1 &&
      reader != null &&
      clamps.has(reader.opType) &&
      reader.input[0] === name &&
      clampable.has(makers.get(name)!.opType)
    )
  }
}

function rangesBy(
  graph: GraphProto,
  ranges: ReadonlyMap<string, Range>,
  uses: ReadonlyMap<string, (NodeProto | null)[]>,
) {
  const makers = new Map(graph.node.flatMap(node => node.output.map(name => [name, node] as const)))
  return (root: string): Range | undefined => {
    const fixed = fixedRanges[makers.get(root)?.opType ?? '']
    const range = fixed ?? ranges.get(root)
    const limits = (uses.get(root) ?? []).map(reader => saturation[reader?.opType ?? ''] ?? Infinity)
    const limit = limits.length === 0 ? Infinity : Math.max(...limits)
    return range && { min: Math.max(range.min, -limit), max: Math.min(range.max, limit) }
  }
}
