/**
 * Runs a runbook as a process: signals, lost pipes, unawaited errors and the exit code.
 *
 * The first Ctrl-C asks the body to stop and lets it write its rows; the second one leaves at once.
 */
import { exitCodes } from '../../base/errors.ts'
import type { Inputs } from '../inputs/inputs.ts'
import { isUnderTsxCommand, supervise } from './supervise.ts'
import type { Runbook } from './runbook.ts'

/** Run a runbook as this process and leave with its exit code. */
export async function runAsEntry<S extends Inputs>(self: Runbook<S>): Promise<void> {
  const argv = process.argv.slice(2)
  const isQuick = argv.some(word => ['--help', '-h', '--version', '--dry-run'].includes(word))
  if (isUnderTsxCommand() && !isQuick) return leave(await supervise(process.argv[1]!, { id: self.id, argv }))
  const controller = new AbortController()
  let firstMs = Number.NaN
  const stop = (name: string) => {
    // One Ctrl-C may come twice, from the terminal and from a parent that passes it on.
    if (Date.now() - firstMs < 700) return
    if (controller.signal.aborted) process.exit(exitCodes.interrupted)
    firstMs = Date.now()
    process.stderr.write(`\n${name}: stopping; once more to leave at once\n`)
    controller.abort(name)
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stop(name))
  // The supervisor has gone: so has whoever wanted this.
  process.on('disconnect', () => stop('parent gone'))
  process.channel?.unref()
  // `| head` closes the pipe early; the run goes on, and its evidence is on the disk.
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})
  const strays = new Promise<never>((_, reject) => {
    process.on('uncaughtException', reject)
    process.on('unhandledRejection', reject)
  })
  strays.catch(() => {})
  const { exit } = await self.run({ signal: controller.signal, strays })
  leave(exit)
}

/** A native session may keep threads alive; the verdict is out, so flush and leave. */
const leave = (exit: number): void => void process.stdout.write('', () => process.exit(exit))
