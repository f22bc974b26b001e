/**
 * Which rung is the first that compiles?
 *
 * Runs cases in their order, stops at the first success unless the profile is `extended`, and keeps to a time limit
 * for the
 * whole and one for each case. After every case the summary is written again, and it has a row for every configured
 * case from the
 * start: also for those never reached, timed out or interrupted. `openBoard` is that much for any search, `runLadder`
 * climbs in
 * order, `prefix-ramp.ts` also bisects. How one case runs is `case.ts`.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { writeTsv, type Cellular } from '../host/tsv.ts'
import { usageError } from '../base/errors.ts'
import { noFiles, runCase, type CaseResult, type CaseRun, type LadderCase } from './case.ts'
import type { CaseOutcome } from '../systems/monolithic/search/next-knob.ts'

export interface Ladder {
  readonly cases: readonly LadderCase[]
  readonly profile: 'focused' | 'extended'
  /** For the whole ladder. */
  readonly timeLimitMs: number
  /** For one case; what is left of the whole ladder counts too. */
  readonly caseTimeoutMs: number
  /** The run's folder; each case gets a folder in it. */
  readonly folder: string
  /** An earlier run's folder whose finished cases are taken over. */
  readonly resume: string | null
  readonly summary: {
    readonly path: string
    readonly columns: readonly string[]
    readonly shown: (path: string) => string
    /** Values of columns that not every search has, for case `i`. */
    readonly more?: (i: number) => Readonly<Record<string, Cellular>>
  }
  readonly run: Omit<CaseRun, 'timeoutMs' | 'onLine' | 'earlier'>
  /** Every line that a compiler writes. */
  readonly onLine?: (line: string) => void
  /** Called when a case begins and when it has ended. */
  readonly onCase?: (rung: LadderCase, result: CaseResult | null) => void
}

export interface LadderResult {
  /** One for every configured case, in order. */
  readonly results: readonly CaseResult[]
  readonly winner: CaseResult | null
}

/** Everything of a ladder but where it stops. */
export type BoardOptions = Omit<Ladder, 'profile'>

/** How each configured case went so far. The summary on disk follows every change. */
export interface Board {
  /** One for every configured case, in order; `not-reached` until it was run. */
  readonly results: readonly CaseResult[]
  /**
   * Run case `i` (from 0), or take it over. Its status stays `not-reached` after an interruption, or when the time is
   * used up.
   */
  run(i: number): Promise<CaseResult>
  /** Say why case `i` is not run. */
  skip(i: number, why: string): void
}

/**
 * Begin with a row for every case. Errors: blocked when the folder cannot be written. A failing case is a result, not
 * an error.
 */
export function openBoard(o: BoardOptions): Board {
  const startedMs = performance.now()
  const results = o.cases.map(rung => notReached(rung, 'the run ended before this case'))
  const put = (i: number, result: CaseResult) => {
    results[i] = result
    writeSummary(o, results)
    return result
  }
  writeSummary(o, results)
  return {
    results,
    async run(i) {
      const rung = o.cases[i]!
      const leftMs = o.timeLimitMs - (performance.now() - startedMs)
      const why = whyNot(o, leftMs)
      if (why !== null) return put(i, notReached(rung, why))
      o.onCase?.(rung, null)
      const earlier = o.resume === null ? null : join(o.resume, rung.tag)
      const run: CaseRun = {
        ...o.run,
        earlier,
        timeoutMs: Math.min(o.caseTimeoutMs, leftMs),
        ...(o.onLine ? { onLine: o.onLine } : {}),
      }
      const result = put(i, await runCase(rung, join(o.folder, rung.tag), run))
      o.onCase?.(rung, result)
      return result
    },
    skip: (i, why) => void put(i, notReached(o.cases[i]!, why)),
  }
}

/** Failures that no other rung can escape. */
const stopping = new Set(['environment_broken_install', 'host_disk_full'])

/** Run a ladder. Errors: blocked when the folder cannot be written. A failing case is a result, not an error. */
export async function runLadder(ladder: Ladder): Promise<LadderResult> {
  const board = openBoard(ladder)
  const winner = () => board.results.find(result => result.hefSuccess) ?? null
  for (const i of ladder.cases.keys()) {
    const first = winner()
    const broken = board.results.find(({ failure }) => failure !== null && stopping.has(failure.bucket))
    if (broken) {
      board.skip(i, `stopped because every case would meet the same: ${broken.failure!.bucket}`)
      continue
    }
    if (first && ladder.profile === 'focused' && !ladder.run.signal.aborted)
      board.skip(i, `stopped at the first success, ${first.tag}`)
    else await board.run(i)
  }
  return { results: board.results, winner: winner() }
}

function whyNot(o: BoardOptions, leftMs: number): string | null {
  if (o.run.signal.aborted) return 'the run was interrupted'
  return leftMs <= 0 ? `the time limit of ${Math.round(o.timeLimitMs / 60_000)} min was used up` : null
}

function notReached(rung: LadderCase, why: string): CaseResult {
  return {
    tag: rung.tag,
    config: rung.config,
    status: 'not-reached',
    harSuccess: false,
    hefSuccess: false,
    exceptionType: 'NotReached',
    failureHead: `not reached: ${why}`,
    failure: null,
    files: noFiles,
    metrics: {},
    durationMs: 0,
    key: null,
    origin: 'ran',
  }
}

function writeSummary(o: BoardOptions, results: readonly CaseResult[]): void {
  const { path, columns, shown, more } = o.summary
  writeTsv(
    path,
    columns,
    results.map((result, i) => ({
      ...summaryRow(result, name => shown(join(o.folder, result.tag, name))),
      ...more?.(i),
    })),
  )
}

/** The 17 columns of the monolithic summary. `shown` makes a path inside the case's folder presentable. */
export function summaryRow(result: CaseResult, shown: (name: string) => string): Record<string, Cellular> {
  const { config, files } = result
  const at = (name: string) => (name === '' ? '' : shown(name))
  return {
    run_tag: result.tag,
    n_filters: config.nFilters,
    bn_chan: config.bnChan,
    hid_chan: config.hidChan,
    skip_chan: config.skipChan,
    n_blocks: config.nBlocks,
    n_repeats: config.nRepeats,
    input_len: config.inputLen,
    har_success: result.harSuccess,
    hef_success: result.hefSuccess,
    exception_type: result.exceptionType,
    failure_head: result.failureHead.replaceAll(/\s+/g, ' ').slice(0, 500),
    har_path: at(files.har),
    hef_path: at(files.hef),
    har_log: at(files.harLog),
    hef_log: at(files.hefLog),
    failure_log: at(files.failureLog),
  }
}

/** What the next knob is chosen from. */
export const outcomesOf = (results: readonly CaseResult[]): CaseOutcome[] =>
  results.map(({ config, harSuccess, hefSuccess, exceptionType, failure, status }) => ({
    config,
    harSuccess,
    hefSuccess,
    exceptionType,
    failure,
    attempted: status !== 'not-reached' && status !== 'interrupted',
  }))

/**
 * The cases from `from` to `until`, both included, each given as a place (1 for the first) or as a tag.
 * @throws usage when there is no such case, or when they stand the wrong way round
 */
export function sliceCases<T extends { readonly tag: string }>(
  cases: readonly T[],
  o: { from?: string | undefined; until?: string | undefined },
): T[] {
  const place = (word: string, flag: string) => {
    const index = /^\d+$/.test(word) ? Number(word) - 1 : cases.findIndex(rung => rung.tag === word)
    if (index >= 0 && index < cases.length) return index
    throw usageError(
      `Cannot use --${flag} ${word}: the ladder has cases 1 to ${cases.length}`,
      `give a number, or a tag such as ${cases[0]?.tag}`,
    )
  }
  const first = o.from === undefined ? 0 : place(o.from, 'from')
  const last = o.until === undefined ? cases.length - 1 : place(o.until, 'until')
  if (first > last) {
    throw usageError(
      `Cannot run from case ${first + 1} until case ${last + 1}: they stand the wrong way round`,
      'swap --from and --until',
    )
  }
  return cases.slice(first, last + 1)
}

/**
 * The folder of a run to resume, given as a path or as a name below `outDir`.
 * @throws usage when there is none
 */
export function resumeFolder(word: string | undefined, outDir: string): string | null {
  if (word === undefined) return null
  const found = [word, join(outDir, word)].find(path => existsSync(join(path, 'report.json')))
  if (found) return found
  throw usageError(`Cannot resume "${word}": there is no such run`, `look for it: ls ${outDir}`)
}
