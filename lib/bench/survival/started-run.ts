/**
 * Starts a runbook as a process of its own, as a person does, and finds what it leaves behind.
 *
 * Every process that descends from it has a marker in its environment. One that emptied its environment is found by a
 * word on its command line, which a stand-in gives it.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { procSource } from '../../host/process/descendants.ts'
import { typescriptCommand } from '../../host/typescript.ts'
import type { Report } from '../../notebook/views/report.ts'

/** A runbook that was started. */
export interface StartedRun {
  readonly child: ChildProcess
  /** Its run folder. */
  readonly folder: string
  /** Settles when it has ended, with what it said. */
  readonly ended: Promise<EndedRun>
  /** The supervising process and the one that does the work, when both are there. */
  processes(): { readonly supervisor: number; readonly worker: number | null }
  /** What it started and is still alive, after at most `withinMs`. */
  left(withinMs?: number): Promise<number[]>
}

/** How a started runbook ended. */
export interface EndedRun {
  readonly exit: number | null
  /** The first word of the last line of stdout; empty when it said nothing. */
  readonly verdict: string
  /** Everything on stdout and stderr. */
  readonly said: string
}

const runbooks = join(import.meta.dirname, '../../../runbooks')

/**
 * Start `runbooks/<name>.ts` with its run folder `<outDir>/<ts>`.
 *
 * @param o.word stands on command lines of stand-ins @param o.before words before the command
 */
export function startRun(
  name: string,
  o: { outDir: string; ts: string; argv: readonly string[]; word?: string; before?: readonly string[] },
): StartedRun {
  const marker = `RUNGBOOK_SURVIVAL_${randomUUID().replaceAll('-', '')}=`
  const words = [
    ...(o.before ?? []),
    ...typescriptCommand(join(runbooks, `${name}.ts`), [...o.argv, '--out-dir', o.outDir, '--run-ts', o.ts]),
  ]
  const env = { ...process.env, [marker.slice(0, -1)]: '1' }
  const child = spawn(words[0]!, words.slice(1), { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const out = { stdout: '', said: '' }
  child.stdout.on('data', text => void ((out.stdout += text), (out.said += text)))
  child.stderr.on('data', text => void (out.said += text))
  const ended = new Promise<EndedRun>(resolve =>
    child.on('close', exit => {
      const verdict = /^[A-Z]+(?= )/.exec(out.stdout.trimEnd().split('\n').at(-1)!)?.[0] ?? ''
      resolve({ exit, verdict, said: out.said })
    }),
  )
  const alive = () => familyOf(marker, o.word)
  return {
    child,
    folder: join(o.outDir, o.ts),
    ended,
    processes() {
      const worker = procSource.list().find(row => row.ppid === child.pid && procSource.holds(row.pid, marker))
      return { supervisor: child.pid!, worker: worker?.pid ?? null }
    },
    async left(withinMs = 15_000) {
      for (let waitedMs = 0; alive().length > 0 && waitedMs < withinMs; waitedMs += 100) await sleep(100)
      return alive()
    },
  }
}

/** Processes with the marker in their environment, or with the word on their command line; zombies are none. */
function familyOf(marker: string, word: string | undefined): number[] {
  return procSource
    .list()
    .filter(row => !row.isZombie && row.pid !== process.pid)
    .filter(row => procSource.holds(row.pid, marker) || (word !== undefined && commandOf(row.pid).includes(word)))
    .map(({ pid }) => pid)
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return '' // It has just ended.
  }
}

/** The report of a run; null when there is none, or none that can be read. */
export function reportIn(folder: string): Report | null {
  try {
    return JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) as Report
  } catch {
    return null
  }
}

/** Files below a folder that were being written when their writer died. */
export function halfWritten(folder: string): string[] {
  return namesIn(folder).filter(name => name.endsWith('.tmp') || name.endsWith('.reserved'))
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
  } catch {
    return []
  }
}

/** Do every job, `lanes` at a time, in order of their beginning. */
export async function inLanes<T, R>(jobs: readonly T[], lanes: number, work: (job: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const left = [...jobs.entries()]
  const lane = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) results[next[0]] = await work(next[1])
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return results
}
