/**
 * Ends a runbook that nobody supervises any more and that cannot stop by itself, and writes its verdict.
 *
 * A runbook stops when its supervisor has gone, but not while a library holds its only thread. A second thread, which
 * does nothing else, sees that the parent has gone, waits for an orderly end, and then starts this file: a process that
 * takes the supervisor's place for the last act.
 */
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { Family } from '../../../host/process/descendants.ts'
import { typescriptCommand } from '../../../host/typescript.ts'
import { reportEnding } from './aftermath.ts'
import type { Runbook } from '../lifecycle.ts'

/** What the successor is told, as JSON. */
interface Estate {
  readonly script: string
  readonly argv: readonly string[]
  readonly pid: number
  /** In the environment of all that the runbook started. */
  readonly marker: string
  readonly run: { readonly folder: string; readonly shown: string } | null
}

/** The thread. Plain JavaScript, so that no loader is started for it. */
const sentry = `
const { parentPort, workerData: { parent, estate, command, lookEveryMs, graceMs } } = require('node:worker_threads')
const { spawn } = require('node:child_process')
let run = null
parentPort.on('message', message => { run = message })
const look = setInterval(() => {
  if (process.ppid === parent) return
  clearInterval(look)
  setTimeout(() => {
    const env = { ...process.env }
    delete env[estate.marker]
    const words = [...command.slice(1), JSON.stringify({ ...estate, run })]
    spawn(command[0], words, { detached: true, stdio: 'inherit', env }).unref()
  }, graceMs)
}, lookEveryMs)`

/** Longer than an orderly end takes: see `supervise.ts`. */
const graceMs = 20_000

/**
 * Watch the parent from a second thread.
 *
 * @param o.parent number of the process that supervises this one
 * @returns tells the thread where the run folder is
 */
export function watchParent({
  parent,
  ...o
}: Pick<Estate, 'script' | 'argv' | 'marker'> & { parent: number }): (run: NonNullable<Estate['run']>) => void {
  const estate: Estate = { ...o, pid: process.pid, run: null }
  const command = typescriptCommand(import.meta.filename)
  const workerData = { parent, estate, command, lookEveryMs: 500, graceMs }
  const worker = new Worker(sentry, { eval: true, execArgv: [], workerData })
  worker.unref()
  // Without the thread a runbook still stops as long as it can.
  worker.on('error', () => {})
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that rule is for windows of a browser
  return run => worker.postMessage(run)
}

/** End what is left and complete its evidence. */
async function succeed({ script, argv, pid, marker, run }: Estate): Promise<void> {
  await new Family({ root: pid, marker: `${marker}=` }).end({ graceMs: 0 })
  const { default: self } = (await import(pathToFileURL(script).href)) as { default: Runbook }
  const ending = { code: null, signal: 'SIGKILL' as const, stopped: 'its parent had gone', run }
  process.exitCode = await reportEnding(self, ending, { argv })
}

if (process.argv[1] !== undefined && import.meta.filename === process.argv[1]) {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  await succeed(JSON.parse(process.argv[2]!) as Estate)
}
