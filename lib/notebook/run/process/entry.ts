/**
 * Runs a runbook as a process: signals, lost pipes, unawaited errors and the exit code.
 *
 * The first process supervises a second one that does the work (`supervise.ts`). The first Ctrl-C asks the body to stop
 * and lets it write its rows; the second one ends it at once.
 */
import { pathToFileURL } from 'node:url'
import { exitCodes } from '../../../base/errors.ts'
import { loadsEverything } from '../../../host/typescript.ts'
import type { Inputs } from '../../inputs/inputs.ts'
import type { Runbook } from '../lifecycle.ts'
import { watchParent } from './successor.ts'
import { markerVariable, supervise, supervisorVariable, type Told } from './supervise.ts'

/** Run a runbook as this process and leave with its exit code. */
export async function runAsEntry<S extends Inputs>(self: Runbook<S>, path: string): Promise<void> {
  const argv = process.argv.slice(2)
  // `| head` closes the pipe early; the run goes on, and its evidence is on the disk.
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})
  if (!(await isDefaultExport(self, path))) return leave(exitCodes.usage)
  const supervisor = process.env[supervisorVariable]
  const isChild = supervisor === String(process.ppid)
  const marker = process.env[markerVariable]
  for (const name of [supervisorVariable, markerVariable]) delete process.env[name]
  if (supervisor !== undefined && !isChild) {
    // Whoever wanted this was killed before it began.
    process.stdout.write(`INTERRUPTED ${self.id} gates=0/0 run=none hint="run it again"\n`)
    return leave(exitCodes.interrupted)
  }
  // What only reads and tells starts no second process, where this one can load all that it needs.
  const isPlain = argv.some(word => ['--help', '-h', '--version'].includes(word))
  const isQuick = argv.includes('--dry-run') || self.sheet.evidence === false
  if (isChild && marker !== undefined)
    return leave(await work(self, watchParent({ parent: process.ppid, script: path, argv, marker })))
  if (isPlain || (isQuick && loadsEverything())) return leave(await work(self, null))
  leave(await supervise(self, { script: process.argv[1]!, argv }))
}

/** `runbooks/book.ts` and tests find a runbook by its default export; a file without one would be listed by nobody. */
async function isDefaultExport<S extends Inputs>(self: Runbook<S>, path: string): Promise<boolean> {
  const { default: book } = (await import(pathToFileURL(path).href)) as { default?: unknown }
  if (book === self) return true
  process.stderr.write(
    `error: Cannot run "${self.file}": it exports no runbook by default\n\nhint: export default runbook(…)\n`,
  )
  process.stdout.write(`USAGE ${self.id} gates=0/0 run=none hint="export default runbook(…)"\n`)
  return false
}

/**
 * Do the work in this process; gives the exit code.
 *
 * @param tellThread where the run folder is told; null when nobody watches
 */
async function work<S extends Inputs>(
  self: Runbook<S>,
  tellThread: ReturnType<typeof watchParent> | null,
): Promise<number> {
  const controller = new AbortController()
  let verdict: number | null = null
  let firstMs = Number.NaN
  const stop = (name: string) => {
    // One Ctrl-C may come twice, from the terminal and from a parent that passes it on.
    if (performance.now() - firstMs < 700) return
    // All that is left to do is to wait for whoever reads the output.
    if (verdict !== null) process.exit(verdict)
    if (controller.signal.aborted) process.exit(exitCodes.interrupted)
    firstMs = performance.now()
    process.stderr.write(`\n${name}: stopping; once more to leave at once\n`)
    controller.abort(name)
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stop(name))
  // The supervisor has gone: so has whoever wanted this.
  process.on('disconnect', () => stop('parent gone'))
  if (tellThread !== null && !process.connected) stop('parent gone')
  const strays = new Promise<never>((_, reject) => {
    process.on('uncaughtException', reject)
    process.on('unhandledRejection', reject)
  })
  strays.catch(() => {})
  const tell = (message: Told) =>
    new Promise<void>(sent => {
      if (tellThread === null || !process.connected) return sent()
      process.send!(message, () => sent())
    })
  process.channel?.unref()
  const { exit } = await self.run({
    signal: controller.signal,
    strays,
    onRun: run => {
      tellThread?.(run)
      void tell({ told: 'run', ...run })
    },
  })
  verdict = exit
  await tell({ told: 'verdict', exit })
  return exit
}

/** A native session may keep threads alive; the verdict is out, so flush and leave. */
const leave = (exit: number): void => void process.stdout.write('', () => process.exit(exit))
