/**
 * Declares a runbook, and takes one execution from the command line to a verdict.
 *
 * `runbook(import.meta, sheet, body)` declares one. It runs only as the entry script; tests and other runbooks import
 * it and call `run`. This file is the lifecycle: resolve the inputs, open the run folder, hand the body its tools
 * (`session.ts`), and end every way out with evidence, an exit code and one verdict line.
 */
import { readFileSync, realpathSync } from 'node:fs'
import { basename, relative, resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { flagFromName, parseArgv } from '../inputs/argv.ts'
import { interruption } from '../../base/async.ts'
import { errorOfCommand } from '../../host/sh.ts'
import { shellWord } from '../../base/text.ts'
import { projectRoot, projectVersion } from '../../base/version.ts'
import { asError, exitCodes, RunbookError } from '../../base/errors.ts'
import { commonInputs, helpText, knownFlags } from '../inputs/help.ts'
import { resolveInputs, type Inputs, type InputValues } from '../inputs/inputs.ts'
import { Narrative, type Sink } from './narrative.ts'
import { errorRecord, Recorder } from './recorder.ts'
import { createSession, type Session, type Tools } from './session.ts'
import { introOf } from './source.ts'
import { nextStep, verdictLine, verdictOf } from './verdict.ts'
import type { Report } from '../views/report.ts'

export { choice, file, folder, number, paths, text, toggle } from '../inputs/inputs.ts'

/** What a runbook declares: its question, its inputs and how it may be run. */
export interface Sheet<S extends Inputs> {
  /** The one question, in a few words that end with a question mark. */
  readonly asks: string
  readonly inputs: S
  /** The input that words without dashes are for. */
  readonly operand?: Extract<keyof S, string>
  /** What `--dry-run` prints: what would be done, one line each. */
  readonly steps?: (inputs: InputValues<S>) => readonly string[] | Promise<readonly string[]>
  /**
   * `body`: under `--dry-run` the body runs, and must change nothing; `sh` then only prints its commands, but for those
   * that read. Without it the steps are printed and the body is not run.
   */
  readonly dryRun?: 'body'
  /** `false` for a runbook that only reads and tells: it opens no run folder. */
  readonly evidence?: false
  /** `false` for a runbook whose answer is all that a person wants to see: cells and gates go unsaid. */
  readonly narrates?: false
}

/** Where a run gets its words and leaves its own; a test gives its own. */
export interface Surroundings {
  readonly argv?: readonly string[]
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  readonly stdout?: Sink
  readonly stderr?: Sink
  readonly signal?: AbortSignal
  /** Rejects with an error that nobody awaited. */
  readonly strays?: Promise<never>
}

/** A declared runbook. */
export interface Runbook<S extends Inputs = Inputs> {
  readonly id: string
  readonly file: string
  readonly sheet: Sheet<S>
  /** The opening comment of the file, as Markdown. */
  intro(): string
  /** Run to the end. Never throws; the exit code and the report say how it went (the report is null for `--help`). */
  run(surroundings?: Surroundings): Promise<{ exit: number; report: Report | null }>
}

// WHY: a case that is being stopped needs its grace period (2 s) and time to write its row.
// SOURCE: decision D-04
// CONTRACT: an interrupted run ends within this time, whatever its body does.
const interruptGraceMs = 8000

/** Declare a runbook; run it when its file is the entry script. */
export function runbook<const S extends Inputs>(
  meta: ImportMeta,
  sheet: Sheet<S>,
  body: (tools: Tools<S>) => Promise<void>,
): Runbook<S> {
  const path = meta.filename
  const self: Runbook<S> = {
    id: basename(path, '.ts'),
    file: relative(projectRoot, path),
    sheet,
    intro: () => introOf(readFileSync(path, 'utf8')),
    run: surroundings => run(self, path, body, surroundings ?? {}),
  }
  if (isEntry(path)) void import('./entry.ts').then(({ runAsEntry }) => runAsEntry(self))
  return self
}

const operandOf = ({ inputs, operand }: Pick<Sheet<Inputs>, 'inputs' | 'operand'>) =>
  operand === undefined ? undefined : (inputs[operand]!.flag ?? flagFromName(operand))

function isEntry(path: string): boolean {
  try {
    return process.argv[1] !== undefined && realpathSync(process.argv[1]) === realpathSync(path)
  } catch {
    return false
  }
}

async function run<S extends Inputs>(
  self: Runbook<S>,
  path: string,
  body: (tools: Tools<S>) => Promise<void>,
  around: Surroundings,
) {
  const {
    argv = process.argv.slice(2),
    env = process.env,
    cwd = process.cwd(),
    stdout = process.stdout,
    stderr = process.stderr,
  } = around
  // Asked of the words themselves: a command line that cannot be read must still be answered in the form that was
  // wanted.
  const isOn = (flag: string) =>
    argv.some(word => word === flag || (/=(1|true|yes|on)$/.test(word) && word.startsWith(`${flag}=`)))
  const wantsJson = isOn('--json')
  const narrative = new Narrative(stderr, { quiet: isOn('--quiet') || self.sheet.narrates === false, env })
  const finish = (report: Report) => {
    for (const line of wantsJson ? [] : report.lines) stdout.write(`${line}\n`)
    if (wantsJson) stdout.write(`${JSON.stringify(report, null, 2)}\n`)
    ;(wantsJson ? stderr : stdout).write(`${verdictLine(report)}\n`)
    return { exit: report.exit!, report }
  }
  const report = emptyReport(self, argv)
  let session: Session<S> | undefined
  let isDryRun = false
  try {
    const flags = parseArgv(argv, knownFlags(self.sheet.inputs), operandOf(self.sheet))
    if (flags.get('help') === '1')
      return told(
        stdout,
        helpText({
          ...self,
          asks: self.sheet.asks,
          intro: self.intro(),
          inputs: self.sheet.inputs,
          operand: self.sheet.operand,
        }),
      )
    if (flags.get('version') === '1') return told(stdout, `rungbook ${projectVersion()}`)
    const common = resolveInputs(commonInputs, { flags, env, cwd }).values
    const own = resolveInputs(self.sheet.inputs, { flags, env, cwd })
    Object.assign(report, {
      inputs: own.records,
      command: [...variablesOf(own.records, env), report.command].join(' '),
    })
    isDryRun = common.dryRun
    if (isDryRun && self.sheet.dryRun !== 'body') return finish(await dryRun(self, report, own.values))
    session = await createSession({
      path,
      report,
      values: own.values,
      narrative,
      cwd,
      signal: around.signal,
      outDir: self.sheet.evidence === false ? null : resolve(cwd, common.outDir),
      isDryRun,
      runTs: common.runTs,
    })
  } catch (thrown) {
    return finish(
      await conclude({
        report,
        recorder: new Recorder(report, null),
        narrative,
        thrown,
        proposed: {},
        startedMs: performance.now(),
      }),
    )
  }
  const { recorder, tools, proposed, startedMs, stamps } = session
  let thrown: unknown
  try {
    await untilInterrupted(Promise.race([body(tools), ...(around.strays ? [around.strays] : [])]), session.signal)
  } catch (error) {
    thrown = session.signal.aborted ? interruption('finish', session.signal) : errorOfCommand(error)
  }
  Object.assign(report.fingerprint, await stamps())
  const ended = await conclude({ report, recorder, narrative, thrown, proposed, startedMs })
  if (isDryRun && thrown === undefined) Object.assign(ended, dryVerdict(ended))
  return finish(ended)
}

/**
 * A body that does not heed the signal is left behind after the grace period, so that its evidence is still written.
 */
async function untilInterrupted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const given = new Promise<never>((_, reject) => {
    const later = () => {
      timer = setTimeout(() => reject(interruption('finish', signal)), interruptGraceMs)
    }
    if (signal.aborted) later()
    else signal.addEventListener('abort', later, { once: true })
  })
  try {
    await Promise.race([work, given])
  } finally {
    clearTimeout(timer)
  }
}

interface Ending {
  readonly report: Report
  readonly recorder: Recorder
  readonly narrative: Narrative
  readonly thrown: unknown
  readonly proposed: Readonly<Record<string, string | undefined>>
  readonly startedMs: number
}

/** Fill in how it ended and write it down; a disk that is full does not take the verdict away. */
async function conclude({ report, recorder, narrative, thrown, proposed, startedMs }: Ending): Promise<Report> {
  settle(report, thrown, proposed)
  report.endedAt = new Date().toISOString()
  report.durationMs = Math.round(performance.now() - startedMs)
  for (const cell of report.cells) if (cell.status === 'running') cell.status = 'interrupted'
  if (thrown !== undefined) narrative.error(errorText(thrown))
  try {
    await recorder.end()
  } catch (saving) {
    if (thrown === undefined) settle(report, saving, proposed)
    narrative.error(errorText(saving))
  }
  return report
}

function settle(report: Report, thrown: unknown, proposed: Ending['proposed']): void {
  Object.assign(report, verdictOf(report.gates, thrown))
  report.next = nextStep(report.verdict!, proposed, thrown) ?? (report.verdict === 'USAGE' ? report.command : null)
  report.error = thrown === undefined ? null : errorRecord(thrown)
}

function errorText(thrown: unknown): string {
  if (thrown instanceof RunbookError) return `error: ${thrown.message}\n\nhint: ${thrown.hint}`
  const error = asError(thrown)
  return `bug: ${error.stack ?? error.message}\n\nhint: this is a defect of Rungbook; the report holds the details`
}

async function dryRun<S extends Inputs>(self: Runbook<S>, report: Report, values: InputValues<S>): Promise<Report> {
  for (const input of report.inputs) report.lines.push(`${input.flag}=${String(input.value)} (${input.from})`)
  report.lines.push(...((await self.sheet.steps?.(values)) ?? []).map(step => `would ${step}`))
  return Object.assign(report, dryVerdict(report))
}

const dryVerdict = (report: Report) => ({
  verdict: 'DRY-RUN' as const,
  exit: exitCodes.pass,
  next: report.command.replace(' --dry-run', ''),
})

function emptyReport<S extends Inputs>(self: Runbook<S>, argv: readonly string[]): Report {
  return {
    schema: 'rungbook.report/1',
    runbook: self.id,
    asks: self.sheet.asks,
    intro: self.intro(),
    command: ['npx tsx', self.file, ...argv.map(shellWord)].join(' '),
    verdict: null,
    exit: null,
    run: 'none',
    startedAt: new Date().toISOString(),
    endedAt: null,
    durationMs: null,
    inputs: [],
    cells: [],
    gates: [],
    marks: {},
    lines: [],
    next: null,
    artifacts: [],
    error: null,
    fingerprint: {},
  }
}

/** They name native libraries, of which a runbook's inputs say nothing. */
const libraryVariables = 'HAILORT_LIB HAILO_ABI TENSORRT_LIB TENSORRT_PARSER_LIB CUDART_LIB ONNXRUNTIME_LIB'.split(' ')

/** What stands before a command that shall ask the same again: `HEF_PATH=model.hef`. */
function variablesOf(inputs: Report['inputs'], env: Readonly<Record<string, string | undefined>>): string[] {
  const read = inputs.flatMap(({ env: name, from }) => (from === 'env' && name !== null ? [name] : []))
  return [...read, ...libraryVariables].flatMap(name => (env[name] ? [`${name}=${shellWord(env[name])}`] : []))
}

function told(stdout: Sink, words: string): { exit: number; report: null } {
  stdout.write(`${words}\n`)
  return { exit: exitCodes.pass, report: null }
}
