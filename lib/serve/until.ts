/**
 * Waits until a service should stop.
 */

/**
 * Resolves when the signal aborts, or after `seconds` where they are given.
 *
 * @example
 * ```ts
 * import { untilStopped } from './until.ts'
 *
 * await untilStopped({ seconds: undefined, signal: AbortSignal.abort() })
 * ```
 */
export async function untilStopped(o: { seconds: number | undefined; signal: AbortSignal }): Promise<void> {
  if (o.signal.aborted) return
  await new Promise<void>(resolve => {
    // A timer keeps the process alive, which a signal alone does not.
    const timer = o.seconds === undefined ? setInterval(() => {}, 60_000) : setTimeout(resolve, o.seconds * 1000)
    const stop = () => {
      clearInterval(timer)
      resolve()
    }
    o.signal.addEventListener('abort', stop, { once: true })
  })
}
