/**
 * Makes the tools that a runbook's body works with.
 *
 * Cells, displays, gates, report lines, the run folder and the next step, all bound to one execution. Cells may run
 * side by side: an async context knows which cell a line or a picture belongs to, so streams never mix.
 */
import { rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { createRunFolder, runTs } from './run-folder.ts'
import { shownPath, writeFileAtomic } from '../../host/files.ts'
import type { Sh } from '../../host/process/sh.ts'
import { Owned, type Own } from '../../base/owned.ts'
import { oneLine, plainText } from '../../base/text.ts'
import { Cells, type Cell } from './cells.ts'
import { blockedGate, gateText, judge, type Bound, type GateOptions } from './gates.ts'
import type { Inputs, InputValues } from '../inputs/inputs.ts'
import type { Narrative } from '../views/narrative.ts'
import { Recorder } from './recorder.ts'
import type { Report } from '../views/report.ts'
import type { Display } from '../display/show.ts'

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

/** One text for each verdict, by its name in small letters. */
export type NextSteps = Partial<Record<'pass' | 'fail' | 'blocked' | 'interrupted', string>>

/** What a runbook's body works with. */
export interface Tools<S extends Inputs> {
  readonly inputs: InputValues<S>
  readonly run: Run
  readonly signal: AbortSignal
  /** Run one titled step; its result is the cell's. A failure is recorded, then rethrown. */
  readonly cell: Cell
  /**
   * Run a shell command in plain sight: zx's `$` with a time limit, a log in the run's `commands` folder and the end of
   * all that it starts. A failure that nobody catches fails the run, and names the command and its log.
   */
  readonly sh: Sh
  /** Take charge of something open: it is closed when the body has ended. */
  readonly own: Own
  /** Whether `--dry-run` asks to change nothing; only a sheet with `dryRun: 'body'` is run then. */
  readonly isDryRun: boolean
  /** Show tables, plots, pictures or sound in the cell that is open, else in the latest one. */
  show(...displays: readonly Display[]): void
  readonly gate: Gate
  /** The command to run next, by verdict; it must run as pasted. */
  next(commands: NextSteps): void
  /** What helps and is no command, by verdict. */
  hint(words: NextSteps): void
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
  /** What the body opened; closed when it has ended. */
  readonly owned: Owned
  readonly recorder: Recorder
  readonly proposed: NextSteps
  readonly hints: NextSteps
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
  /** Told of the run folder once it is there. */
  readonly onRun: ((run: { folder: string; shown: string }) => void) | undefined
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
  if (folder !== null) setting.onRun?.({ folder, shown: report.run })
  try {
    recorder.event('started', { runbook: report.runbook, command: report.command })
    await recorder.save()
  } catch (thrown) {
    // A folder that cannot hold the first page of a run is none.
    if (folder !== null) rmSync(folder, { recursive: true, force: true })
    report.run = 'none'
    throw thrown
  }
  const stamps =
    outDir === null ? Promise.resolve({}) : import('../../host/fingerprint.ts').then(({ fingerprint }) => fingerprint())
  const [proposed, hints]: [NextSteps, NextSteps] = [{}, {}]
  const { isDryRun } = setting
  const commands = folder === null ? null : join(folder, 'commands')
  const owned = new Owned()
  const cells = new Cells({ path, report, narrative, recorder, signal, commands, isDryRun })
  const tools: Tools<S> = {
    inputs: values,
    signal,
    get run() {
      if (!run) throw new Error('this runbook keeps no evidence, so it has no run folder')
      return run
    },
    cell: (title, work) => cells.run(title, work, new Error('where').stack),
    show: (...displays) => cells.show(...displays),
    sh: cells.sh,
    own: owned.own,
    isDryRun,
    gate: gateTool(report, narrative, recorder),
    next: commands => void Object.assign(proposed, commands),
    hint: words => void Object.assign(hints, words),
    proves: text => void (report.proves = oneLine(text)),
    mark: (name, value) => void Object.assign(report.marks, { [name]: oneLine(value) }),
    line: text => void report.lines.push(plainText(text)),
    stamp: facts => void Object.assign(report.fingerprint, facts),
  }
  return { tools, owned, recorder, proposed, hints, signal, startedMs, stamps: () => stamps }
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
