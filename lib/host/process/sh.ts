/**
 * Runs shell commands in plain sight: zx's `$` with a time limit, a log file for each command, and the end of every
 * process that a command started.
 *
 * What zx promises holds: arguments are quoted, `.pipe()`, `.nothrow()`, `.text()` and `.lines()` work, and a command
 * that fails rejects with zx's `ProcessOutput`. `errorOfCommand` makes an operating error of that. Use `exec` in
 * `../exec.ts` for one program whose output is too long to be kept in memory.
 */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Options, ProcessOutput, ProcessPromise } from 'zx/core'
import { interruption } from '../../base/async.ts'
import { blockedError, RunbookError } from '../../base/errors.ts'
import { oneLine, plainText, shellWord } from '../../base/text.ts'
import { Family } from './descendants.ts'
import { fileError, makeFolder } from '../files.ts'
import { endWithUs } from './launch.ts'
import { LineSplitter } from './log-tail.ts'

/** What may be said of one command, or of all that follow: `sh({ timeout: '2h' })`. */
export interface ShOptions extends Partial<Pick<Options, 'cwd' | 'env' | 'input' | 'nothrow' | 'timeout' | 'verbose'>> {
  /** The command changes nothing, so it runs under `--dry-run` too. */
  readonly reads?: boolean
}

/** Runs one command, or gives a shell with other options. */
export interface Sh {
  (pieces: TemplateStringsArray, ...args: readonly unknown[]): ProcessPromise
  (options: ShOptions): Sh
}

/** Where commands are written down, and what stops them. */
export interface ShSurroundings {
  /** Each command's output goes to a file of its own here, `01-systemctl.log`; null to keep none. */
  readonly folder: string | null
  /** Gets `$ <command>` when one starts, and its lines under `verbose`. */
  readonly print?: (line: string) => void
  /** Ends what runs. */
  readonly signal?: AbortSignal
  /** Print the commands, and run only those that `reads` marks. */
  readonly isDryRun?: boolean
}

/** The limit of a command that names none, in ms. */
const timeoutMsUsual = 10 * 60_000
const graceMs = 2000
/** Streams that give nothing for so long after their command's end are held by somebody else. */
const quietMs = 1000
/** zx gives this to `kill` when the time limit is over; no process ever gets it. */
const limitSignal = 'SIGALRM'

interface Started {
  readonly promise: ProcessPromise
  readonly log: CommandLog
  timedOut: boolean
}

/** The commands that have not ended well, to say later what became of a `ProcessOutput`. */
const commands = new Set<Started>()
/** How many commands each run has started. */
const counts = new WeakMap<ShSurroundings, number>()

/**
 * A shell for one run.
 *
 * @throws RunbookError `blocked` when a command is started where there is no bash
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { createSh } from './lib/host/process/sh.ts'
 *
 * const sh = createSh({ folder: null })
 * const name = 'two words'
 * assert.equal((await sh`printf %s ${name} | tr a-z A-Z`).stdout, 'TWO WORDS')
 * ```
 */
export function createSh(around: ShSurroundings, options: ShOptions = {}): Sh {
  function sh(first: TemplateStringsArray | ShOptions, ...args: readonly unknown[]): ProcessPromise | Sh {
    if (!isTemplate(first)) return createSh(around, { ...options, ...first })
    return start(around, options, { pieces: first, args, isHalted: false })
  }
  return sh as Sh
}

const isTemplate = (first: TemplateStringsArray | ShOptions): first is TemplateStringsArray => Array.isArray(first)

interface Words {
  readonly pieces: TemplateStringsArray
  readonly args: readonly unknown[]
  /** It waits for the command that is piped into it. */
  readonly isHalted: boolean
}

function start(around: ShSurroundings, options: ShOptions, words: Words): ProcessPromise {
  const { $ } = createRequire(import.meta.url)('zx/core') as typeof import('zx/core')
  if ($.quote === undefined) throw blockedError('Cannot run a command: bash is not on PATH', 'apt install bash')
  const { reads, ...given } = options
  const isSkipped = around.isDryRun === true && reads !== true
  const log = new CommandLog(around, { isVerbose: given.verbose === true, isSkipped })
  let family: Family | undefined
  const promise: ProcessPromise = $({
    timeout: timeoutMsUsual,
    prefix: 'set -euo pipefail; ',
    postfix: '',
    preferLocal: false,
    quiet: true,
    ...given,
    verbose: false,
    detached: true,
    halt: words.isHalted,
    env: { ...process.env, ...given.env },
    timeoutSignal: limitSignal,
    log: entry => {
      log.add(entry)
      if (entry.kind === 'end' && (entry.exitCode === 0 || promise.isNothrow())) commands.delete(started)
    },
    spawn: ((command: string, _argv: readonly string[], o: SpawnOptions) => {
      const child = startFamily(isSkipped ? ':' : command, o, around.signal)
      family = child.family
      return child.process
    }) as typeof spawn,
  })(words.pieces, ...words.args)
  const started: Started = { promise, log, timedOut: false }
  commands.add(started)
  const kill = async (signal?: NodeJS.Signals | null) => {
    if (signal === limitSignal) started.timedOut = true
    await family?.end({ graceMs: signal === 'SIGKILL' ? 0 : graceMs })
  }
  Object.defineProperties(promise, {
    kill: { value: kill },
    pipe: { get: () => pipeOf(promise, pieces => start(around, options, pieces)) },
  })
  if (given.input === undefined) setImmediate(() => closeInput(promise))
  return promise
}

/** Commands that read what another one writes. */
const readers = new WeakSet<object>()

/** zx's `pipe`, whose commands get the same limits as the one that they stand behind. */
function pipeOf(promise: ProcessPromise, begin: (words: Words) => ProcessPromise): ProcessPromise['pipe'] {
  const prototype = Object.getPrototypeOf(promise) as object
  const pipe = Reflect.get(prototype, 'pipe', promise) as ProcessPromise['pipe']
  const joined =
    (method: (to: never) => unknown) =>
    (to: unknown, ...args: readonly unknown[]) => {
      const isCommand = Array.isArray(to) && 'raw' in to
      const end = isCommand ? begin({ pieces: to as unknown as TemplateStringsArray, args, isHalted: true }) : to
      if (typeof end === 'object' && end !== null) readers.add(end)
      return method(end as never)
    }
  const { stdout, stderr, stdall } = pipe
  const all = { stdout: joined(stdout!), stderr: joined(stderr!), stdall: joined(stdall!) }
  return Object.assign(joined(pipe), all) as unknown as ProcessPromise['pipe']
}

/** A command that nothing is piped into finds its input empty, and does not wait for a person. */
function closeInput(promise: ProcessPromise): void {
  if (!readers.has(promise)) promise.child?.stdin?.end()
}

function startFamily(
  command: string,
  o: SpawnOptions,
  signal: AbortSignal | undefined,
): { process: ChildProcess; family: Family | undefined } {
  const marker = `RUNGBOOK_EXEC_${randomUUID().replaceAll('-', '')}`
  const child = spawn(command, { ...o, env: { ...o.env, [marker]: '1' } })
  if (child.pid === undefined) return { process: child, family: undefined }
  const family = new Family({ root: child.pid, marker: `${marker}=` })
  const release = endWithUs(family)
  const stop = () => void family.end({ graceMs })
  if (signal?.aborted) stop()
  signal?.addEventListener('abort', stop)
  child.once('exit', () => {
    signal?.removeEventListener('abort', stop)
    void family
      .end({ graceMs })
      .finally(release)
      .then(() => closeStreams(child))
  })
  return { process: child, family }
}

/**
 * Close the streams of a command that has ended, once nothing more comes: a process that escaped may hold them open.
 */
async function closeStreams({ stdout, stderr }: ChildProcess): Promise<void> {
  const streams = [stdout, stderr].filter(stream => stream !== null) as Socket[]
  const read = () => streams.reduce((sum, { bytesRead }) => sum + bytesRead, 0)
  for (let before = -1; before !== read() && streams.some(({ closed }) => !closed);) {
    before = read()
    await sleep(quietMs, undefined, { ref: false })
  }
  for (const stream of streams) stream.destroy()
}

/** One command in its log file and before the reader's eyes. */
class CommandLog {
  /** Where its output is; null when none is kept. */
  file: string | null = null
  readonly #around: ShSurroundings
  readonly #isSkipped: boolean
  readonly #lines: LineSplitter | null
  #isOver = false

  constructor(around: ShSurroundings, o: { isVerbose: boolean; isSkipped: boolean }) {
    this.#around = around
    this.#isSkipped = o.isSkipped
    this.#lines = o.isVerbose ? new LineSplitter(line => around.print?.(plainText(line))) : null
  }

  add(entry: Parameters<Options['log']>[0]): void {
    if (entry.kind === 'cmd') this.#open(entry.cmd)
    // zx adds a line end of its own after the last output.
    if ((entry.kind === 'stdout' || entry.kind === 'stderr') && !this.#isOver) {
      this.#append(entry.data)
      this.#lines?.push(entry.data)
    }
    if (entry.kind !== 'end') return
    this.#isOver = true
    this.#lines?.end()
    this.#append(`[exit ${entry.exitCode ?? entry.signal} after ${Math.round(entry.duration)} ms]\n`)
  }

  #open(command: string): void {
    this.#around.print?.(`${this.#isSkipped ? 'would run: ' : '$ '}${plainText(command)}`)
    if (this.#around.folder === null || this.#isSkipped) return
    const number = (counts.get(this.#around) ?? 0) + 1
    counts.set(this.#around, number)
    const name = /^(?:\S*\/)?([\w.-]+)/.exec(command)?.[1] ?? 'command'
    makeFolder(this.#around.folder)
    this.file = join(this.#around.folder, `${String(number).padStart(2, '0')}-${name}.log`)
    this.#append(`$ ${command}\n`)
  }

  #append(data: string | Buffer): void {
    if (this.file === null) return
    try {
      appendFileSync(this.file, data)
    } catch (thrown) {
      throw fileError('write the log', this.file, thrown)
    }
  }
}

/**
 * What a failed command threw, as an operating error that names the command, how it ended and its log; anything else as
 * it is.
 *
 * `fail` with the code `exit`, `signal` or `timeout`; `blocked` with `not-found` when bash found no such program;
 * `interrupted` when the run was stopped.
 */
export function errorOfCommand(thrown: unknown, signal?: AbortSignal): unknown {
  const started = [...commands].find(({ promise }) => promise.output !== null && promise.output === thrown)
  if (started === undefined) return thrown
  commands.delete(started)
  const output = thrown as ProcessOutput
  const shown = oneLine(started.promise.cmd).slice(0, 120)
  if (signal?.aborted) return interruption(`run "${shown}"`, signal)
  const said = oneLine(output.stderr.trim().split('\n').at(-1) ?? '').slice(0, 200)
  const { file } = started.log
  const hint = file === null ? 'run it by hand and read what it says' : `cat ${shellWord(file)}`
  const cannot = (exit: 'fail' | 'blocked', code: string, state: string, advice = hint) =>
    new RunbookError(exit, `Cannot run "${shown}": ${state}${said && `: ${said}`}`, advice, { cause: thrown, code })
  if (started.timedOut) return cannot('fail', 'timeout', 'it was ended at its time limit')
  if (output.exitCode === 127) return cannot('blocked', 'not-found', 'a program is not on PATH', 'install it')
  if (output.signal !== null) return cannot('fail', 'signal', `it was ended by ${output.signal}`)
  return cannot('fail', 'exit', `it left with exit code ${output.exitCode}`)
}
