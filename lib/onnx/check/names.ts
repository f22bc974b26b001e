/**
 * Checks that every name in a graph is made once, is made before it is read, and reaches an output.
 *
 * Subgraphs (of If, Loop, Scan) see the names around them. Part of `check.ts`.
 */
import type { GraphProto, NodeProto, ValueInfoProto } from '../../formats/onnx/index.ts'

/** A node as people name it: `The Conv node "c1"`, or by its output when it has no name. */
export function nodeLabel({ name, opType, output }: NodeProto): string {
  if (name !== '') return `The ${opType} node "${name}"`
  return `The ${opType} node that makes "${output.find(value => value !== '') ?? ''}"`
}

/** The inputs that a caller must feed: those that are not given a value by an initializer. */
export function realInputs(graph: GraphProto): ValueInfoProto[] {
  const given = new Set(initializersOf(graph))
  return graph.input.filter(({ name }) => !given.has(name))
}

const initializersOf = (graph: GraphProto): string[] => [
  ...graph.initializer.map(({ name }) => name),
  ...(graph.sparseInitializer ?? []).map(({ values }) => values?.name ?? ''),
]

/** Values that are there before any node runs. */
const sourcesOf = (graph: GraphProto): Set<string> =>
  new Set([...graph.input.map(({ name }) => name), ...initializersOf(graph)])

/** The graphs that a node carries in its attributes. */
export const subgraphsOf = (node: NodeProto): GraphProto[] =>
  node.attribute.flatMap(({ g, graphs = [] }) => (g === undefined ? graphs : [g, ...graphs]))

/** Every value that a node reads, also from within its subgraphs. */
function readsOf(node: NodeProto): Set<string> {
  const reads = new Set(node.input.filter(name => name !== ''))
  for (const graph of subgraphsOf(node)) for (const name of outerReads(graph)) reads.add(name)
  return reads
}

/** What a subgraph reads and does not make. */
function outerReads(graph: GraphProto): Set<string> {
  const made = new Set([...sourcesOf(graph), ...graph.node.flatMap(({ output }) => output)])
  const reads = [...graph.node.flatMap(node => [...readsOf(node)]), ...graph.output.map(({ name }) => name)]
  return new Set(reads.filter(name => !made.has(name)))
}

/** A graph, what each of its nodes reads, and the index of the node that makes each value. */
interface Table {
  readonly graph: GraphProto
  readonly reads: readonly Set<string>[]
  readonly makers: ReadonlyMap<string, number>
}

function tableOf(graph: GraphProto): Table {
  const makers = new Map(graph.node.flatMap(({ output }, i) => output.map(name => [name, i] as const)))
  makers.delete('')
  return { graph, reads: graph.node.map(readsOf), makers }
}

/**
 * Broken names: made twice, never made, made too late, or in a circle. Nothing can be said of the shapes of such a
 * graph. `outer` are the values that a graph around this one has made.
 */
export function checkNames(graph: GraphProto, outer: ReadonlySet<string> = new Set()): string[] {
  const table = tableOf(graph)
  return [...checkUnique(graph, outer), ...checkOrder(table, outer), ...checkOutputs(table, outer)]
}

/** What a graph carries for nothing: nodes that lead to no output, initializers and inputs that nobody reads. */
export function checkLeftovers(graph: GraphProto): string[] {
  const table = tableOf(graph)
  return [...checkReach(table), ...checkUnused(table), ...graph.node.flatMap(subgraphsOf).flatMap(checkLeftoversInside)]
}

/** A subgraph takes the inputs that its operator gives, needed or not: Loop always hands over its counter. */
const checkLeftoversInside = (graph: GraphProto): string[] =>
  checkLeftovers(graph).filter(problem => !problem.startsWith('The input '))

const repeated = (names: readonly string[]): string[] => {
  const seen = new Set<string>()
  return [...new Set(names.filter(name => name !== '' && (seen.has(name) || !seen.add(name))))]
}

function checkUnique(graph: GraphProto, outer: ReadonlySet<string>): string[] {
  const made = graph.node.flatMap(({ output }) => output)
  // An initializer may bear the name of an input: it is then the input's default.
  const values = [...sourcesOf(graph), ...made]
  return [
    ...repeated(graph.node.map(({ name }) => name)).map(name => `The node name "${name}" is used more than once`),
    ...repeated(values).map(name => `The value "${name}" is made more than once`),
    ...repeated(graph.input.map(({ name }) => name)).map(name => `The input "${name}" is declared more than once`),
    ...repeated(initializersOf(graph)).map(name => `The initializer "${name}" is given more than once`),
    ...repeated(graph.output.map(({ name }) => name)).map(name => `The output "${name}" is declared more than once`),
    ...made
      .filter(name => outer.has(name))
      .map(name => `The value "${name}" of a subgraph hides one of the graph around it`),
    ...graph.node
      .filter(({ output }) => output.every(name => name === ''))
      .map(node => `${nodeLabel(node)} has no output`),
  ]
}

function checkOrder({ graph, reads, makers }: Table, outer: ReadonlySet<string>): string[] {
  const known = new Set([...outer, ...sourcesOf(graph)])
  const circle = new Set(findCircle(reads, makers))
  const problems: string[] = []
  for (const [i, node] of graph.node.entries()) {
    for (const name of reads[i]!) {
      if (known.has(name)) continue
      const maker = makers.get(name)
      if (maker === undefined) problems.push(`${nodeLabel(node)} reads "${name}", which nothing makes`)
      else if (!(circle.has(i) && circle.has(maker))) {
        problems.push(`${nodeLabel(node)} reads "${name}" before ${lower(nodeLabel(graph.node[maker]!))} makes it`)
      }
    }
    for (const subgraph of subgraphsOf(node)) problems.push(...checkNames(subgraph, known))
    for (const name of node.output) known.add(name)
  }
  if (circle.size > 0) {
    const names = [...circle].map(i => `"${graph.node[i]!.name || graph.node[i]!.output[0]}"`)
    problems.push(`The nodes ${names.join(' -> ')} form a circle`)
  }
  return problems
}

/** A node's label inside a sentence. */
export const lower = (label: string) => label.replace(/^The/, 'the')

/** The nodes of one circle, in the order of the data; [] when there is none. Without recursion: graphs may be long. */
function findCircle(reads: readonly Set<string>[], makers: ReadonlyMap<string, number>): number[] {
  const state = new Uint8Array(reads.length)
  for (let root = 0; root < reads.length; root++) {
    if (state[root] !== 0) continue
    const path: { node: number; rest: Iterator<string> }[] = []
    const enter = (node: number) => {
      state[node] = 1
      path.push({ node, rest: reads[node]!.values() })
    }
    for (enter(root); path.length > 0;) {
      const top = path.at(-1)!
      const step = top.rest.next()
      if (step.done === true) {
        state[top.node] = 2
        path.pop()
        continue
      }
      const maker = makers.get(step.value)
      if (maker === undefined || state[maker] === 2) continue
      if (state[maker] === 1)
        return path
          .slice(path.findIndex(({ node }) => node === maker))
          .map(({ node }) => node)
          .toReversed()
      enter(maker)
    }
  }
  return []
}

function checkOutputs({ graph, makers }: Table, outer: ReadonlySet<string>): string[] {
  const sources = sourcesOf(graph)
  if (graph.output.length === 0) return ['The graph has no output']
  return graph.output
    .filter(({ name }) => !makers.has(name) && !sources.has(name) && !outer.has(name))
    .map(({ name }) => `The output "${name}" is made by no node`)
}

function checkReach({ graph, reads, makers }: Table): string[] {
  if (graph.output.length === 0) return []
  const alive = new Set<number>()
  const todo = graph.output.flatMap(({ name }) => makers.get(name) ?? [])
  for (let i = todo.pop(); i !== undefined; i = todo.pop()) {
    if (alive.has(i)) continue
    alive.add(i)
    for (const name of reads[i]!) {
      const maker = makers.get(name)
      if (maker !== undefined) todo.push(maker)
    }
  }
  return graph.node.filter((_, i) => !alive.has(i)).map(node => `${nodeLabel(node)} leads to no output`)
}

function checkUnused({ graph, reads }: Table): string[] {
  const used = new Set([...reads.flatMap(names => [...names]), ...graph.output.map(({ name }) => name)])
  return [
    ...initializersOf(graph)
      .filter(name => !used.has(name))
      .map(name => `The initializer "${name}" is read by no node`),
    ...realInputs(graph)
      .filter(({ name }) => !used.has(name))
      .map(({ name }) => `The input "${name}" is read by no node`),
  ]
}
