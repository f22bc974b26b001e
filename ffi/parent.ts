/**
 * Ties a process to the one that started it, and to it what its own children start.
 *
 * Linux does it, even while native code holds the only thread. Elsewhere nothing is done: there a process notices that
 * its channel is closed when the call returns.
 */
import { koffi, type NativeFunction } from './load.ts'

const setParentDeathSignal = 1
const setChildSubreaper = 36
const sigkill = 9

/** From here on, this process is killed when its parent ends, however it does. @param parent its process id */
export function endWithParent(parent: number): void {
  if (process.platform !== 'linux') return
  prctl(setParentDeathSignal, sigkill)
  // It may have ended before it was asked for.
  if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL')
}

/**
 * From here on, a process that loses its parent becomes this one's child, if it descends from it: one that forked twice
 * and left the session is found among the descendants as long as this process lives.
 */
export function adoptOrphans(): void {
  if (process.platform === 'linux') prctl(setChildSubreaper, 1)
}

function prctl(option: number, value: number): void {
  const call = koffi().load(null).func('int prctl(int option, unsigned long value)') as NativeFunction<[number, number]>
  call(option, value)
}
