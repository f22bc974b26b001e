/** Waits for what another process, or a later turn of the event loop, brings about. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'

/** Long enough for a machine with many times its load; a test that reaches it waits for what never comes. */
const limitMs = 300_000

/**
 * Look every 10 ms until it is so.
 *
 * @param isSo what is awaited
 * @param what how it is called when it never comes; a function is asked then
 * @throws AssertionError after five minutes
 */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  what: string | (() => string) = 'what is awaited',
): Promise<void> {
  for (let waitedMs = 0; !(await isSo()); waitedMs += 10) {
    assert.ok(waitedMs < limitMs, `waited in vain for ${typeof what === 'string' ? what : what()}`)
    await sleep(10)
  }
}
