/**
 * Loads packages and native libraries in child processes, since loading one may end its process.
 *
 * Each is tried in a child process (`probe-child.ts`). A child takes several, one after the other, and tells before it
 * begins each; when it crashes or hangs, that one is to blame and another child goes on with the rest. Answers are
 * kept, so that a thing is tried once however many ask.
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { LibrarySearch } from '../../../ffi/errors.ts'
import { Family } from '../../host/process/descendants.ts'
import { startTypescript } from '../../host/typescript.ts'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

/** What can be tried. */
export type Subject = 'tsx' | 'zx' | 'koffi' | 'onnxruntime-node' | 'onnxruntime' | 'hailort' | 'cuda' | 'tensorrt'

/** A Hailo device as the library sees it: what it says that it is, or why it does not answer. */
export interface HailoAnswer {
  readonly id: string
  readonly architecture?: string
  readonly firmware?: string
  readonly error?: string
  readonly hint?: string
}

/** An error of the bindings. */
export interface Failure {
  readonly kind: 'absent' | 'refused' | 'status' | 'usage'
  readonly message: string
  readonly hint: string
}

/** What was learnt of something that loads. */
export interface Found {
  readonly path?: string
  readonly version?: string
  /** What else is worth saying: `profile C`, `C API 30`. */
  readonly words?: string
  /** HailoRT: how the shape of its interface is known. */
  readonly shapeFrom?: 'table' | 'header' | 'force'
  /** HailoRT: what a scan finds; absent where the scan failed. */
  readonly devices?: readonly HailoAnswer[]
  /** HailoRT: why the scan failed. The library opened nevertheless. */
  readonly scanFailure?: Failure
  /** CUDA: the newest version that the driver serves, `0.0` without a driver. */
  readonly driverVersion?: string
}

/**
 * `absent`, `refused`, `status` and `usage` are those of `FfiError`; a `crash` ended the child, a `bug` is any other
 * error.
 */
export type Probed =
  | { readonly ok: true; readonly found: Found }
  | {
      readonly ok: false
      readonly kind: Failure['kind'] | 'crash' | 'bug'
      readonly message: string
      readonly hint: string | null
      /** Where a library was looked for, when none opened. */
      readonly search?: LibrarySearch
    }

/** Asks what becomes of one subject when it is loaded. Never rejects. */
export type Probe = (subject: Subject) => Promise<Probed>

/** A line that a child writes. */
export type ProbeLine = { readonly begin: Subject } | { readonly subject: Subject; readonly probed: Probed }

/** Which are tried in one process: those that a program would load together, least dangerous first. */
const groups: readonly (readonly Subject[])[] = [
  ['tsx', 'zx', 'koffi', 'onnxruntime-node', 'onnxruntime'],
  ['hailort'],
  ['cuda', 'tensorrt'],
]

/** Where a child writes its answers: beyond what a library would take for its own. Those below lead nowhere. */
export const answersFd = 40
const nowhere: readonly 'ignore'[] = Array<'ignore'>(answersFd - 3).fill('ignore')

/** How children are started, and how long each subject may take. */
export interface ProbeOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** For each subject; 8 s unless told. */
  readonly timeoutMs?: number
  /** The program of the child; a test gives another. */
  readonly child?: string
}

/** Ask for a subject; the first of a group has the whole group tried. Never rejects. */
export function prober(options: ProbeOptions): Probe {
  const answers = new Map<readonly Subject[], Promise<ReadonlyMap<Subject, Probed>>>()
  return async subject => {
    const group = groups.find(members => members.includes(subject)) ?? [subject]
    const tried = answers.get(group) ?? tryAll(group, options)
    answers.set(group, tried)
    return (await tried).get(subject)!
  }
}

/** Try all, in as many children as it takes. */
async function tryAll(subjects: readonly Subject[], options: ProbeOptions): Promise<ReadonlyMap<Subject, Probed>> {
  const answers = new Map<Subject, Probed>()
  for (let rest = subjects; rest.length > 0; rest = rest.filter(subject => !answers.has(subject))) {
    const { begun, ending } = await runChild(rest, answers, options)
    const crash: Probed = { ok: false, kind: 'crash', message: ending, hint: null }
    if (begun !== null && !answers.has(begun)) answers.set(begun, crash)
    // A child that began nothing does not begin next time either.
    else if (begun === null) for (const subject of rest) answers.set(subject, crash)
  }
  return answers
}

/** One child, to its end. @returns what it began last, and how it ended */
async function runChild(
  subjects: readonly Subject[],
  answers: Map<Subject, Probed>,
  o: ProbeOptions,
): Promise<{ begun: Subject | null; ending: string }> {
  const program = o.child ?? join(import.meta.dirname, 'probe-child.ts')
  const marker = `RUNGBOOK_PROBE_${randomUUID()}`
  const child = startTypescript(program, subjects, {
    env: { ...o.env, [marker]: '1' },
    stdio: ['ignore', 'ignore', 'pipe', ...nowhere, 'pipe'],
  })
  // A library may leave a process behind: it ends with the child.
  const family = new Family({ root: child.pid ?? 0, marker: `${marker}=` })
  const timeoutMs = o.timeoutMs ?? 8000
  let begun: Subject | null = null
  let stderr = ''
  let isLate = false
  const giveUp = () => {
    isLate = true
    family.signal('SIGKILL')
    child.kill('SIGKILL')
  }
  let timer = setTimeout(giveUp, timeoutMs)
  child.stderr!.on('data', (bytes: Buffer) => {
    stderr = `${stderr}${bytes.toString('utf8')}`.slice(-4000)
  })
  const lines = createInterface({ input: (child.stdio as readonly unknown[])[answersFd] as Readable })
  lines.on('line', text => {
    clearTimeout(timer)
    timer = setTimeout(giveUp, timeoutMs)
    const line = lineIn(text)
    if (line === null) return
    if ('begin' in line) begun = line.begin
    else answers.set(line.subject, line.probed)
  })
  const ended = new Promise<string>(resolve => {
    child.once('error', error => resolve(`a process for it does not start: ${error.message}`))
    // What a library left behind holds the pipes, and would keep them open.
    child.once('exit', () => void family.signal('SIGKILL'))
    child.once('close', (code, signal) => {
      resolve(isLate ? `it does not load within ${timeoutMs / 1000} s` : endingOf({ code, signal, stderr }))
    })
  })
  const ending = await ended
  clearTimeout(timer)
  if (child.pid !== undefined) await family.end({ graceMs: 0 })
  return { begun, ending }
}

/** What a child wrote, or null: a library may write to any descriptor. */
function lineIn(text: string): ProbeLine | null {
  try {
    return JSON.parse(text) as ProbeLine
  } catch {
    return null
  }
}

function endingOf({
  code,
  signal,
  stderr,
}: {
  code: number | null
  signal: NodeJS.Signals | null
  stderr: string
}): string {
  const how = signal === null ? `ends its process with exit code ${code}` : `crashes its process with ${signal}`
  const said = stderr
    .split('\n')
    .map(line => line.trim())
    .find(line => /error|cannot|fail/i.test(line))
  return `loading it ${how}${said === undefined ? '' : `: ${said.slice(0, 200)}`}`
}
