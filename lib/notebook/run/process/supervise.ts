/**
 * Keeps watch over a runbook from a second process, and writes its verdict when it dies.
 *
 * Native code can crash, a full memory can kill, and a thread that is blocked inside a library hears no signal. So a
 * runbook runs as a child in a session of its own. This process passes signals on, ends the child with all that it
 * started when it must, and completes the evidence of a run that could not do so itself.
 *
 * The child tells over Node's channel where its run folder is and which verdict is out. It stops by itself when the
 * channel closes, so that killing this process does not leave it behind; `successor.ts` ends one that cannot.
 */
import type { ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { Family } from '../../../host/process/descendants.ts'
import { starterOf, starterVariable, startTypescript } from '../../../host/typescript.ts'
import type { Inputs } from '../../inputs/inputs.ts'
import { reportEnding, type Ending } from './aftermath.ts'
import type { Runbook, Surroundings } from '../lifecycle.ts'

/** What a supervised child tells. */
export type Told =
  | { readonly told: 'run'; readonly folder: string; readonly shown: string }
  | { readonly told: 'verdict'; readonly exit: number }

/** The variable by which a child knows that it is supervised: the number of the process that does it. */
export const supervisorVariable = 'RUNGBOOK_SUPERVISOR'
/** The variable by which it knows what all of its family have in their environment. */
export const markerVariable = 'RUNGBOOK_FAMILY'

/** One key press may arrive twice: from the terminal, and from a parent that passes it on. */
const samePressMs = 700
/** A child that was asked to stop gets this long; it has 8 s for its work, and needs some for its evidence. */
const stopWithinMs = 20_000
const graceMs = 2000
const lookEveryMs = 500
/** A channel that something else still holds open is not waited for longer. */
const lastMessagesMs = 1000
const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Whether the `tsx` command started this process: it preloads a file of that name. */
const isUnderTsxCommand = () => process.execArgv.some(word => /[\\/]tsx[\\/].*preflight\.cjs$/.test(word))

/** Run a runbook's file as a supervised process with these words; gives its exit code. */
export async function supervise<S extends Inputs>(
  self: Runbook<S>,
  o: { script: string; argv: readonly string[] } & Pick<Surroundings, 'stdout' | 'stderr'>,
): Promise<number> {
  const marker = `RUNGBOOK_RUN_${randomUUID().replaceAll('-', '')}`
  const child = startTypescript(o.script, o.argv, {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    // In a session of its own, so that a Ctrl-C comes once, by way of us.
    detached: true,
    env: {
      ...process.env,
      [marker]: '1',
      [supervisorVariable]: String(process.pid),
      [markerVariable]: marker,
      [starterVariable]: starterOf(),
    },
  })
  const family =
    child.pid === undefined ? null : new Family({ root: child.pid, marker: `${marker}=`, hasOrphans: true })
  await adopt()
  const watched = watch(child, family)
  const release = passSignals(child, watched)
  const { code, signal } = await watched.ended
  release()
  // Compilers and whatever else the child left behind end with it.
  await family?.end({ graceMs })
  // Whatever came after the verdict, such as a library that crashes while it is unloaded, does not change it.
  if (watched.verdict !== null) return watched.verdict
  const ending: Ending = { code, signal, stopped: watched.stopped, run: watched.run }
  return reportEnding(self, ending, o)
}

/** From here on, those that lose their parent become children of this process, so that they end with the run. */
async function adopt(): Promise<void> {
  try {
    const { adoptOrphans } = await import('../../../../ffi/parent.ts')
    adoptOrphans()
  } catch {
    // Where koffi has no library for this machine, the marker alone finds them.
  }
}

interface Watched {
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  /** The exit code of the verdict that is out. */
  verdict: number | null
  run: { folder: string; shown: string } | null
  /** The signal by which a person or a parent stopped it. */
  stopped: string | null
  /** End the child and all that it started, without asking. */
  kill(): void
}

function watch(child: ChildProcess, family: Family | null): Watched {
  const watched: Watched = {
    verdict: null,
    run: null,
    stopped: null,
    kill: () => family?.endNow(),
    ended: new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('exit', (code, signal) => void lastMessages(child).then(() => resolve({ code, signal })))
    }),
  }
  child.on('message', (message: Told) => {
    if (message.told === 'run') watched.run = { folder: message.folder, shown: message.shown }
    else watched.verdict = message.exit
  })
  return watched
}

/** What a child told last may be read only after it has left: under Deno it often is. */
async function lastMessages(child: ChildProcess): Promise<void> {
  if (!child.connected) return
  await new Promise<void>(resolve => {
    child.on('disconnect', resolve)
    setTimeout(resolve, lastMessagesMs)
  })
}

/** The first signal is passed on; the second one, or a child that does not end in time, is the end of it. */
function passSignals(child: ChildProcess, watched: Watched): () => void {
  let firstMs = Number.NaN
  let timer: NodeJS.Timeout | undefined
  const stop = (name: NodeJS.Signals) => {
    if (watched.stopped !== null) {
      if (performance.now() - firstMs > samePressMs) watched.kill()
      return
    }
    firstMs = performance.now()
    watched.stopped = name
    child.kill(name)
    timer = setTimeout(() => watched.kill(), stopWithinMs)
  }
  const listeners = names.map(name => [name, () => stop(name)] as const)
  for (const [name, listener] of listeners) process.on(name, listener)
  // The tsx command waits for this process; when it has gone, nobody does.
  const parent = process.ppid
  const look = isUnderTsxCommand()
    ? setInterval(() => process.ppid !== parent && stop('SIGHUP'), lookEveryMs)
    : undefined
  return () => {
    clearTimeout(timer)
    clearInterval(look)
    for (const [name, listener] of listeners) process.removeListener(name, listener)
  }
}
