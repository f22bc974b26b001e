/**
 * The process that `probe.ts` starts: loads packages and libraries, and tells what became of each.
 *
 * Started by `probe.ts` with the names of what to try. Answers go to a descriptor of their own, at once and before the
 * next is tried, so that they survive a crash; what libraries themselves print goes elsewhere.
 */
import { writeSync } from 'node:fs'
import type { FfiError } from '../../../ffi/errors.ts'
import { answersFd, type ProbeLine, type Probed, type Subject } from './probe.ts'

const say = (line: ProbeLine): void => void writeSync(answersFd, `${JSON.stringify(line)}\n`)

async function main(subjects: readonly Subject[]): Promise<void> {
  const { load } = await import('./probe-subjects.ts')
  const isNative = subjects.some(subject => subject !== 'tsx' && subject !== 'zx')
  if (isNative) (await import('../../../ffi/parent.ts')).adoptOrphans()
  for (const subject of subjects) {
    say({ begin: subject })
    say({ subject, probed: await load[subject]().then((found): Probed => ({ ok: true, found }), failureOf) })
  }
}

/** An error of the bindings keeps its kind and hint; another one is told by its message. */
function failureOf(thrown: unknown): Probed {
  type Refusal = Exclude<(Probed & { ok: false })['kind'], 'crash' | 'bug'>
  const { name, kind, message, hint, search } = thrown as Partial<FfiError> & { kind?: Refusal }
  if (name !== undefined && kind !== undefined && message !== undefined)
    return { ok: false, kind, message, hint: hint ?? null, ...(search && { search }) }
  return { ok: false, kind: 'bug', message: message ?? String(thrown), hint: null }
}

if (import.meta.filename === process.argv[1]) {
  await main(process.argv.slice(2) as Subject[])
  // Native threads may keep a process alive that has said all.
  process.exit(0)
}
