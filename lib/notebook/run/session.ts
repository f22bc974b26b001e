/**
 * Makes the tools that a runbook's body works with.
 *
 * Cells, displays, gates, report lines, the run folder and the next step, all bound to one execution. Cells may run
 * side by side: an async context knows which cell a line or a picture belongs to, so streams never mix.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { createRunFolder, runTs } from './run-folder.ts'
import { shownPath, writeFileAtomic } from '../../host/files.ts'
import { createSh, errorOfCommand, type Sh } from '../../host/sh.ts'
import { RunbookError } from '../../base/errors.ts'
import { blockedGate, gateText, judge, type Bound, type GateOptions } from './gates.ts'
import type { Inputs, InputValues } from '../inputs/inputs.ts'
import type { Narrative } from './narrative.ts'
import { Recorder } from './recorder.ts'
import { callerLine, callSource } from './source.ts'
import type { CellRecord, Report } from '../views/report.ts'
import type { Display } from '../display/show.ts'

/** What a cell's function gets. */
export interface CellTools {
  /** Run `work` on each item in order; a bar on a terminal, one plain line per item elsewhere. */
  progress<T, R>(
    items: readonly T[],
    work: (item: T, index: number) => R | Promise<R>,
    label?: (item: T) => string,
  ): Promise<R[]>
  /** Move a bar of unknown speed: `done` of `total`; ten plain lines at the most where there is no terminal. */
  advance(done: number, total: number): void
  /** Say something; it is recorded with the cell. */
  print(text: string): void
  show(...displays: readonly Display[]): void
  /** Aborts when the run is interrupted. */
  readonly signal: AbortSignal
  /** As in `Tools`. */
  readonly sh: Sh
}

/** The folder of this run. */
export interface Run {
  /** Absolute. */
  readonly folder: string
  /** As a person would type it. */
  readonly shown: string
  readonly ts: string
  /** A path inside the folder. */
  path(...parts: readonly string[]): string
  /** Write a file into the folder, whole or not at all; gives its path. A dry run writes nothing. */
  write(name: string, data: string | Uint8Array): string
}

/** Judges values; see `gates.ts`. */
export interface Gate {
  /** Judge one number or fact against one bound; never throws. Gives whether it passed. */
  (name: string, value: unknown, bound: Bound, o?: GateOptions): boolean
  /** A gate that cannot be measured here, and why. */
  blocked(name: string, why: string): void
}

/** What to do next, by the name of the verdict in small letters. */
export type NextSteps = Partial<Record<'pass' | 'fail' | 'blocked' | 'interrupted', string>>

/** What a runbook's body works with. */
export interface Tools<S extends Inputs> {
  readonly inputs: InputValues<S>
  readonly run: Run
  readonly signal: AbortSignal
  /** Run one titled step; its result is the cell's. A failure is recorded, then rethrown. */
  cell<T>(title: string, work: (tools: CellTools) => T | Promise<T>): Promise<T>
  /**
   * Run a shell command in plain sight: zx's `$` with a time limit, a log in the run's `commands` folder and the end of
   * all that it starts. A failure that nobody catches fails the run, and names the command and its log.
   */
  readonly sh: Sh
  /** Whether `--dry-run` asks to change nothing; only a sheet with `dryRun: 'body'` is run then. */
  readonly isDryRun: boolean
  /** Show tables, plots, pictures or sound in the cell that is open, else in the latest one. */
  show(...displays: readonly Display[]): void
  readonly gate: Gate
  /** What to do next, by verdict. */
  next(steps: NextSteps): void
  /** A word for the verdict line: `mark('toolchain', 'host')`. */
  mark(name: string, value: string): void
  /** What a pass of this run proves and what it does not, in a sentence or two: said beside the verdict PASS. */
  proves(text: string): void
  /** A line that stands on stdout just before the verdict. */
  line(text: string): void
  /** Add facts to the fingerprint: the device, contract digests. */
  stamp(facts: Readonly<Record<string, unknown>>): void
}

/** One execution that has begun: the tools of its body, and what the lifecycle needs of it. */
export interface Session<S extends Inputs> {
  readonly tools: Tools<S>
  readonly recorder: Recorder
  readonly proposed: NextSteps
  readonly signal: AbortSignal
  readonly startedMs: number
  /** The fingerprint of host and project, taken while the body works. */
  stamps(): Promise<Record<string, unknown>>
}

interface Setting<S extends Inputs> {
  readonly path: string
  readonly report: Report
  readonly values: InputValues<S>
  readonly narrative: Narrative
  readonly cwd: string
  readonly signal: AbortSignal | undefined
  /** Where run folders go, absolute; null to keep nothing. */
  readonly outDir: string | null
  readonly runTs: string | undefined
  readonly isDryRun: boolean
}

/**
 * Open the run folder and make the tools.
 *
 * @throws RunbookError usage (a bad run name), blocked (the folder cannot be written)
 */
export async function createSession<S extends Inputs>(setting: Setting<S>): Promise<Session<S>> {
  const { path, report, values, narrative, outDir } = setting
  const signal = setting.signal ?? new AbortController().signal
  const startedMs = performance.now()
  const run = openRun(setting)
  const folder = setting.isDryRun ? null : (run?.folder ?? null)
  if (folder !== null) report.run = run!.shown
  const recorder = new Recorder(report, folder)
  recorder.event('started', { runbook: report.runbook, command: report.command })
  await recorder.save()
  const stamps =
    outDir === null ? Promise.resolve({}) : import('../../host/fingerprint.ts').then(({ fingerprint }) => fingerprint())
  const proposed: NextSteps = {}
  const { isDryRun } = setting
  const commands = folder === null ? null : join(folder, 'commands')
  const cells = cellTools({ path, report, narrative, recorder, signal, commands, isDryRun })
  const tools: Tools<S> = {
    inputs: values,
    signal,
    get run() {
      if (!run) throw new Error('this runbook keeps no evidence, so it has no run folder')
      return run
    },
    cell: cells.cell,
    show: cells.show,
    sh: cells.sh,
    isDryRun,
    gate: gateTool(report, narrative, recorder),
    next: steps => void Object.assign(proposed, steps),
    proves: text => void (report.proves = text),
    mark: (name, value) => void Object.assign(report.marks, { [name]: value }),
    line: text => void report.lines.push(text),
    stamp: facts => void Object.assign(report.fingerprint, facts),
  }
  return { tools, recorder, proposed, signal, startedMs, stamps: () => stamps }
}

function openRun(setting: Setting<Inputs>): Run | null {
  if (setting.outDir === null) return null
  const ts = setting.runTs ?? runTs()
  const folder = setting.isDryRun ? join(setting.outDir, ts) : createRunFolder(setting.outDir, ts)
  return {
    folder,
    shown: shownPath(folder, setting.cwd),
    ts: basename(folder),
    path: (...parts) => join(folder, ...parts),
    write(name, data) {
      if (!setting.isDryRun) writeFileAtomic(join(folder, name), data)
      return join(folder, name)
    },
  }
}

function gateTool(report: Report, narrative: Narrative, recorder: Recorder): Gate {
  const add = (gate: Report['gates'][number]): boolean => {
    report.gates.push(gate)
    recorder.event('gate', { ...gate })
    narrative.gate(gate.status, gateText(gate))
    return gate.status === 'pass'
  }
  return Object.assign(
    (name: string, value: unknown, bound: Bound, o?: GateOptions) => add(judge(name, value, bound, o)),
    { blocked: (name: string, why: string) => void add(blockedGate(name, why)) },
  )
}

function cellTools(o: {
  path: string
  report: Report
  narrative: Narrative
  recorder: Recorder
  signal: AbortSignal
  /** Where `sh` keeps the logs of its commands. */
  commands: string | null
  isDryRun: boolean
}) {
  const { path, report, narrative, recorder, signal } = o
  const current = new AsyncLocalStorage<CellRecord>()
  const text = readFileSync(path, 'utf8')
  const home = () => current.getStore() ?? report.cells.at(-1) ?? recorder.open('Notes', '')
  const print = (words: string) => {
    const cell = home()
    recorder.text(cell, words)
    narrative.say(cell.n, words)
  }
  const show = (...displays: readonly Display[]) => {
    const cell = home()
    for (const display of displays)
      recorder.show(cell, display, output => output.text && narrative.say(cell.n, output.text))
  }
  const progress = async <T, R>(
    items: readonly T[],
    work: (item: T, index: number) => R | Promise<R>,
    label?: (item: T) => string,
  ) => {
    const results: R[] = []
    for (const [index, item] of items.entries()) {
      signal.throwIfAborted()
      const startedMs = performance.now()
      results.push(await work(item, index))
      const shown = label?.(item) ?? (typeof item === 'string' ? item : '')
      narrative.progress(home().n, {
        done: index + 1,
        total: items.length,
        label: shown,
        durationMs: performance.now() - startedMs,
      })
    }
    return results
  }
  const advance = () => {
    const startedMs = performance.now()
    return (done: number, total: number) => {
      const isTenth = Math.floor((done * 10) / total) > Math.floor(((done - 1) * 10) / total)
      if (isTenth || narrative.draws)
        narrative.progress(home().n, { done, total, label: '', durationMs: performance.now() - startedMs })
    }
  }
  const sh = createSh({ folder: o.commands, print, signal, isDryRun: o.isDryRun })
  const cell: Tools<Inputs>['cell'] = async (title, work) => {
    signal.throwIfAborted()
    const line = callerLine(new Error('where').stack, path)
    const record = recorder.open(title, line === null ? '' : callSource(text, line))
    const startedMs = performance.now()
    const close = async (status: CellRecord['status'], error?: unknown) => {
      const durationMs = performance.now() - startedMs
      await recorder.close(record, status, { durationMs, error })
      narrative.close(record.n, status, durationMs)
    }
    narrative.open(record.n, title)
    try {
      const value = await current.run(record, () => work({ progress, advance: advance(), print, show, signal, sh }))
      await recorder.settled()
      await close(signal.aborted ? 'interrupted' : 'ok')
      return value
    } catch (error) {
      const thrown = errorOfCommand(error, signal)
      const stopped = signal.aborted || (thrown instanceof RunbookError && thrown.exit === 'interrupted')
      await close(stopped ? 'interrupted' : 'failed', thrown).catch(() => {})
      throw thrown
    }
  }
  return { cell, show, sh }
}
