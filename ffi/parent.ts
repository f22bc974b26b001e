/**
 * How does a process end with the one that started it, even while native code holds its only thread?
 *
 * Linux is asked to kill it. Elsewhere nothing is done: there a process notices that its channel is closed when the
 * call returns.
 */
import { koffi, type NativeFunction } from './load.ts'

const setParentDeathSignal = 1
const sigkill = 9

/** From here on, this process is killed when its parent ends, however it does. @param parent its process id */
export function endWithParent(parent: number): void {
  if (process.platform !== 'linux') return
  const prctl = koffi().load(null).func('int prctl(int option, unsigned long signal)') as NativeFunction<
    [number, number]
  >
  prctl(setParentDeathSignal, sigkill)
  // It may have ended before it was asked for.
  if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL')
}
