/**
 * Starts a command in a session of its own, and ends its whole family when it must stop.
 *
 * zx quotes the arguments and starts bash, which the command replaces at once; it runs in a session of its own, with a
 * marker in its environment. On the time limit, an abort or its own end, whatever descends from it gets TERM and then
 * KILL (`descendants.ts`). While something runs, our own exit ends it too: `process.exit`, an uncaught error, and INT,
 * TERM or HUP when nobody else listens for them. SIGKILL of ourselves cannot be handled: what then runs goes on. Where
 * the output goes is the caller's matter (`../exec.ts`).
 */
import type { ChildProcess, StdioOptions } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { blockedError, usageError } from '../../base/errors.ts'
import { Family } from './descendants.ts'
import { fileError } from '../files.ts'

/** What bounds a command, and where it runs. */
export interface LaunchOptions {
  readonly cwd?: string
  /** Added to our own environment; `undefined` takes a name out. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Hard limit; none when absent. Zero or less is over at once. */
  readonly timeoutMs?: number
  /** From TERM to KILL; 2000 when absent. */
  readonly graceMs?: number
  readonly signal?: AbortSignal
}

/** How a command ended. After a stop, `exitCode` or `signal` still say what the command itself made of it. */
export interface Outcome {
  /** null when a signal ended it or it never started. */
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly timedOut: boolean
  readonly aborted: boolean
  /** From its start until the last of its descendants was gone. */
  readonly durationMs: number
  /**
   * Process numbers that outlived KILL (another user's, or stuck in the kernel); absent when there are none, as is
   * usual.
   */
  readonly survivors?: readonly number[]
}

/** The outcome of a command that was aborted before its start. */
export const neverStarted: Outcome = { exitCode: null, signal: null, timedOut: false, aborted: true, durationMs: 0 }
/** The longest wait that a timer takes; a longer one would fire at once. */
const timerMsMax = 2 ** 31 - 1

/**
 * Start a command that is known to exist and wait until it and all of its descendants have ended. `watch` gets the
 * child before it can have written anything.
 *
 * @throws RunbookError blocked (no bash, no room for a process), usage (too long)
 */
export async function launch(
  command: readonly string[],
  o: LaunchOptions & { stdio: StdioOptions; watch?: (child: ChildProcess) => void },
): Promise<Outcome> {
  const { $ } = await import('zx/core')
  if (o.signal?.aborted) return neverStarted
  if ($.quote === undefined) throw blockedError(`Cannot run "${command[0]}": bash is not on PATH`, 'apt install bash')
  // The name holds the number, so that a command which itself runs commands passes both markers on.
  const marker = `RUNGBOOK_EXEC_${randomUUID().replaceAll('-', '')}`
  const startedMs = performance.now()
  const started = $({
    nothrow: true,
    quiet: true,
    verbose: false,
    detached: true,
    prefix: '',
    postfix: '',
    timeout: 0,
    preferLocal: false,
    cwd: resolve(o.cwd ?? '.'),
    env: { ...process.env, ...o.env, [marker]: '1' },
    stdio: o.stdio,
    // zx would keep every byte that passes through a pipe.
    store: { stdout: nowhere(), stderr: nowhere(), stdall: nowhere() },
  })`exec -- ${command}` // `exec`: the command takes the shell's place, so that its signals and exit code are its own.
  const { child } = started
  if (child?.pid === undefined) throw startError(command, (await started).cause)
  const family = new Family({ root: child.pid, marker: `${marker}=` })
  const release = endWithUs(family)
  try {
    o.watch?.(child)
    const { cause, survivors } = await supervise(child, family, o)
    // Its streams close with the last holder of them; a survivor must not hold us too.
    await Promise.race([started, sleep(1000, undefined, { ref: false })])
    for (const stream of [child.stdout, child.stderr]) stream?.destroy()
    child.unref()
    return {
      exitCode: child.exitCode,
      signal: child.signalCode,
      timedOut: cause === 'timeout',
      aborted: cause === 'abort',
      durationMs: Math.round(performance.now() - startedMs),
      ...(survivors.length > 0 && { survivors }),
    }
  } finally {
    release()
  }
}

/** Wait for the command's end, the time limit or an abort, whichever is first; then end whoever is left. */
async function supervise(child: ChildProcess, family: Family, o: LaunchOptions) {
  let timer: NodeJS.Timeout | undefined
  const unlisten = new AbortController()
  const cause = await new Promise<'timeout' | 'abort' | null>(over => {
    child.once('exit', () => over(null))
    if (o.timeoutMs !== undefined) timer = setTimeout(() => over('timeout'), Math.min(o.timeoutMs, timerMsMax))
    o.signal?.addEventListener('abort', () => over('abort'), { signal: unlisten.signal })
  })
  clearTimeout(timer)
  unlisten.abort()
  return { cause, survivors: await family.end({ graceMs: o.graceMs ?? 2000 }) }
}

const families = new Set<Family>()
const deadly = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** End the family when our own process ends; call what is returned once it has ended by itself. */
export function endWithUs(family: Family): () => void {
  if (families.size === 0) {
    process.on('exit', endFamilies)
    // First in the row, so that a listener that is called once is still counted when we are asked.
    for (const name of deadly) process.prependListener(name, onDeadly)
  }
  families.add(family)
  return () => {
    if (!families.delete(family) || families.size > 0) return
    process.removeListener('exit', endFamilies)
    for (const name of deadly) process.removeListener(name, onDeadly)
  }
}

function endFamilies(): void {
  for (const family of families) family.endNow()
}

/**
 * With another listener, that one decides what the signal means; with none, it means what it always does, after the
 * children.
 */
function onDeadly(name: NodeJS.Signals): void {
  if (process.listenerCount(name) > 1) return
  endFamilies()
  process.removeListener(name, onDeadly)
  process.kill(process.pid, name)
}

function startError(command: readonly string[], cause: unknown): unknown {
  const code = (cause as NodeJS.ErrnoException | null)?.code
  if (code === 'E2BIG') {
    return usageError(`Cannot run "${command[0]}": its arguments are too long`, 'put long values into a file', cause)
  }
  return fileError('run', command[0]!, cause) ?? new Error(`"${command[0]}" did not start, and nobody said why`)
}

/** An array that keeps nothing. */
const nowhere = (): string[] => Object.assign([], { push: () => 0 })
