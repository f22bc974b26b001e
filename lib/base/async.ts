/** Runs jobs one after another, and stops work when somebody has asked for that. */
import { RunbookError } from './errors.ts'

/**
 * Runs jobs one after another, in the order in which they were asked for.
 *
 * The first job begins within the call when nothing is under way, so a caller that is alone pays no hand-off. A job
 * that fails rejects its own promise only; the next one runs.
 *
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { Turns } from './lib/base/async.ts'
 *
 * const turns = new Turns()
 * const said: string[] = []
 * void turns.take(async () => void said.push('first'))
 * await turns.take(async () => void said.push('second'))
 * assert.deepEqual(said, ['first', 'second'])
 * ```
 */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()
  #pending = 0

  /** How many jobs wait behind the one that is under way. */
  get waiting(): number {
    return Math.max(0, this.#pending - 1)
  }

  /** Whether no job is under way and none waits. */
  get isIdle(): boolean {
    return this.#pending === 0
  }

  /** Run a job when those that were asked for before have ended; gives its result or its error. */
  take<T>(job: () => T | Promise<T>): Promise<T> {
    let settle = () => {}
    const run = async (): Promise<T> => {
      try {
        return await job()
      } finally {
        this.#pending--
      }
    }
    const isFirst = this.#pending++ === 0
    const ahead = this.#last
    // Set before the job begins: it may ask for further turns at once, and they come after it.
    const ended = new Promise<void>(resolve => (settle = resolve))
    this.#last = ended
    const turn = isFirst ? run() : ahead.then(run)
    turn.then(settle, settle)
    return turn
  }

  /** When every job that was asked for until now has ended; never rejects. */
  async settled(): Promise<void> {
    await this.#last
  }
}

/** The code of an interruption, by which it is told from other ends of a run. */
export const interruptedCode = 'interrupted'

/** The error of work that stopped because a signal was aborted; the reason of `signal`, when it is text, is quoted. */
export function interruption(act: string, signal: AbortSignal): RunbookError {
  const how = typeof signal.reason === 'string' ? ` (${signal.reason})` : ''
  return new RunbookError('interrupted', `Cannot ${act}: interrupted${how}`, 'run the same command again', {
    code: interruptedCode,
  })
}
