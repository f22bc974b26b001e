/**
 * How does a runbook behave as a process? Signals, lost pipes, bugs that nothing awaited, and the exit code.
 *
 * The first Ctrl-C asks the body to stop and lets it write its rows; the second one leaves at once.
 */
import { exitCodes } from './errors.ts'
import type { Inputs } from './inputs.ts'
import type { Runbook } from './runbook.ts'

/** Run a runbook as this process and leave with its exit code. */
export async function runAsEntry<S extends Inputs>(self: Runbook<S>): Promise<void> {
  const controller = new AbortController()
  let firstMs = Number.NaN
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      // One Ctrl-C reaches this process twice under the tsx command, from the terminal and from its parent.
      if (Date.now() - firstMs < 700) return
      if (controller.signal.aborted) process.exit(exitCodes.interrupted)
      firstMs = Date.now()
      process.stderr.write(`\n${name}: stopping; once more to leave at once\n`)
      controller.abort(name)
    })
  }
  // `| head` closes the pipe early; the run goes on, and its evidence is on the disk.
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})
  const strays = new Promise<never>((_, reject) => {
    process.on('uncaughtException', reject)
    process.on('unhandledRejection', reject)
  })
  strays.catch(() => {})
  const { exit } = await self.run({ signal: controller.signal, strays })
  // A native session may keep threads alive; the verdict is out, so flush and leave.
  process.stdout.write('', () => process.exit(exit))
}
