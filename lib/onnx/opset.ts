/**
 * Converts a graph to a newer operator set with the same meaning.
 *
 * Only what per-channel QDQ needs: up to operator set 13. Lists that moved from an attribute to an input are moved;
 * operators that changed their meaning on the way are refused by name. Bodies of If, Loop and Scan are raised too.
 */
import {
  attributeFloat,
  attributeInt,
  attributeInts,
  normalDomain,
  opsetOf,
  protoFromTensor,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from '../formats/onnx/index.ts'
import { float32, type Tensor } from '../formats/tensors/tensor.ts'
import { usageError } from '../base/errors.ts'
import { attributeFrom } from './builder.ts'
import { inferShapes, type ValueShape } from './shapes/infer.ts'

/** Attributes that became inputs, in the order of those inputs, which begin at `first`. */
const moved: Readonly<
  Record<string, { since: number; first: number; attributes: readonly string[]; isFloat?: boolean }>
> = {
  Squeeze: { since: 13, first: 1, attributes: ['axes'] },
  Unsqueeze: { since: 13, first: 1, attributes: ['axes'] },
  ReduceSum: { since: 13, first: 1, attributes: ['axes'] },
  Split: { since: 13, first: 1, attributes: ['split'] },
  Dropout: { since: 12, first: 1, attributes: ['ratio'], isFloat: true },
  Clip: { since: 11, first: 1, attributes: ['min', 'max'], isFloat: true },
  Pad: { since: 11, first: 1, attributes: ['pads', 'value'] },
  Slice: { since: 10, first: 1, attributes: ['starts', 'ends', 'axes'] },
}

/** Operators whose meaning or inputs changed in the named set in a way that is not mended here. */
const changed: Readonly<Record<string, number>> = {
  Resize: 11,
  Upsample: 10,
  TopK: 11,
  BatchNormalization: 9,
  Scatter: 11,
  OneHot: 11,
  CumSum: 11,
  DepthToSpace: 11,
}

/**
 * The model with at least that operator set; the same object when it has it already. The given model is not changed.
 * @throws RunbookError usage when an operator changed its meaning in between
 */
export function raiseOpset(model: ModelProto, to: 13): ModelProto {
  const from = opsetOf(model) ?? 1
  if (from >= to) return model
  if (from < 7)
    throw usageError(
      `Cannot raise "${model.graph.name}" to operator set ${to}: it has ${from}`,
      'export it with opset 12 or newer',
    )
  const graph = raiseGraph(model.graph, { from, shapes: inferShapes(model) })
  const others = model.opsetImport.filter(({ domain }) => normalDomain(domain) !== '')
  return {
    ...model,
    irVersion: Math.max(model.irVersion ?? 0, 7),
    graph,
    opsetImport: [{ domain: '', version: to }, ...others],
  }
}

interface Raise {
  from: number
  shapes: ReadonlyMap<string, ValueShape>
}

function raiseGraph(graph: GraphProto, raise: Raise): GraphProto {
  const initializer: TensorProto[] = [...graph.initializer]
  const taken = new Set([
    ...initializer.map(({ name }) => name),
    ...graph.input.map(({ name }) => name),
    ...graph.node.flatMap(node => node.output),
  ])
  const store = (node: NodeProto, attribute: string, tensor: Tensor): string => {
    const base = `${node.name || node.output[0]}_${attribute}`
    let name = base
    for (let i = 2; taken.has(name); i++) name = `${base}_${i}`
    taken.add(name)
    initializer.push(protoFromTensor(name, tensor))
    return name
  }
  const node = graph.node.map(each => raiseNode(each, raise, store))
  return { ...graph, node, initializer }
}

function raiseNode(
  node: NodeProto,
  raise: Raise,
  store: (node: NodeProto, attribute: string, tensor: Tensor) => string,
): NodeProto {
  if (normalDomain(node.domain) !== '') return node
  const attribute = node.attribute.map(each => ({
    ...each,
    ...(each.g && { g: raiseGraph(each.g, raise) }),
    ...(each.graphs && { graphs: each.graphs.map(body => raiseGraph(body, raise)) }),
  }))
  if ((changed[node.opType] ?? 0) > raise.from) {
    throw usageError(
      `Cannot raise "${node.name || node.output[0]}" (${node.opType}) from operator set ${raise.from}: ` +
        'its meaning changed',
      'export the model with opset 13',
    )
  }
  if (/^(Log)?Softmax$|^Hardmax$/.test(node.opType)) return { ...node, attribute: [softmaxAxis(node, raise)] }
  const move = moved[node.opType]
  if (move === undefined || move.since <= raise.from) return { ...node, attribute }
  const input = node.input.slice(0, move.first)
  for (const name of move.attributes) {
    const tensor = valueOf(node, name, move.isFloat || name === 'value')
    input.push(tensor === undefined ? '' : store(node, name, tensor))
  }
  while (input.at(-1) === '') input.pop()
  return { ...node, input, attribute: attribute.filter(({ name }) => !move.attributes.includes(name)) }
}

function valueOf(node: NodeProto, name: string, isFloat: boolean): Tensor | undefined {
  if (isFloat) {
    const value = attributeFloat(node, name)
    return value === undefined ? undefined : float32([], [value])
  }
  const list = attributeInts(node, name)
  return list && { dtype: 'int64', shape: [list.length], data: BigInt64Array.from(list, BigInt) }
}

/** Up to set 12 Softmax flattens all from `axis` on; from 13 it works along `axis`. On the last axis both are one. */
function softmaxAxis(node: NodeProto, { shapes }: Raise): ReturnType<typeof attributeFrom> {
  const axis = attributeInt(node, 'axis') ?? 1
  const shape = shapes.get(node.input[0]!)?.shape
  const isLast =
    axis === -1 ||
    (shape !== undefined && shape.slice(((axis + shape.length) % shape.length) + 1).every(dim => dim === 1))
  if (isLast) return attributeFrom('axis', axis)
  throw usageError(
    `Cannot raise "${node.name || node.output[0]}" (${node.opType}) to operator set 13: ` +
      `it works over all axes from ${axis} on`,
    'export the model with opset 13',
  )
}
