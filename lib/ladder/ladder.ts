/**
 * Climbs a ladder of cases to the first that compiles.
 *
 * Runs cases in their order, stops at the first success unless the profile is `extended`, and keeps to a time limit for
 * the whole and one for each case. After every case the summary is written again, and it has a row for every configured
 * case from the start: also for those never reached, timed out or interrupted. `openBoard` is that much for any search;
 * `runLadder` climbs in order. How one case runs is `case.ts`.
 *
 * @example A ladder of two files, most wanted first
 * ```ts ignore
 * const { results, winner } = await runLadder({
 *   cases: ['large.onnx', 'small.onnx'].map(path => ({
 *     tag: path.replace('.onnx', ''),
 *     config: { path },
 *     prepare: () => ({
 *       onnx: path,
 *       inputs: [{ name: 'x', shape: [1, 3, 224, 224] }],
 *       outputs: ['y'],
 *       modelScript: '',
 *       samples: () => photos.map(x => ({ x })),
 *     }),
 *   })),
 *   profile: 'focused',
 *   timeLimitMs: 3_600_000,
 *   caseTimeoutMs: 600_000,
 *   folder: run.folder,
 *   resume: null,
 *   summary: {
 *     path: run.path('summary.tsv'),
 *     columns: ['tag', 'file', 'compiled', 'snr_db'],
 *     row: ({ tag, config, stage, metrics }) => ({
 *       tag, file: config.path, compiled: stage === 'compiled', snr_db: metrics.snrDb,
 *     }),
 *   },
 *   run: { toolchain: hostToolchain(), toolchainVersion: null, hwArch: 'hailo8', signal, cache: null },
 * })
 * ```
 */
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { writeTsv, type TsvValue } from '../host/tsv.ts'
import { runCase, type CaseRun } from './case.ts'
import { isCompiled, noFiles, type CaseResult, type LadderCase } from './types.ts'

/** The table that a search writes beside its cases, a row for each. */
export interface LadderSummary<Config> {
  readonly path: string
  readonly columns: readonly string[]
  /**
   * The row of a case: a value for each column.
   * @param result how it went so far
   * @param at a file of the case (from `result.files`) as a path that starts at the run's folder; empty stays empty
   * @param i its place in the ladder, from 0
   */
  row(result: CaseResult<Config>, at: (name: string) => string, i: number): Readonly<Record<string, TsvValue>>
}

/** What a search is told; `Config` is the system's own description of a rung. */
export interface Ladder<Config = unknown> {
  /** In the order in which they are tried. */
  readonly cases: readonly LadderCase<Config>[]
  /** `focused` stops at the first success; `extended` tries every case. */
  readonly profile: 'focused' | 'extended'
  /** For the whole ladder. */
  readonly timeLimitMs: number
  /** For one case; what is left of the whole ladder counts too. */
  readonly caseTimeoutMs: number
  /** The run's folder; each case gets a folder in it. */
  readonly folder: string
  /** An earlier run's folder whose finished cases are taken over; null for none. */
  readonly resume: string | null
  readonly summary: LadderSummary<Config>
  readonly run: Omit<CaseRun, 'timeoutMs' | 'onLine' | 'earlier'>
  /** Every line that a compiler writes. */
  readonly onLine?: (line: string) => void
  /** Called when a case begins (with null) and when it has ended. */
  readonly onCase?: (rung: LadderCase<Config>, result: CaseResult<Config> | null) => void
}

/** What a ladder found. */
export interface LadderResult<Config = unknown> {
  /** One for every configured case, in order. */
  readonly results: readonly CaseResult<Config>[]
  /** The first case that compiled; null when none did. */
  readonly winner: CaseResult<Config> | null
}

/** Everything of a ladder but where it stops. */
export type BoardOptions<Config = unknown> = Omit<Ladder<Config>, 'profile'>

/** How each configured case went so far. The summary on disk follows every change. */
export interface Board<Config = unknown> {
  /** One for every configured case, in order; `not-reached` until it was run. */
  readonly results: readonly CaseResult<Config>[]
  /**
   * Run case `i` (from 0), or take it over. Its status stays `not-reached` after an interruption, or when the time is
   * used up.
   */
  run(i: number): Promise<CaseResult<Config>>
  /** Say why case `i` is not run. */
  skip(i: number, why: string): void
}

/**
 * Begin with a row for every case. A failing case is a result, not an error.
 * @throws RunbookError blocked when the folder cannot be written
 */
export function openBoard<Config>(o: BoardOptions<Config>): Board<Config> {
  const startedMs = performance.now()
  const results = o.cases.map(rung => notReached(rung, 'the run ended before this case'))
  const put = (i: number, result: CaseResult<Config>) => {
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
const stopping: ReadonlySet<string> = new Set(['environment_broken_install', 'host_disk_full'])

/**
 * Run a ladder. A failing case is a result, not an error.
 * @throws RunbookError blocked when the folder cannot be written
 */
export async function runLadder<Config>(ladder: Ladder<Config>): Promise<LadderResult<Config>> {
  const board = openBoard(ladder)
  const winner = () => board.results.find(isCompiled) ?? null
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

function whyNot<Config>(o: BoardOptions<Config>, leftMs: number): string | null {
  if (o.run.signal.aborted) return 'the run was interrupted'
  return leftMs <= 0 ? `the time limit of ${Math.round(o.timeLimitMs / 60_000)} min was used up` : null
}

function notReached<Config>(rung: LadderCase<Config>, why: string): CaseResult<Config> {
  return {
    tag: rung.tag,
    config: rung.config,
    status: 'not-reached',
    stage: null,
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

function writeSummary<Config>(o: BoardOptions<Config>, results: readonly CaseResult<Config>[]): void {
  const { path, columns, row } = o.summary
  const rows = results.map((result, i) => {
    const at = (name: string) => (name === '' ? '' : join(o.folder, result.tag, name))
    return row(result, at, i)
  })
  writeTsv(path, columns, rows)
}
