/**
 * Cuts out the part of a graph that computes given values, and lists where it can be cut.
 *
 * For finding the first layer that a compiler cannot take: the graph up to one value is a model of its own. Nothing is
 * rewritten; nodes, weights and inputs that the value does not need are left out.
 */
import {
  dtypeOf,
  hasShape,
  newValueInfo,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type ValueInfoProto,
} from '../formats/onnx/index.ts'
import { closest } from '../base/text.ts'
import { usageError } from '../base/errors.ts'
import { subgraphsOf } from './check/names.ts'
import { inferShapes, type ValueShape } from './shapes/infer.ts'

/**
 * The smallest model that yields `valueName`: the nodes that it needs, in their order, and no other input or weight.
 * Its one output is the value, declared with the shape that was inferred, else with the one that the file declares.
 * Messages that stay are shared with `model`, which is left as it is. Metadata and training information speak of the
 * whole and are left out.
 *
 * @throws RunbookError usage when no node makes the value, when nothing says which type it has, and when the graph
 *   contradicts itself
 */
export function subgraphTo(model: ModelProto, valueName: string): ModelProto {
  const { graph } = model
  const makers = makersOf(graph)
  if (!makers.has(valueName)) throw unknownValue(graph, valueName, [...makers.keys()])
  const { nodes, values } = ancestorsOf(valueName, makers)
  const { trainingInfo: _trainingInfo, ...rest } = model
  const { sparseInitializer, quantizationAnnotation } = graph
  return {
    ...rest,
    metadataProps: [],
    graph: {
      ...graph,
      name: `${graph.name}_to_${valueName}`,
      node: graph.node.filter(node => nodes.has(node)),
      initializer: graph.initializer.filter(({ name }) => values.has(name)),
      input: graph.input.filter(({ name }) => values.has(name)),
      output: [declared(model, valueName)],
      valueInfo: graph.valueInfo.filter(({ name }) => values.has(name) && name !== valueName),
      ...(sparseInitializer && {
        sparseInitializer: sparseInitializer.filter(sparse => values.has(sparse.values?.name ?? '')),
      }),
      ...(quantizationAnnotation && {
        quantizationAnnotation: quantizationAnnotation.filter(({ tensorName = '' }) => values.has(tensorName)),
      }),
    },
  }
}

/** The first nodes of a graph as a model of their own. */
export interface Prefix {
  /** How many of the graph's nodes it holds, counted from the first. */
  readonly nodes: number
  /** The last of them: its name, or its output's where it has none; its operator; and what it makes. */
  readonly node: string
  readonly op: string
  readonly made: readonly ({ readonly name: string } & ValueShape)[]
  /** Values that the rest of the graph reads, or that the whole puts out. */
  readonly outputs: readonly string[]
}

/**
 * Every prefix of a graph that ends behind a node that an input reaches, from small to large. Each holds the one
 * before, so what fails in one fails in all behind it, also where the graph has branches. Left out are prefixes with an
 * output whose type cannot be inferred.
 *
 * @throws RunbookError usage when the graph contradicts itself
 */
export function prefixesOf(model: ModelProto): Prefix[] {
  const { graph } = model
  const shapes = inferShapes(model)
  const stored = new Set(graph.initializer.map(({ name }) => name))
  const fed = new Set(graph.input.map(({ name }) => name).filter(name => !stored.has(name)))
  const readers = new Map<string, number>()
  for (const [i, node] of graph.node.entries()) for (const name of readsOf(node)) readers.set(name, i)
  for (const { name } of graph.output) readers.set(name, Infinity)
  const made: string[] = []
  return graph.node.flatMap((node, i) => {
    if (![...readsOf(node)].some(name => fed.has(name))) return []
    const own = node.output.filter(name => name !== '')
    for (const name of own) fed.add(name)
    made.push(...own)
    const outputs = made.filter(name => (readers.get(name) ?? -1) > i)
    if (outputs.length === 0 || outputs.some(name => !shapes.has(name))) return []
    const known = own.filter(name => shapes.has(name)).map(name => ({ name, ...shapes.get(name)! }))
    return [{ nodes: i + 1, node: node.name || own[0]!, op: node.opType, made: known, outputs }]
  })
}

/** The model of a prefix. What it does not need is left out; the given model stays as it is. */
export function prefixModel(model: ModelProto, { nodes, outputs }: Prefix): ModelProto {
  const shapes = inferShapes(model)
  const { graph } = model
  const output = outputs.map(name => newValueInfo(name, shapes.get(name)!.dtype, shapes.get(name)!.shape))
  const kept = { ...model, graph: { ...graph, node: graph.node.slice(0, nodes), output } }
  const needed = kept.graph.node.map(readsOf)
  const isRead = ({ name }: { readonly name: string }) => needed.some(reads => reads.has(name))
  const inside = new Set(kept.graph.node.flatMap(node => node.output))
  return {
    ...kept,
    metadataProps: [],
    graph: {
      ...kept.graph,
      name: `${graph.name}_first_${nodes}`,
      initializer: graph.initializer.filter(isRead),
      input: graph.input.filter(isRead),
      valueInfo: graph.valueInfo.filter(({ name }) => inside.has(name) && !outputs.includes(name)),
    },
  }
}

/** A place where a graph may be cut: a value, the node that makes it, and what is known of its shape. */
export interface CutPoint extends ValueShape {
  readonly value: string
  /** The node's name; its output's where it has none. */
  readonly node: string
  readonly op: string
}

/**
 * Every value that a node makes out of an input of the graph, in the order of the file, which is topological. Left out
 * are constants, and values whose type cannot be inferred. The graph up to one of them need not hold the graph up to
 * the one before: branches stand one after the other in the file.
 *
 * @throws RunbookError usage when the graph contradicts itself
 */
export function cutPoints(model: ModelProto): CutPoint[] {
  const shapes = inferShapes(model)
  const stored = new Set(model.graph.initializer.map(({ name }) => name))
  const fed = new Set(model.graph.input.map(({ name }) => name).filter(name => !stored.has(name)))
  return model.graph.node.flatMap(node => {
    if (![...readsOf(node)].some(name => fed.has(name))) return []
    for (const name of node.output) fed.add(name)
    const known = node.output.filter(name => shapes.has(name))
    return known.map(value => Object.assign({ value, node: node.name || value, op: node.opType }, shapes.get(value)!))
  })
}

const makersOf = (graph: GraphProto): Map<string, NodeProto> =>
  new Map(graph.node.flatMap(node => node.output.filter(name => name !== '').map(name => [name, node] as const)))

/**
 * Every value that a node reads, and every name that its bodies (of If, Loop, Scan) mention: they see the names around
 * them.
 */
function readsOf(node: NodeProto): Set<string> {
  const bodies = subgraphsOf(node)
  const inside = bodies.flatMap(body => body.node).flatMap(inner => [...readsOf(inner)])
  const given = bodies.flatMap(body => body.output).map(({ name }) => name)
  return new Set([...node.input, ...inside, ...given].filter(name => name !== ''))
}

/** The nodes that a value needs, and every value that they read or make. */
function ancestorsOf(
  value: string,
  makers: ReadonlyMap<string, NodeProto>,
): { nodes: Set<NodeProto>; values: Set<string> } {
  const nodes = new Set<NodeProto>()
  const values = new Set([value])
  const open = [value]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const node = makers.get(name)
    if (node === undefined || nodes.has(node)) continue
    nodes.add(node)
    for (const made of node.output) values.add(made)
    for (const read of readsOf(node)) {
      values.add(read)
      open.push(read)
    }
  }
  return { nodes, values }
}

function declared(model: ModelProto, value: string): ValueInfoProto {
  const inferred = inferShapes(model).get(value)
  if (inferred) return newValueInfo(value, inferred.dtype, inferred.shape)
  const isWhole = (info: ValueInfoProto) => info.name === value && dtypeOf(info) !== undefined && hasShape(info)
  const given = [...model.graph.output, ...model.graph.valueInfo].find(isWhole)
  if (given) return given
  const state = 'nothing says which type it has'
  throw usageError(
    `Cannot cut "${model.graph.name}" at "${value}": ${state}`,
    'cut elsewhere, or declare it in value_info',
  )
}

function unknownValue(graph: GraphProto, value: string, made: readonly string[]) {
  const isGiven = [...graph.input, ...graph.initializer].some(({ name }) => name === value)
  const state = isGiven ? 'no node makes it' : 'there is no such value'
  const near = closest(value, made)
  const some = near ?? made.slice(0, 5).join(', ')
  const hint = some === '' ? 'the graph has no node' : `name the output of a node, such as ${some}`
  return usageError(`Cannot cut "${graph.name}" at "${value}": ${state}`, hint)
}
