/** Runs a runbook in the process of a test, in a folder of its own, with both streams kept. */
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Report } from '../notebook/views/report.ts'
import type { Inputs } from '../notebook/inputs/inputs.ts'
import type { Runbook } from '../notebook/run/runbook.ts'

/** A run that has ended, with all that it said. */
export interface Ran {
  readonly exit: number
  readonly report: Report
  readonly stdout: string
  readonly stderr: string
  /** The lines of stdout. */
  readonly lines: readonly string[]
  /** The last line of stdout. */
  readonly verdict: string
  readonly cwd: string
  /** A path in the run folder. */
  path(...parts: readonly string[]): string
  /** A file of the run folder as text. */
  read(...parts: readonly string[]): string
}

/** Run a runbook to its end. The working folder is fresh unless given. */
export async function runInProcess<S extends Inputs>(
  book: Runbook<S>,
  argv: readonly string[],
  o: { env?: Readonly<Record<string, string>>; cwd?: string; signal?: AbortSignal } = {},
): Promise<Ran> {
  const cwd = o.cwd ?? mkdtempSync(join(tmpdir(), `${book.id}-`))
  const out = { stdout: '', stderr: '' }
  const { exit, report } = await book.run({
    argv,
    cwd,
    env: o.env ?? {},
    stdout: {
      write: text => {
        out.stdout += text
      },
    },
    stderr: {
      write: text => {
        out.stderr += text
      },
    },
    ...(o.signal ? { signal: o.signal } : {}),
  })
  const lines = out.stdout.trimEnd().split('\n')
  const path = (...parts: readonly string[]) => join(cwd, report!.run, ...parts)
  return {
    exit,
    report: report!,
    ...out,
    lines,
    verdict: lines.at(-1)!,
    cwd,
    path,
    read: (...parts) => readFileSync(path(...parts), 'utf8'),
  }
}
