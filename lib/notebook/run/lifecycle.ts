/**
 * Takes one execution of a runbook from the command line to a verdict.
 *
 * Resolve the inputs, open the run folder, hand the body its tools (`session.ts`), and end every way out with evidence,
 * an exit code and one verdict line.
 */
import { resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { interruptedCode, interruption } from '../../base/async.ts'
import { asError, exitCodes, RunbookError } from '../../base/errors.ts'
import { plainText, shellWord } from '../../base/text.ts'
import { projectVersion } from '../../base/version.ts'
import { shortageError } from '../../base/system-error.ts'
import { errorOfCommand } from '../../host/process/sh.ts'
import { runbookCommand } from '../../host/typescript.ts'
import { flagFromName, isSwitchedOn, parseArgv } from '../inputs/argv.ts'
import { commonInputs, helpText, knownFlags } from '../inputs/help.ts'
import { variablesOf } from '../inputs/variables.ts'
import { resolveInputs, withoutSecrets, type Inputs, type InputValues } from '../inputs/inputs.ts'
import { jsonDocument } from '../views/json.ts'
import type { Report } from '../views/report.ts'
import { Narrative, type Sink } from '../views/narrative.ts'
import { errorRecord, Recorder } from './recorder.ts'
import { createSession, type Session, type Tools } from './session.ts'
import { nextStep, verdictLine, verdictOf, type Proposed } from './verdict.ts'

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
  /** A signal is the ordinary end of a service, and interrupts nothing. */
  readonly untilStopped?: true
  /** Called by the supervising process when the runbook's own was killed: writes what a plan wants of every run. */
  readonly ifKilled?: (run: Pick<Report, 'inputs'> & { folder: string; reason: string }) => void | Promise<void>
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
  /** Told of the run folder once it is there. */
  readonly onRun?: (run: { folder: string; shown: string }) => void
}

/** A declared runbook. */
export interface Runbook<S extends Inputs = Inputs> {
  readonly id: string
  readonly file: string
  readonly sheet: Sheet<S>
  /** The opening comment of the file, as Markdown. */
  intro(): string
  /** Run to the end. Never throws; the exit code and the report say how it went (the report is null for `--help`). */
  run(surroundings?: Surroundings): Promise<Ended>
}

/** How an execution ended. */
export interface Ended {
  readonly exit: number
  readonly report: Report | null
}

/** A runbook, its file and what it does. */
export interface Declared<S extends Inputs> {
  readonly self: Runbook<S>
  readonly path: string
  readonly body: (tools: Tools<S>) => Promise<void>
}

// WHY: a case that is being stopped needs its grace period (2 s) and time to write its row.
// SOURCE: decision D-04
// CONTRACT: an interrupted run ends within this time, whatever its body does.
const interruptGraceMs = 8000

/** Run to the end. Never throws. */
export async function execute<S extends Inputs>(declared: Declared<S>, around: Surroundings): Promise<Ended> {
  const { argv = process.argv.slice(2), env = process.env, stdout = process.stdout, stderr = process.stderr } = around
  const { self } = declared
  // Asked of the words themselves: one that cannot be read is still answered in the form that was wanted.
  const quiet = isSwitchedOn(argv, 'quiet') || self.sheet.narrates === false
  const narrative = new Narrative(stderr, { quiet, env })
  const finish = (report: Report) => tell(report, { stdout, stderr, isJson: isSwitchedOn(argv, 'json') })
  const report = emptyReport(self, argv)
  const begun = await begin(declared, { around, report, narrative }).catch((thrown: unknown) => ({ thrown }))
  if ('words' in begun) return told(stdout, begun.words)
  if ('report' in begun) return finish(begun.report)
  const help = `${runbookCommand(self.file)} --help`
  if ('thrown' in begun) {
    const recorder = new Recorder(report, null)
    const proposed = { next: {}, hint: {} }
    const { thrown } = begun
    return finish(await conclude({ report, recorder, narrative, thrown, proposed, help, startedMs: performance.now() }))
  }
  const { session, isDryRun } = begun
  const { recorder, proposed, hints, startedMs } = session
  const thrown = await thrownBy(declared, session, around.strays)
  Object.assign(report.fingerprint, await session.stamps())
  const how = { thrown, proposed: { next: proposed, hint: hints }, help, startedMs }
  const ended = await conclude({ report, recorder, narrative, ...how })
  if (isDryRun && thrown === undefined) Object.assign(ended, dryVerdict(ended))
  return finish(ended)
}

type Begun<S extends Inputs> =
  | { readonly words: string }
  | { readonly report: Report }
  | { readonly session: Session<S>; readonly isDryRun: boolean }

/** Everything before the body: the words of `--help`, the report of a dry run, or a session. */
async function begin<S extends Inputs>(
  { self, path }: Declared<S>,
  { around, report, narrative }: { around: Surroundings; report: Report; narrative: Narrative },
): Promise<Begun<S>> {
  const { argv = process.argv.slice(2), env = process.env, cwd = process.cwd() } = around
  const { asks, inputs, evidence, dryRun, operand } = self.sheet
  const operandFlag = operand === undefined ? undefined : (inputs[operand]!.flag ?? flagFromName(operand))
  const flags = parseArgv(argv, knownFlags(inputs), operandFlag)
  if (flags.get('help') === '1') return { words: helpText({ ...self, asks, intro: self.intro(), inputs, operand }) }
  if (flags.get('version') === '1') return { words: `rungbook ${projectVersion()}` }
  const common = resolveInputs(commonInputs, { flags, env, cwd }).values
  const own = resolveInputs(inputs, { flags, env, cwd })
  const variables = variablesOf(own.records, env)
  const said = Object.entries(variables).map(([name, value]) => `${name}=${shellWord(value)}`)
  Object.assign(report, {
    inputs: own.records,
    command: [...said, report.command].join(' '),
    rerun: { script: path, argv: withoutSecrets(argv, inputs), env: variables, cwd },
  })
  if (common.dryRun && dryRun !== 'body') return { report: await dryReport(self, report, own.values) }
  const session = await createSession({
    path,
    report,
    values: own.values,
    narrative,
    cwd,
    signal: around.signal,
    outDir: evidence === false ? null : resolve(cwd, common.outDir),
    isDryRun: common.dryRun,
    runTs: common.runTs,
    onRun: around.onRun,
  })
  return { session, isDryRun: common.dryRun }
}

/** Run the body; gives what it threw, as an operating error where it is one. */
async function thrownBy<S extends Inputs>(
  { self, body }: Declared<S>,
  session: Session<S>,
  strays: Promise<never> | undefined,
): Promise<unknown> {
  try {
    const work = session.owned.run(() => body(session.tools))
    await untilInterrupted(Promise.race([work, ...(strays ? [strays] : [])]), session.signal)
    // Gates over what was cut short would say something wrong, whichever way they fall.
    const isCut = session.signal.aborted && !self.sheet.untilStopped
    return isCut ? interruption('finish', session.signal) : undefined
  } catch (error) {
    return session.signal.aborted ? interruption('finish', session.signal) : errorOfCommand(error)
  }
}

/** A body that does not heed the signal is left behind after the grace period, so that its evidence is written. */
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

/** What an execution ends with. */
export interface Ending {
  readonly report: Report
  readonly recorder: Recorder
  readonly narrative: Narrative
  readonly thrown: unknown
  readonly proposed: Proposed
  /** The command that explains the inputs. */
  readonly help: string
  readonly startedMs: number
}

/** Fill in how it ended and write it down; a disk that is full does not take the verdict away. */
async function conclude(ending: Ending): Promise<Report> {
  const { report, recorder, narrative, startedMs } = ending
  const thrown = shortageError(ending.thrown)
  settle(ending, thrown)
  report.endedAt = new Date().toISOString()
  report.durationMs = Math.round(performance.now() - startedMs)
  for (const cell of report.cells) if (cell.status === 'running') cell.status = 'interrupted'
  if (thrown !== undefined) narrative.error(errorText(thrown))
  try {
    await recorder.end()
  } catch (unsaved) {
    const saving = shortageError(unsaved)
    narrative.error(errorText(saving))
    // What stands on the disk must say the same as the verdict line.
    if (thrown === undefined) settle(ending, saving)
    recorder.saveData()
  }
  return report
}

function settle({ report, proposed, help }: Ending, error: unknown): void {
  Object.assign(report, verdictOf(report.gates, error))
  Object.assign(report, nextStep(report, { proposed, error, help }))
  report.error = error === undefined ? null : errorRecord(error)
}

function errorText(thrown: unknown): string {
  // What comes next is in the verdict line, and may be better than the same command.
  if (thrown instanceof RunbookError && thrown.code === interruptedCode) return plainText(thrown.message)
  if (thrown instanceof RunbookError) return plainText(`error: ${thrown.message}\n\nhint: ${thrown.hint}`)
  const error = asError(thrown)
  const hint = 'this is a defect of Rungbook; the report holds the details'
  return plainText(`bug: ${error.stack ?? error.message}\n\nhint: ${hint}`)
}

/** Write the result on stdout: the report's lines or the JSON document, and the verdict line. */
export function tell(report: Report, o: { stdout: Sink; stderr: Sink; isJson: boolean }): Ended {
  for (const line of o.isJson ? [] : report.lines) o.stdout.write(`${line}\n`)
  if (o.isJson) o.stdout.write(`${JSON.stringify(jsonDocument(report), null, 2)}\n`)
  const sink = o.isJson ? o.stderr : o.stdout
  sink.write(`${verdictLine(report)}\n`)
  return { exit: report.exit!, report }
}

async function dryReport<S extends Inputs>(self: Runbook<S>, report: Report, values: InputValues<S>): Promise<Report> {
  for (const input of report.inputs) report.lines.push(`${input.flag}=${String(input.value)} (${input.from})`)
  report.lines.push(...((await self.sheet.steps?.(values)) ?? []).map(step => `would ${step}`))
  return Object.assign(report, dryVerdict(report))
}

const dryVerdict = (report: Report) => ({
  verdict: 'DRY-RUN' as const,
  exit: exitCodes.pass,
  next: report.command.replace(' --dry-run', ''),
  hint: null,
})

/** A report in which nothing has happened yet. */
export function emptyReport<S extends Inputs>(self: Runbook<S>, argv: readonly string[]): Report {
  return {
    schema: 'rungbook.report/1',
    runbook: self.id,
    asks: self.sheet.asks,
    intro: self.intro(),
    command: [runbookCommand(self.file), ...withoutSecrets(argv, self.sheet.inputs).map(shellWord)].join(' '),
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
    hint: null,
    artifacts: [],
    error: null,
    fingerprint: {},
  }
}

function told(stdout: Sink, words: string): Ended {
  stdout.write(`${words}\n`)
  return { exit: exitCodes.pass, report: null }
}
