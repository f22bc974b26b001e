/**
 * Kills sweeps at random moments and resumes them, and counts what was lost.
 *
 * A chain is one sweep that is killed several times: each run resumes the one before, and the last one may end. Who is
 * killed takes turns: the process that does the work, the one that supervises it, and all of them at once. Where one of
 * the two lives, the run folder must get a verdict.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom, type Random } from '../../base/random.ts'
import { readTsv } from '../../host/tsv.ts'
import { procSource } from '../../host/process/descendants.ts'
import { modelsSummary } from '../../systems/monolithic/given/sweep-models.ts'
import { halfWritten, inLanes, reportIn, startRun, type StartedRun } from './started-run.ts'
import { writeTinyModels } from './tiny-models.ts'

const targets = ['worker', 'supervisor', 'both'] as const

/** What became of one kill. */
export interface Killed {
  readonly run: string
  readonly target: (typeof targets)[number]
  readonly atMs: number
  /** It had ended before its moment came. */
  readonly isLate: boolean
  /** The verdict in the run folder; "none" where nobody was left to write one, or no folder was there yet. */
  readonly verdict: string
  /** A verdict was owed and is not there. */
  readonly lacksVerdict: boolean
  /** Models whose row is not there, or whose finished case the next run did not have. */
  readonly lost: number
  readonly doubled: number
  /** Reports, tables and records that cannot be read, and half-written files beside a verdict. */
  readonly torn: number
  /** Processes that lived on. */
  readonly left: number
}

/** Kill `count` times, in chains of `chain` kills. */
export async function killSweeps(o: {
  folder: string
  count: number
  chain: number
  seed: number
  models?: number
}): Promise<Killed[]> {
  const models = writeTinyModels(join(o.folder, 'models'), o.models ?? 3)
  const chains = Array.from({ length: Math.ceil(o.count / o.chain) }, (_, n) => n)
  const found = await inLanes(chains, 2, n => {
    const kills = Math.min(o.chain, o.count - n * o.chain)
    return killChain({ models, kills, outDir: join(o.folder, `chain-${n + 1}`), random: seededRandom(o.seed + n), n })
  })
  return found.flat()
}

interface Chain {
  readonly models: readonly string[]
  readonly kills: number
  readonly outDir: string
  readonly random: Random
  readonly n: number
}

async function killChain({ models, kills, outDir, random, n }: Chain): Promise<Killed[]> {
  const killed: Killed[] = []
  let earlier: string | null = null
  const finished = new Set<string>()
  for (let k = 0; k <= kills; k++) {
    const ts = `run-${k + 1}`
    const argv: string[] = ['--model', models.join(','), '--toolchain', 'host', '--no-cache']
    if (earlier !== null) argv.push('--resume', earlier)
    const run = startRun('monolithic-sweep', { outDir, ts, argv })
    const target = targets[(n + k) % targets.length]!
    // The last run of a chain may end.
    const atMs = k === kills ? Number.POSITIVE_INFINITY : Math.round(300 + random.next() * 5200)
    const isLate = await killAt(run, target, atMs)
    const left = await run.left()
    const seen = look(run.folder, models, finished)
    // What stands in the folder of a run without a record of any case tells the next one nothing.
    if (existsSync(join(run.folder, modelsSummary))) earlier = ts
    const verdict = reportIn(run.folder)?.verdict ?? 'none'
    const owes = target !== 'both' && existsSync(join(run.folder, 'report.json'))
    const lacksVerdict = verdict === 'none' && (owes || k === kills)
    const isWhole = k < kills || seen.succeeded === models.length
    const lost = seen.lost + (isWhole ? 0 : models.length - seen.succeeded)
    const torn = seen.torn + (verdict === 'none' ? 0 : halfWritten(run.folder).length)
    const { doubled } = seen
    const row = { target, atMs, isLate, verdict, lacksVerdict, lost, doubled, torn, left: left.length }
    killed.push({ run: `chain-${n + 1}/${ts}`, ...row })
  }
  // The last row is that of the run that was let live: its faults count with the kill before.
  const last = killed.pop()!
  const before = killed.at(-1)!
  killed[killed.length - 1] = {
    ...before,
    lost: before.lost + last.lost,
    doubled: before.doubled + last.doubled,
    torn: before.torn + last.torn,
    left: before.left + last.left,
    lacksVerdict: before.lacksVerdict || last.lacksVerdict,
  }
  return killed
}

/** Wait for the moment and kill; gives whether the run had ended before. */
async function killAt(run: StartedRun, target: (typeof targets)[number], atMs: number): Promise<boolean> {
  const stop = new AbortController()
  const first =
    atMs === Number.POSITIVE_INFINITY
      ? run.ended.then(() => 'ended')
      : Promise.race([run.ended.then(() => 'ended'), sleep(atMs, 'now', { signal: stop.signal })])
  if ((await first) === 'ended') {
    stop.abort()
    return true
  }
  const { supervisor, worker } = run.processes()
  if (target !== 'supervisor' && worker !== null) kill(worker)
  if (target !== 'worker' || worker === null) kill(supervisor)
  // The pipes of a killed supervisor are held by the process that it watched, which stops by itself.
  await run.ended
  return false
}

function kill(pid: number): void {
  if (procSource.find(pid) !== null) process.kill(pid, 'SIGKILL')
}

/** What stands in a run folder; `finished` holds the cases that earlier runs of the chain had finished. */
function look(folder: string, models: readonly string[], finished: Set<string>) {
  const table = join(folder, modelsSummary)
  if (!existsSync(table)) return { lost: 0, doubled: 0, torn: 0, succeeded: 0 }
  let torn = existsSync(join(folder, 'report.json')) && reportIn(folder) === null ? 1 : 0
  let rows: Record<string, string>[] = []
  try {
    rows = readTsv(table)
  } catch {
    torn++
  }
  const named = rows.map(({ model }) => model!)
  const done = rows.filter(({ status }) => status === 'succeeded').map(({ model }) => model!)
  // A case that an earlier run had finished and that this one has reached must still be a success.
  const reached = rows.filter(({ status }) => status !== 'not-reached')
  const regressed = reached.filter(({ model, status }) => finished.has(model!) && status === 'failed').length
  for (const model of done) finished.add(model)
  return {
    lost: models.filter(model => !named.includes(model)).length + regressed,
    doubled: named.length - new Set(named).size,
    torn,
    succeeded: done.length,
  }
}
