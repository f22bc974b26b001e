/**
 * Finds the first node of a given model that does not compile.
 *
 * The model is compiled up to a node, with every value that the rest reads as an output, so that each case holds the
 * one before. Cases are asked by halves, or all in order with the profile `extended`. A time-out or a broken
 * installation leaves the question open.
 */
import { isConclusive } from '../../../failure/classify.ts'
import { describe } from '../../../formats/tensors/tensor.ts'
import { firstFailing } from '../../../ladder/bisect.ts'
import { givenCase, readGiven, tagOf, type GivenConfig } from '../../../ladder/given-case.ts'
import { openBoard, type Board, type BoardOptions } from '../../../ladder/ladder.ts'
import type { SampleSource } from '../../../ladder/sample-source.ts'
import { isCompiled, type CaseResult } from '../../../ladder/types.ts'
import { prefixesOf, prefixModel, type Prefix } from '../../../onnx/extract.ts'
import { usageError } from '../../../base/errors.ts'
import { shownPath } from '../../../host/files.ts'
import { modelPaths } from './inputs.ts'

/** A model's prefix as a case. */
export interface NodeCase {
  readonly tag: string
  readonly prefix: Prefix
  /** `conv1 (Conv) -> y float32[1, 8, 64]` */
  readonly label: string
}

/** Where a model stops compiling. */
export interface NodeBoundary {
  readonly results: readonly CaseResult<GivenConfig>[]
  readonly lastPass: number | null
  readonly firstFail: number | null
  /** Why the question stays open; null when it is answered. */
  readonly open: string | null
}

/** How the cases are made. */
export interface RampSetting {
  readonly shapes: ReadonlyMap<string, readonly number[]>
  readonly source: SampleSource
  readonly count: number
}

/**
 * The one path of `--model`.
 * @throws RunbookError usage when several are named
 */
export function onlyModel(word: string): string {
  const paths = modelPaths(word)
  if (paths.length === 1) return paths[0]!
  throw usageError(`Cannot climb ${paths.length} models at once`, 'give one --model')
}

/**
 * The prefixes of a model.
 * @throws RunbookError usage when it is no model, its shapes stay open, or no node can be cut behind; blocked when it
 *   is absent
 */
export function nodeCases(path: string, shapes: RampSetting['shapes']): NodeCase[] {
  const prefixes = prefixesOf(readGiven(path, shapes).model)
  if (prefixes.length === 0)
    throw usageError(`Cannot cut "${path}": no node is reached by an input, or no shape is known`, 'give --shape')
  const digits = String(prefixes.at(-1)!.nodes).length
  return prefixes.map(prefix => {
    const word = prefix.node
      .replaceAll(/\W+/g, '_')
      .replaceAll(/^_+|_+$/g, '')
      .slice(-40)
    const made = prefix.made.map(value => `${value.name} ${describe(value)}`).join(', ')
    return {
      prefix,
      tag: `${tagOf(path)}_${String(prefix.nodes).padStart(digits, '0')}_${word || prefix.op}`,
      label: `${prefix.node} (${prefix.op})${made === '' ? '' : ` -> ${made}`}`,
    }
  })
}

/** The columns of the table of prefixes. */
const columns = [
  'tag',
  'node',
  'op',
  'nodes',
  'made',
  'status',
  'bucket',
  'failure_head',
  'onnx',
  'failure_log',
] as const

/** What a climb is run with, beside its cases and its table. */
export type ClimbBoard = Omit<BoardOptions<GivenConfig>, 'cases' | 'summary'>

/** Compile as many prefixes as are needed. */
export async function climbNodes(
  path: string,
  cases: readonly NodeCase[],
  o: { setting: RampSetting; board: ClimbBoard; summaryPath: string; profile: 'focused' | 'extended' },
): Promise<NodeBoundary> {
  const board = openBoard({
    ...o.board,
    cases: cases.map(({ tag, prefix }) =>
      givenCase(path, o.setting, { tag, cut: whole => prefixModel(whole, prefix) }),
    ),
    summary: { path: o.summaryPath, columns, row: (result, at, i) => rowOf(result, { at, rung: cases[i]! }) },
  })
  if (o.profile === 'extended') for (const i of cases.keys()) await board.run(i)
  else await askByHalves(cases.length, board)
  return boundaryOf(board.results)
}

async function askByHalves(count: number, board: Board<GivenConfig>): Promise<void> {
  const asked = new Set<number>()
  await firstFailing(count, async i => {
    asked.add(i)
    return isCompiled(await board.run(i))
  })
  for (let i = 0; i < count; i++) if (!asked.has(i)) board.skip(i, 'bisecting needs no answer from it')
}

function rowOf(
  result: CaseResult<GivenConfig>,
  { at, rung }: { at: (name: string) => string; rung: NodeCase },
): Record<(typeof columns)[number], string | number> {
  const shown = (name: string) => (name === '' ? '' : shownPath(at(name)))
  return {
    tag: result.tag,
    node: rung.prefix.node,
    op: rung.prefix.op,
    nodes: rung.prefix.nodes,
    made: rung.prefix.made.map(value => `${value.name} ${describe(value)}`).join(', '),
    status: result.status,
    bucket: result.failure?.bucket ?? '',
    failure_head: result.failureHead.replaceAll(/\s+/g, ' '),
    onnx: shown(result.files.onnx),
    failure_log: shown(result.files.failureLog),
  }
}

/** The boundary in what was asked: the first failure, and the last pass before it. */
export function boundaryOf(results: readonly CaseResult<GivenConfig>[]): NodeBoundary {
  const wasRun = (result: CaseResult) => result.status !== 'not-reached'
  const first = results.findIndex(result => wasRun(result) && !isCompiled(result))
  const before = first < 0 ? results : results.slice(0, first)
  const pass = before.findLastIndex(isCompiled)
  const lastPass = pass < 0 ? null : pass
  if (first < 0) {
    const open = isCompiled(results.at(-1)!) ? null : results.at(-1)!.failureHead
    return { results, lastPass, firstFail: null, open }
  }
  const failed = results[first]!
  const isVerdict = failed.status === 'failed' && isConclusive(failed.failure)
  const isAdjacent = first === 0 || pass === first - 1
  const why = isVerdict
    ? isAdjacent
      ? null
      : `${results[first - 1]!.tag} was not asked`
    : `${failed.tag} gave no verdict: ${failed.failure?.cause ?? failed.status}`
  return { results, lastPass, firstFail: isVerdict ? first : null, open: why }
}
