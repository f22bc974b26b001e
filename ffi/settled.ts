/**
 * Runs a native function on a worker thread, and keeps what it was given until it is over.
 *
 * koffi hands the worker the address of a typed array and forgets the array: one was collected 71 ms into a call of 600
 * ms. What a call was given is held here until the call is over.
 */
import type { NativeFunction } from './load.ts'

const inFlight = new Set<readonly unknown[]>()

/** Keep memory that the arguments of a call point to until the call is over. */
export async function keeping<T>(memory: readonly unknown[], job: Promise<T>): Promise<T> {
  inFlight.add(memory)
  try {
    return await job
  } finally {
    inFlight.delete(memory)
  }
}

/**
 * Run a native function on a worker thread. Memory among the arguments stays alive until it is over.
 *
 * @throws Error of a bug, of koffi
 */
export function settled<Args extends readonly unknown[], Result>(
  call: NativeFunction<Args, Result>,
  ...args: Args
): Promise<Result> {
  return new Promise((resolve, reject) => {
    inFlight.add(args)
    const settle = (error: Error | null, result: Result) => {
      inFlight.delete(args)
      if (error) reject(error)
      else resolve(result)
    }
    try {
      call.async(...args, settle)
    } catch (thrown) {
      inFlight.delete(args)
      throw thrown
    }
  })
}
