/**
 * Starts a sidecar in a process of its own and stops it again.
 */
import { once } from 'node:events'
import { join } from 'node:path'
import { RunbookError } from '../../../base/errors.ts'
import { startTypescript } from '../../../host/typescript.ts'
import type { ChildOptions } from './child.ts'

/** A sidecar in another process. */
export interface SpawnedSidecar extends AsyncDisposable {
  readonly url: string
  readonly pid: number
  /** From the start of the process to its being ready, in ms. */
  readonly readyMs: number
  /** Drain it. @returns how many accepted requests were cut off */
  stop(): Promise<number>
}

/**
 * Start one and wait until it is ready.
 * @throws RunbookError fail when it does not become ready
 */
export async function spawnSidecar(options: ChildOptions): Promise<SpawnedSidecar> {
  const startedMs = performance.now()
  const child = startTypescript(join(import.meta.dirname, 'child.ts'), [], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const gone = once(child, 'exit')
  const told = () => Promise.race([once(child, 'message'), gone.then(() => [null])]) as Promise<[Told | null]>
  child.send(options)
  const [first] = await told()
  const readyMs = performance.now() - startedMs
  const why = first === null ? 'its process ended' : (first.error ?? first.notReady)
  if (typeof why === 'string' || first?.url === undefined) {
    child.disconnect()
    throw new RunbookError('fail', `Cannot start the sidecar: ${why ?? 'it told no address'}`, 'see its words above')
  }
  let lost: number | undefined
  const stop = async () => {
    if (lost !== undefined) return lost
    const last = told()
    child.send('stop')
    lost = (await last)[0]?.lost ?? 0
    await gone
    return lost
  }
  return { url: first.url, pid: child.pid!, readyMs, stop, [Symbol.asyncDispose]: async () => void (await stop()) }
}

interface Told {
  readonly url?: string
  readonly notReady?: string | null
  readonly error?: string
  readonly lost?: number
}
