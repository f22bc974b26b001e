/**
 * Lists the prefixes of a ConvTasNet that are compiled to find where a compiler gives up.
 *
 * From small to large along one of four axes. `truncate`: the first k blocks of the base. `blocks`: 1 to X blocks, one
 * repeat. `repeats`: X blocks, 1 to R repeats. `end-nodes`: the base cut after each of its nodes. The first three are
 * preceded by the network with its masker bypassed: three convolutions, and if they fail, no block is to blame. How
 * they are asked is `ramp.ts`.
 */
import type { ModelProto } from '../../../formats/onnx/index.ts'
import { convTasNetGraph } from '../../../models/convtasnet/graph.ts'
import { ladderConfigs } from '../contract.ts'
import { convTasNetOptions, dilationsOf, runTag, type ConvTasNetOptions } from '../../../models/convtasnet/options.ts'
import { usageError } from '../../../base/errors.ts'
import { cutPoints, subgraphTo } from '../../../onnx/extract.ts'
import { convTasNetCase, type CaseSetting, type ConvTasNetCase } from '../search/convtasnet-case.ts'
import { rampAxes, type RampAxis, type RampValues } from './inputs.ts'
import { graphChange } from '../search/search-inputs.ts'

/** Along which axis a prefix was cut; `prefix_bypass` is the network without its masker. */
export type RampStage = 'prefix_bypass' | 'truncate' | 'blocks' | 'repeats' | 'end_nodes'

/** One prefix. */
export interface RampCase extends ConvTasNetCase {
  readonly stage: RampStage
  /** What tells it from the other prefixes of its stage, in a word or two. */
  readonly label: string
  /** What the prefix is called after; its graph may be authored from an equal, shorter description. */
  readonly options: ConvTasNetOptions
}

/** A prefix before it is a case: `endNode` is the value at which the base is cut. */
export interface Prefix {
  readonly tag: string
  readonly stage: RampStage
  readonly label: string
  readonly options: ConvTasNetOptions
  readonly endNode: string | null
}

/**
 * The prefixes that a person asked for.
 *
 * @throws RunbookError usage when the ladder has no such rung, or the sizes contradict each other
 */
export function prefixesFor(values: RampValues): Prefix[] {
  const { by, ladder, rung, nBlocks, nRepeats } = values
  const rungs = ladderConfigs(ladder, graphChange(values))
  const chosen = rungs[rung - 1]
  if (chosen === undefined) {
    throw usageError(
      `Cannot take rung ${rung}: the ladder ${ladder} has ${rungs.length}`,
      `give --rung 1 to ${rungs.length}`,
    )
  }
  return prefixesOf(
    convTasNetOptions({ ...chosen, nBlocks, nRepeats }),
    by === 'prefixes' ? rampAxes.slice(0, 3) : [by],
  )
}

/**
 * The prefixes along these axes, in their order; each has a tag of its own.
 *
 * @throws RunbookError as `convTasNetOptions`
 */
export function prefixesOf(base: ConvTasNetOptions, axes: readonly RampAxis[]): Prefix[] {
  const named = (stage: RampStage, o: Partial<ConvTasNetOptions> & { label: string; suffix: string }): Prefix => {
    const { label, suffix, ...change } = o
    const options = convTasNetOptions({ ...base, truncateKBlocks: 0, ...change })
    return { tag: `${runTag(options)}_${suffix}`, stage, label, options, endNode: null }
  }
  const bypass = named('prefix_bypass', { label: 'masker bypassed', suffix: 'bypass', maskMulMode: 'bypass' })
  const { nBlocks, nRepeats } = base
  const all = nBlocks * nRepeats
  const along: Record<RampAxis, () => Prefix[]> = {
    truncate: () =>
      upTo(all).map(k => named('truncate', { label: `first ${k} of ${all}`, suffix: `k${k}`, truncateKBlocks: k })),
    blocks: () =>
      upTo(nBlocks).map(n => named('blocks', { label: `blocks ${n}`, suffix: 'blocks', nBlocks: n, nRepeats: 1 })),
    repeats: () => upTo(nRepeats).map(n => named('repeats', { label: `repeats ${n}`, suffix: 'repeats', nRepeats: n })),
    'end-nodes': () => endNodes(base),
  }
  const prefixes = axes.flatMap(axis => along[axis]())
  return axes.some(axis => axis !== 'end-nodes') ? [bypass, ...prefixes] : prefixes
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1)

function endNodes(base: ConvTasNetOptions): Prefix[] {
  const taken = new Set<string>()
  return cutPoints(convTasNetGraph(base)).map(({ value, node }) => {
    const word = node.replaceAll(/\W+/g, '_')
    let unique = word
    for (let n = 2; taken.has(unique); n++) unique = `${word}_${n}`
    taken.add(unique)
    return { tag: `${runTag(base)}_end_${unique}`, stage: 'end_nodes', label: node, options: base, endNode: value }
  })
}

/** A prefix as a case. Nothing is authored before its turn comes. */
export function rampCase({ tag, stage, label, options, endNode }: Prefix, setting: CaseSetting): RampCase {
  const cut = (whole: ModelProto) => (endNode === null ? whole : subgraphTo(whole, endNode))
  const rung = convTasNetCase(shortest(options), setting, { tag, cut })
  return { ...rung, config: convTasNetCase(options, setting).config, stage, label, options }
}

/**
 * The shortest options that describe the same network: two blocks of four are two blocks, four of eight are one repeat
 * of four. Equal networks then give equal bytes, and the cache sees that they are one case.
 */
export function shortest(o: ConvTasNetOptions): ConvTasNetOptions {
  const blocks = dilationsOf(o).length
  if (blocks === 0 || blocks === o.nBlocks * o.nRepeats) return { ...o, truncateKBlocks: 0 }
  if (blocks <= o.nBlocks) return { ...o, nBlocks: blocks, nRepeats: 1, truncateKBlocks: 0 }
  const nRepeats = Math.ceil(blocks / o.nBlocks)
  return { ...o, nRepeats, truncateKBlocks: blocks === nRepeats * o.nBlocks ? 0 : blocks }
}
