/**
 * Keeps the name of the native function that was called last, for when the process that called it is gone.
 *
 * A process that is traced writes each function's name to the start of a file before it calls it. The process that
 * started it reads the file afterwards, for what was written outlives a crash. Untraced, functions are called as they
 * are.
 */
import { readSync, writeSync } from 'node:fs'

/** A function as koffi makes them: called on this thread, or with `async` on a worker thread. */
interface Callable {
  (...args: readonly unknown[]): unknown
  async(...args: readonly unknown[]): void
}

const recordBytes = 64
let watcher: number | null = null

/** From here on, write the name of every function that is bound to this open file. */
export function traceCalls(file: number): void {
  watcher = file
}

/** Take the name back: the call is over. */
export function forgetCall(): void {
  if (watcher !== null) writeSync(watcher, Buffer.alloc(recordBytes, ' '), 0, recordBytes, 0)
}

/** The name that a watched process wrote last; null when it called nothing. @param file open for reading */
export function lastCall(file: number): string | null {
  const record = Buffer.alloc(recordBytes)
  readSync(file, record, 0, recordBytes, 0)
  return record.toString('latin1').replaceAll(/[\0 ]+$/g, '') || null
}

/** The function itself, or one that leaves its name before each call where the process is watched. */
export function traced<F>(name: string, native: F): F {
  if (watcher === null) return native
  const file = watcher
  const record = Buffer.alloc(recordBytes, ' ')
  record.write(name, 'latin1')
  const begin = () => void writeSync(file, record, 0, recordBytes, 0)
  const call = native as unknown as Callable
  const wrapped = (...args: readonly unknown[]) => {
    begin()
    return call(...args)
  }
  return Object.assign(wrapped, {
    async(...args: readonly unknown[]) {
      begin()
      call.async(...args)
    },
  }) as F
}
