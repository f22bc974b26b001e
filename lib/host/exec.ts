/**
 * Runs a command to its end with a time limit and a log file, and ends every process that it started.
 *
 * A command is a list of arguments, never a line for a shell, and its standard input is empty. Whatever it leaves
 * behind is ended with it (`process/launch.ts` says when, `process/descendants.ts` how they are found). The output goes
 * straight to a file, so it outlives us and no pipe can be held open; `process/log-tail.ts` follows the file. Small
 * outputs are captured in memory instead.
 *
 * What is not promised: SIGKILL of ourselves leaves the command running, and where there is no /proc (macOS) a
 * descendant that left both its group and its parent is not found. bash must be installed, because zx speaks to it.
 */
import type { ChildProcess } from 'node:child_process'
import { closeSync, existsSync, fstatSync, openSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { blockedError, usageError } from '../base/errors.ts'
import { fileError, makeFolder } from './files.ts'
import { launch, neverStarted, type LaunchOptions, type Outcome } from './process/launch.ts'
import { LogTail } from './process/log-tail.ts'
import { findProgram } from './program.ts'

/** What bounds a command, where it runs, and where its output goes. */
export interface ExecOptions extends LaunchOptions {
  /** Both streams are appended to it; it and its folder are created. */
  readonly logFile: string
  /**
   * Gets every line of this command's output while it runs, at most about 50 ms late; the last before the promise
   * settles.
   */
  readonly onLine?: (line: string) => void
}

/** How a command ended, and where its log is. */
export interface ExecResult extends Outcome {
  readonly command: readonly string[]
  readonly logFile: string
}

/** What a short command said. */
export interface Captured {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number | null
  readonly timedOut: boolean
}

const captureBytes = 1024 * 1024

/**
 * Run a command with its output in a log file, until it and all of its descendants have ended. A non-zero exit, a
 * signal, the time limit and an abort are results, not errors. What `onLine` throws stops the command and is thrown.
 *
 * @throws RunbookError blocked (the program, `cwd` or bash is absent, the log cannot be written), usage (an argument
 *   that no program can get)
 */
export async function exec(command: readonly string[], options: ExecOptions): Promise<ExecResult> {
  const { logFile, onLine } = options
  if (options.signal?.aborted) return { command, logFile, ...neverStarted }
  checkCommand(command, options)
  const log = openLog(logFile)
  const broken = new AbortController()
  const tail = onLine && new LogTail(logFile, { fromByte: fstatSync(log).size, onLine })
  tail?.ended.catch(() => broken.abort())
  try {
    const signal = options.signal ? AbortSignal.any([options.signal, broken.signal]) : broken.signal
    const outcome = await launch(command, { ...options, signal, stdio: ['ignore', log, log] })
    return { command, logFile, ...outcome }
  } finally {
    closeSync(log)
    await tail?.stop()
  }
}

/**
 * Run a short command and keep what it says, at most 1 MB per stream (the rest is dropped). Limits and errors as in
 * `exec`; `timeoutMs` is 20 000 when absent. Aborted before its start: `exitCode` is null and nothing was said.
 */
export async function capture(command: readonly string[], options: LaunchOptions = {}): Promise<Captured> {
  checkCommand(command, options)
  const stdout = new CappedText()
  const stderr = new CappedText()
  const watch = (child: ChildProcess) => {
    child.stdout?.on('data', (bytes: Buffer) => stdout.add(bytes))
    child.stderr?.on('data', (bytes: Buffer) => stderr.add(bytes))
  }
  const timeoutMs = options.timeoutMs ?? 20_000
  const outcome = await launch(command, { ...options, timeoutMs, stdio: ['ignore', 'pipe', 'pipe'], watch })
  return { stdout: stdout.text(), stderr: stderr.text(), exitCode: outcome.exitCode, timedOut: outcome.timedOut }
}

function checkCommand(command: readonly string[], o: LaunchOptions): void {
  if (Number.isNaN(o.timeoutMs) || Number.isNaN(o.graceMs))
    throw new RangeError('timeoutMs and graceMs must be numbers')
  const nul = command.findIndex(word => word.includes('\0'))
  if (nul >= 0) throw usageError(`Cannot run "${command[0]}": argument ${nul} holds a NUL byte`, 'take it out')
  if (o.cwd !== undefined && !existsSync(o.cwd)) {
    throw blockedError(`Cannot run "${command[0]}" in "${o.cwd}": there is no such folder`, `mkdir -p "${o.cwd}"`)
  }
  findProgram(command[0] ?? '', {
    env: { ...process.env, ...o.env },
    ...(o.cwd !== undefined && { cwd: resolve(o.cwd) }),
  })
}

function openLog(path: string): number {
  makeFolder(dirname(path))
  try {
    return openSync(path, 'a')
  } catch (thrown) {
    throw fileError('write the log', path, thrown)
  }
}

/** The first bytes of a stream, as text. */
class CappedText {
  readonly #chunks: Buffer[] = []
  #bytes = 0

  add(bytes: Buffer): void {
    const kept = bytes.subarray(0, captureBytes - this.#bytes)
    if (kept.length > 0) this.#chunks.push(kept)
    this.#bytes += kept.length
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString('utf8')
  }
}
