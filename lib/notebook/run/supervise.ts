/**
 * Keeps watch over a runbook from a second process, and writes its verdict when it dies.
 *
 * The `tsx` command kills its child when the child does not answer a signal within 60 ms, and a runbook that authors
 * graphs is busy for longer than that. So under that command the first process only supervises: it starts the runbook
 * again in a session of its own, passes signals on, and gives a verdict when native code or a full memory takes the
 * runbook away.
 */
import { constants } from 'node:os'
import { exitCodes } from '../../base/errors.ts'
import { startTypescript } from '../../host/typescript.ts'

/**
 * Whether this process was started by the `tsx` command, which preloads a file of that name, and not by `node --import
 * tsx`.
 */
export const isUnderTsxCommand = (execArgv: readonly string[] = process.execArgv): boolean =>
  execArgv.some(word => /[\\/]tsx[\\/].*preflight\.cjs$/.test(word))

/**
 * Run a script as a supervised process with these words; gives its exit code. A crash becomes a verdict on stdout and a
 * bug's code.
 */
export async function supervise(script: string, o: { id: string; argv: readonly string[] }): Promise<number> {
  const child = startTypescript(script, o.argv, {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    // In a session of its own, so that a Ctrl-C comes once, by way of us.
    detached: true,
  })
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => child.kill(name))
  const { code, signal } = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>(
    (resolve, reject) => {
      child.on('error', reject)
      child.on('exit', (code, signal) => resolve({ code, signal }))
    },
  )
  if (signal === null) return code ?? exitCodes.bug
  process.stderr.write(
    `bug: the runbook's process was ended by ${signal} (${constants.signals[signal]}): a crash in native code, ` +
      "no memory, or somebody's kill\n",
  )
  process.stdout.write(
    `BUG ${o.id} gates=0/0 run=none next="what it found before lies in the newest folder of module_runs"\n`,
  )
  return exitCodes.bug
}
