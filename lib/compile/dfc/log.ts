/**
 * Reads what a log of the Dataflow Compiler says that its exit code does not.
 *
 * Told `-y`, the parser quietly ends a graph where it likes when it cannot take the rest, and exits with 0. So the end
 * nodes that it reports are compared with those that were asked. Also read here: versions, what the optimiser gave up,
 * and the contexts. Which failure a log means is in `lib/failure`.
 */
import type { ModelProto } from '../../formats/onnx/index.ts'
import { linesOf } from '../../failure/log/digest.ts'

/** Where the parser is told to end, for one value of the graph. */
export interface EndPoint {
  /** A node's name, which is what `--end-node-names` takes. */
  readonly node: string
  /** Every node and value name that stands for the same numbers: the parser may report any of them. */
  readonly same: readonly string[]
}

/** These change a shape and no number, so a graph that ends before them is whole; a device leaves them to the host. */
const shapeOnly = new Set(['Squeeze', 'Unsqueeze', 'Identity'])

/**
 * The nodes that make these values. A value behind a Squeeze (or its kin) is taken from the node before it. A value
 * that no named node makes stands for itself.
 */
export function endPointsOf(model: ModelProto, values: readonly string[]): EndPoint[] {
  const makers = new Map(model.graph.node.flatMap(node => node.output.map(value => [value, node] as const)))
  return values.map(value => {
    const same = [value]
    let node = makers.get(value)
    while (node !== undefined) {
      if (node.name) same.push(node.name)
      const before = makers.get(node.input[0] ?? '')
      if (!shapeOnly.has(node.opType) || !before?.name) break
      same.push(node.input[0]!)
      node = before
    }
    return { node: node?.name || value, same }
  })
}

const mapped = (which: 'Start' | 'End') => new RegExp(`${which} nodes mapped from original model:(.*)`, 'i')

/**
 * The names in the log's last "End nodes mapped from original model: 'a', 'b'.", or null when there is no such line.
 */
export const endNodesIn = (log: string): string[] | null =>
  lastNames(log, mapped('End'))?.map(({ name }) => name) ?? null

/**
 * The original model's names in the last "Start nodes mapped from original model: 'input': 'net/input_layer1'.", or
 * null.
 */
export const startNodesIn = (log: string): string[] | null =>
  lastNames(log, mapped('Start'))
    ?.filter(({ isLayer }) => !isLayer)
    .map(({ name }) => name) ?? null

/** Quoted names; `isLayer` for one that stands behind a colon. */
function lastNames(log: string, pattern: RegExp): { name: string; isLayer: boolean }[] | null {
  const rest = linesOf(log)
    .map(line => pattern.exec(line)?.[1])
    .findLast(found => found !== undefined)
  if (rest === undefined) return null
  const quoted = [...rest.matchAll(/(:\s*)?(?:'([^']*)'|"([^"]*)")/g)]
  return quoted.map(([, colon, single, double]) => ({ name: (single ?? double)!, isLayer: colon !== undefined }))
}

/**
 * Why the parsed graph is not the one that was asked for, or null when it is. A log that names no end nodes proves
 * nothing.
 */
export function whyCut(log: string, o: { inputNames: readonly string[]; ends: readonly EndPoint[] }): string | null {
  const asked = o.ends.map(end => end.node).join(', ')
  const found = endNodesIn(log)
  if (found === null)
    return `the parser's log names no end nodes, so nothing shows that the graph still ends at ${asked}`
  const starts = startNodesIn(log)
  if (starts !== null && starts.toSorted().join() !== o.inputNames.toSorted().join()) {
    const [wanted, start] = [o.inputNames.join(', '), starts.join(', ') || 'nothing']
    return `the parser cut the graph at its head: asked to start at ${wanted}, it started at ${start}`
  }
  const isEnd = (end: EndPoint, name: string) => end.same.includes(name)
  const hasAll = o.ends.every(end => found.some(name => isEnd(end, name)))
  const isWhole = hasAll && found.every(name => o.ends.some(end => isEnd(end, name)))
  if (isWhole) return null
  const ended = found.join(', ') || 'nothing'
  return `the parser cut the graph short: asked to end at ${asked}, it ended at ${ended}${reasonIn(log)}`
}

/** The first operator that the parser refused before it took its own recommendation. */
function reasonIn(log: string): string {
  const line = linesOf(log).find(line => /\bUnsupported\w*Error\b|UnexpectedNodeError/.test(line))
  return line === undefined ? '' : ` (${line.trim().slice(0, 200)})`
}

/**
 * The compiler's version in what it printed ("Hailo DFC Version: 3.33.0", "Hailo Dataflow Compiler v3.30.0",
 * "hailo_dataflow_compiler-3.28.0"), or null. HailoRT's version, which it prints too, is not it.
 */
export function dfcVersionIn(text: string): string | null {
  const named = /(?:\bDFC\b|data-?flow[ _-]?compiler)[^\d\n]{0,24}?(\d+\.\d+(?:\.\d+)?[\w.]*)/i.exec(
    linesOf(text).join('\n'),
  )
  return named?.[1]?.replace(/\.+$/, '') ?? /^(?:hailo\s+)?v?(\d+\.\d+\.\d+\S*)\s*$/m.exec(text)?.[1] ?? null
}

/**
 * What the optimiser says of itself. With too few samples and no GPU it falls to level 0 and leaves 16-bit biases,
 * which may not fit on the device. SNR in dB, the worst output.
 */
export function optimizeMetrics(log: string): Record<string, number> {
  const samples = /Using dataset with (\d+) entries/i.exec(log)?.[1]
  const outputs = [...log.matchAll(/\boutput_layer\d+ SNR:\s*(-?\d+(?:\.\d+)?) dB/g)].map(([, db]) => Number(db))
  return {
    optimizationLevelReduced: /Reducing optimization level to 0\b/i.test(log) ? 1 : 0,
    ...(samples !== undefined && { calibrationSamples: Number(samples) }),
    ...(outputs.length > 0 && { outputSnrDbMin: Math.min(...outputs) }),
  }
}

/** How many contexts the network was cut into, where the log says so. */
export function compileMetrics(log: string): Record<string, number> {
  const partition = [...log.matchAll(/Found valid partition to (\d+) contexts?/gi)].at(-1)?.[1]
  const isSingle = /Using Single-context flow/i.test(log)
  return partition !== undefined ? { contexts: Number(partition) } : isSingle ? { contexts: 1 } : {}
}
