/**
 * Measures how long a job keeps the event loop from turning.
 *
 * On a busy machine any process waits for a core now and then, and that looks like a block. A job that blocks does so
 * every time: it is run several times, and the run in which the loop stood still the least tells.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** The longest stand-still, in ms, of the best of `repeats` runs. */
export async function blockedMs(job: () => unknown, { repeats = 5 }: { repeats?: number } = {}): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < repeats; i++) {
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    // The monitor begins with the loop's next turn; what blocks before it would not be seen.
    await new Promise(resolve => setTimeout(resolve, 5))
    await job()
    await new Promise(resolve => setTimeout(resolve, 5))
    delay.disable()
    least = Math.min(least, delay.max / 1e6)
  }
  return least
}
