/**
 * Finds the largest prefix of a network that compiles, and the first that does not.
 *
 * Stages are asked one after the other, each in order or by halves, until one shows a boundary. A failure is a boundary
 * only when it is about the graph: a time-out, a broken installation or data that does not fit leave the question open.
 * The prefixes are made in `cases.ts`, one case runs in `lib/ladder/case.ts`.
 */
import { firstFailing } from '../../../ladder/bisect.ts'
import { isConclusive } from '../../../failure/classify.ts'
import { openBoard, type Board, type BoardOptions, type LadderSummary } from '../../../ladder/ladder.ts'
import { isCompiled } from '../../../ladder/types.ts'
import type { Toolchain } from '../../../compile/toolchain.ts'
import { monolithicContract } from '../contract.ts'
import { summaryRow, type CaseConfig, type ConvTasNetResult as CaseResult } from '../search/summary.ts'
import type { RampCase, RampStage } from './cases.ts'

/** What a ramp is told. */
export interface Ramp extends Omit<BoardOptions<CaseConfig>, 'cases'> {
  /** Cases of one stage stand together, from small to large. */
  readonly cases: readonly RampCase[]
  /** `linear` asks in order; `bisect` asks about log2 as many, and takes for granted that all behind a failure fail. */
  readonly search: 'linear' | 'bisect'
  /** `focused` ends at the first failure (linear) and at the first stage with one; `extended` does neither. */
  readonly profile: 'focused' | 'extended'
}

/** Where the boundary runs. Both sides are cases that were asked. */
export interface Boundary {
  /** The stage of `firstFail`. */
  readonly stage: RampStage | null
  /**
   * The largest prefix below it that compiled, in its stage or else the bypass; without a failure, the last that
   * compiled.
   */
  readonly lastPass: CaseResult | null
  readonly firstFail: CaseResult | null
  /** Why the question stays open; null when it is answered. */
  readonly open: string | null
  /** What keeps it open: the case without a verdict, when there is one. */
  readonly undecided: CaseResult | null
  /** Prefixes that compiled although they stand behind the first failure in its stage. */
  readonly passBehind: readonly CaseResult[]
}

/** What a ramp found. */
export interface RampResult {
  /** One for every configured case, in order. */
  readonly results: readonly CaseResult[]
  readonly boundary: Boundary
}

/**
 * Climb the ramp. A failing case is a result, not an error.
 *
 * @throws RunbookError blocked when the folder cannot be written
 */
export async function runRamp(ramp: Ramp): Promise<RampResult> {
  const board = openBoard(ramp)
  let cutShort: string | null = null
  const ask = async (i: number) => {
    const result = await board.run(i)
    if (result.status === 'not-reached') cutShort ??= result.failureHead
    return result
  }
  let ended: string | null = null
  for (const places of stagesOf(ramp.cases)) {
    if (ended !== null) for (const i of places) board.skip(i, ended)
    else if (ramp.search === 'bisect') await askByHalves(places, { board, ask })
    else await askInOrder(places, { board, ask, goesOn: ramp.profile === 'extended' })
    const fails = places.some(i => wasRun(board.results[i]!) && !isCompiled(board.results[i]!))
    const { stage } = ramp.cases[places[0]!]!
    if (fails && ramp.profile === 'focused') ended ??= `stopped behind the stage ${stage}, which does not pass`
  }
  return { results: board.results, boundary: boundaryOf(ramp.cases, board.results, cutShort) }
}

/** The places of each stage's cases. */
function stagesOf(cases: readonly RampCase[]): number[][] {
  const stages = new Map<RampStage, number[]>()
  for (const [i, { stage }] of cases.entries()) stages.set(stage, [...(stages.get(stage) ?? []), i])
  return [...stages.values()]
}

interface Asking {
  readonly board: Board<CaseConfig>
  readonly ask: (i: number) => Promise<CaseResult>
}

async function askInOrder(
  places: readonly number[],
  { board, ask, goesOn }: Asking & { goesOn: boolean },
): Promise<void> {
  let failed: string | null = null
  for (const i of places) {
    if (failed !== null) {
      board.skip(i, `stopped at the first failure, ${failed}`)
      continue
    }
    const result = await ask(i)
    if (wasRun(result) && !isCompiled(result) && !goesOn) failed = result.tag
  }
}

/** A case without a verdict counts as not passing, so that a time-out of the whole does not hide a failure below it. */
async function askByHalves(places: readonly number[], { board, ask }: Asking): Promise<void> {
  const asked = new Set<number>()
  await firstFailing(places.length, async n => {
    asked.add(places[n]!)
    return isCompiled(await ask(places[n]!))
  })
  for (const i of places) if (!asked.has(i)) board.skip(i, 'bisecting needs no answer from it')
}

const wasRun = ({ status }: CaseResult): boolean => status !== 'not-reached'

/** Whether a case that was run says something about its graph: it compiled, or failed because of what it holds. */
export function isDecided(result: CaseResult): boolean {
  return result.status === 'succeeded' || (result.status === 'failed' && isConclusive(result.failure))
}

/**
 * The boundary in what was asked.
 * @param cutShort why a case that was to be asked was not; null when none was
 */
export function boundaryOf(
  cases: readonly RampCase[],
  results: readonly CaseResult[],
  cutShort: string | null,
): Boundary {
  const first = results.findIndex(result => wasRun(result) && !isCompiled(result))
  const none = { stage: null, firstFail: null, undecided: null, passBehind: [] }
  if (first < 0) {
    const lastPass = results.findLast(isCompiled) ?? null
    return { ...none, lastPass, open: cutShort ?? (lastPass ? null : 'no case was asked') }
  }
  const { stage } = cases[first]!
  const found = results[first]!
  const inStage = (i: number) => cases[i]!.stage === stage
  const lastPass =
    results.findLast((result, i) => i < first && inStage(i) && isCompiled(result)) ??
    results.find((result, i) => i < first && cases[i]!.stage === 'prefix_bypass' && isCompiled(result)) ??
    null
  if (!isDecided(found)) {
    const why = found.failure?.cause ?? found.status
    return { ...none, lastPass, open: `${found.tag} gave no verdict: ${why}`, undecided: found }
  }
  const below = first > 0 && inStage(first - 1) ? results[first - 1]! : null
  return {
    stage,
    lastPass,
    firstFail: found,
    undecided: null,
    open: below === null || isCompiled(below) ? null : (cutShort ?? `${below.tag} was not asked`),
    passBehind: results.filter((result, i) => i > first && inStage(i) && isCompiled(result)),
  }
}

/** The summary of a ramp, written to `path`: the sweep's columns and three of its own. */
export const rampSummary = (
  path: string,
  cases: readonly RampCase[],
  toolchain: Toolchain['name'],
): LadderSummary<CaseConfig> => ({
  path,
  columns: monolithicContract().tsv.rampColumns,
  row(result, at, i) {
    const { stage, options } = cases[i]!
    const { maskMulMode, truncateKBlocks } = options
    return {
      ...summaryRow(result, at, toolchain),
      stage,
      mask_mul_mode: maskMulMode,
      truncate_k_blocks: truncateKBlocks,
    }
  },
})
