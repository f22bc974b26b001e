/**
 * Infers the shape of every value of a graph without running it.
 *
 * Nodes are walked in the order of the file, each by the rule of its operator (`rules.ts`). What cannot be
 * derived is left out: an operator that no rule knows, and what follows from it. Shapes that the file declares are
 * checked against what the nodes make, never taken from it. Bodies of If, Loop and Scan are not entered.
 */
import {
  dimsOf,
  dtypeFromDataType,
  dtypeOf,
  hasShape,
  normalDomain,
  opsetOf,
  tensorDims,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type ValueInfoProto,
} from '../../formats/onnx/index.ts'
import type { Dtype } from '../../formats/tensors/tensor.ts'
import { usageError } from '../../base/errors.ts'
import { constantFromProto, foldConstant } from './fold.ts'
import { shapeRules } from './rules.ts'
import { show, type Dim, type Value } from './value.ts'

/**
 * Element type and shape of a value; a dimension is a number, the name that the file gives it, or '' when it is not
 * known.
 */
export interface ValueShape {
  readonly dtype: Dtype
  readonly shape: readonly (number | string)[]
}

/**
 * The shape of every input, initializer and node output that can be derived, by name.
 * @param options.dims numbers for named dimensions, such as `{ batch: 1 }`
 * @throws RunbookError usage, naming node, operator and both shapes, when the graph contradicts itself
 * @example
 * ```ts
 * import { GraphBuilder } from './lib/onnx/builder.ts'
 *
 * const graph = new GraphBuilder({ name: 'rows' })
 * const rows = graph.node('Transpose', [graph.input('x', 'float32', [2, 3])], { outputs: ['rows'] })
 * graph.output(rows, 'float32', [3, 2])
 * assert.deepEqual(inferShapes(graph.build()).get('rows')?.shape, [3, 2])
 * ```
 */
export function inferShapes(
  model: ModelProto,
  options: { dims?: Readonly<Record<string, number>> } = {},
): Map<string, ValueShape> {
  const values = new Map<string, Value>()
  const opset = opsetOf(model) ?? 1
  readDeclared(model.graph, values, options.dims ?? {})
  const declared = new Map([...model.graph.valueInfo, ...model.graph.output].map(info => [info.name, info]))
  for (const node of model.graph.node) inferNode(node, { opset, values, declared })
  return new Map([...values].map(([name, { dtype, shape }]) => [name, { dtype, shape }]))
}

/** Inputs and initializers. An initializer that is also listed as an input counts as what it holds. */
function readDeclared(graph: GraphProto, values: Map<string, Value>, dims: Readonly<Record<string, number>>): void {
  for (const input of graph.input) {
    const dtype = dtypeOf(input)
    const bind = (dim: Dim): Dim => (typeof dim === 'string' && Object.hasOwn(dims, dim) ? dims[dim]! : dim)
    if (dtype && hasShape(input)) values.set(input.name, { dtype, shape: dimsOf(input).map(bind) })
  }
  for (const tensor of graph.initializer) {
    const dtype = dtypeFromDataType(tensor.dataType)
    if (dtype === undefined) continue
    const constant = constantFromProto(tensor)
    values.set(tensor.name, { dtype, shape: tensorDims(tensor), ...(constant && { constant }) })
  }
}

interface Walk {
  opset: number
  values: Map<string, Value>
  declared: ReadonlyMap<string, ValueInfoProto>
}

function inferNode(node: NodeProto, { opset, values, declared }: Walk): void {
  const rule = normalDomain(node.domain) === '' ? shapeRules.get(node.opType) : undefined
  const call = { node, opset, inputs: node.input.map(name => values.get(name)) }
  const outputs = rule?.(call) ?? []
  for (const [i, name] of node.output.entries()) {
    const output = outputs[i]
    if (output === undefined || name === '') continue
    const constant = i === 0 ? foldConstant(call, output) : undefined
    values.set(name, constant ? { ...output, constant } : output)
    const info = declared.get(name)
    if (info) checkDeclared(node, info, output)
  }
}

function checkDeclared(node: NodeProto, info: ValueInfoProto, output: Value): void {
  const dtype = dtypeOf(info) ?? output.dtype
  const shape = hasShape(info) ? dimsOf(info) : output.shape
  const differs = shape.some(
    (dim, i) => typeof dim === 'number' && typeof output.shape[i] === 'number' && dim !== output.shape[i],
  )
  if (dtype === output.dtype && shape.length === output.shape.length && !differs) return
  throw usageError(
    `Cannot infer the shape of "${node.name || node.output[0]}" (${node.opType}): ` +
      `the graph declares "${info.name}" as ${show({ dtype, shape })}, but the node makes ${show(output)}`,
    'mend the graph where it is authored, or export it again',
  )
}
