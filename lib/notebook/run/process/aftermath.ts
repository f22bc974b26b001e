/** Completes the evidence of a run whose process ended without a verdict, and says how it ended. */
import { accessSync, constants as fsConstants, existsSync, readdirSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { exitCodes } from '../../../base/errors.ts'
import { readFile, readJson } from '../../../host/files.ts'
import { releaseReserve, reserveName } from '../../../host/reserve.ts'
import { isSwitchedOn } from '../../inputs/argv.ts'
import type { Inputs } from '../../inputs/inputs.ts'
import type { GateRecord, Report } from '../../views/report.ts'
import { emptyReport, tell, type Runbook, type Surroundings } from '../lifecycle.ts'
import { Recorder } from '../recorder.ts'

/** How a runbook's process ended. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The signal by which somebody asked for the end; null when nobody did. */
  readonly stopped: string | null
  /** The run folder, when there was one. */
  readonly run: { readonly folder: string; readonly shown: string } | null
}

/** Write the verdict into the run folder and on stdout; gives the exit code. */
export async function reportEnding<S extends Inputs>(
  self: Runbook<S>,
  ending: Ending,
  o: { argv: readonly string[] } & Pick<Surroundings, 'stdout' | 'stderr'>,
): Promise<number> {
  const { stdout = process.stdout, stderr = process.stderr, argv } = o
  const report = reportOf(ending.run?.folder) ?? emptyReport(self, argv)
  const { state, hint, verdict, exit } = storyOf(ending)
  const message = `Cannot finish "${self.id}": ${state}`
  const now = new Date()
  Object.assign(report, {
    verdict,
    exit,
    run: ending.run?.shown ?? 'none',
    endedAt: now.toISOString(),
    durationMs: now.getTime() - Date.parse(report.startedAt),
    next: verdict === 'INTERRUPTED' ? report.command : null,
    hint,
    error: { name: 'RunbookError', message, hint, code: ending.signal ?? 'exit', stack: null },
  })
  if (ending.run !== null) addEvents(report, ending.run.folder)
  for (const cell of report.cells) if (cell.status === 'running') cell.status = 'interrupted'
  stderr.write(`${verdict === 'BUG' ? 'bug' : 'error'}: ${message}\n\nhint: ${hint}\n`)
  if (ending.run !== null) await complete(self, ending.run.folder, { report, reason: state }).catch(() => {})
  return tell(report, { stdout, stderr, isJson: isSwitchedOn(argv, 'json') }).exit
}

/** What happened, in words, and whose matter it is: a fault of native code, or somebody who stopped the run. */
function storyOf({ code, signal, stopped }: Ending) {
  const number = signal === null ? '' : ` (${constants.signals[signal]})`
  if (stopped !== null) {
    const state = `it did not stop by itself after ${stopped}, and was ended with all that it had started`
    const hint = 'run it again; the cells that ended are in the report'
    return { state, hint, verdict: 'INTERRUPTED' as const, exit: exitCodes.interrupted }
  }
  if (signal !== null && ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP'].includes(signal)) {
    const state = `its process was ended by ${signal}${number} from outside`
    const hint = 'somebody ended it, or the system had no memory left: look at `dmesg` and `free -g`'
    return { state, hint, verdict: 'INTERRUPTED' as const, exit: exitCodes.interrupted }
  }
  if (signal !== null) {
    const state = `its process was ended by ${signal}${number}`
    const hint = 'a library crashed, or Rungbook has a defect: the last cell of the report shows where'
    return { state, hint, verdict: 'BUG' as const, exit: exitCodes.bug }
  }
  const short = shortageHere()
  const state = `its process left with exit code ${code}${short === null ? '' : `, and ${short.state}`}`
  if (short !== null) return { state, hint: short.hint, verdict: 'BLOCKED' as const, exit: exitCodes.blocked }
  const hint = 'the lines above say why; look at `ulimit -a` and at the folder that TMPDIR names'
  return { state, hint, verdict: 'BUG' as const, exit: exitCodes.bug }
}

/** The loader of modules opens dozens of files at once; Rungbook was seen to need 52. */
const filesMin = 128

/** What this process, and so its child, has too little of; null when nothing is known to be short. */
function shortageHere(): { readonly state: string; readonly hint: string } | null {
  const files = limitOf('Max open files')
  if (files < filesMin) return { state: `at most ${files} files may be open here`, hint: 'ulimit -n 1024' }
  const bytes = limitOf('Max address space')
  if (bytes < Infinity)
    return { state: `at most ${Math.round(bytes / 1e6)} MB of addresses may be used here`, hint: 'ulimit -v unlimited' }
  try {
    accessSync(tmpdir(), fsConstants.W_OK)
    return null
  } catch {
    return { state: `the folder "${tmpdir()}" cannot be written`, hint: 'export TMPDIR=/var/tmp' }
  }
}

/** A soft limit of this process; infinite where there is none, or no /proc. */
function limitOf(name: string): number {
  try {
    const line = readFile('/proc/self/limits')
      .toString('utf8')
      .split('\n')
      .find(row => row.startsWith(name))
    return Number(/\s(\d+)\s/.exec(line ?? '')?.[1] ?? Infinity)
  } catch {
    return Infinity
  }
}

/** What happened after the report was written for the last time: cells that had opened, gates that were judged. */
function addEvents(report: Report, folder: string): void {
  const events = eventsOf(folder)
  const opened = events.filter(({ event, n }) => event === 'cell-opened' && Number(n) > report.cells.length)
  for (const { n, title, at } of opened) {
    const running = { status: 'running', durationMs: null, source: '', outputs: [], error: null } as const
    report.cells.push({ ...running, n: Number(n), title: String(title), startedAt: String(at), outputs: [] })
  }
  const gates = events.filter(({ event }) => event === 'gate').slice(report.gates.length)
  for (const { at: _at, event: _event, ...gate } of gates) report.gates.push(gate as unknown as GateRecord)
}

function eventsOf(folder: string): Record<string, unknown>[] {
  const path = join(folder, 'events.ndjson')
  if (!existsSync(path)) return []
  return readFile(path)
    .toString('utf8')
    .split('\n')
    .flatMap(line => {
      try {
        return [JSON.parse(line) as Record<string, unknown>]
      } catch {
        return [] // The last line may be half a line.
      }
    })
}

function reportOf(folder: string | undefined): Report | null {
  try {
    return folder === undefined ? null : (readJson(join(folder, 'report.json')) as Report)
  } catch {
    return null
  }
}

async function complete<S extends Inputs>(
  self: Runbook<S>,
  folder: string,
  o: { report: Report; reason: string },
): Promise<void> {
  releaseReserve(folder)
  rmSync(join(folder, reserveName), { force: true })
  // What was being written when the process died, and will never be whole.
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
    if (/\.\d+(-\d+)?\.tmp$/.test(name)) rmSync(join(folder, name), { force: true })
  try {
    await self.sheet.ifKilled?.({ folder, reason: o.reason, inputs: o.report.inputs })
  } finally {
    await new Recorder(o.report, folder).end()
  }
}
