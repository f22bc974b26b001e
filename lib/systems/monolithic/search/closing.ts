/**
 * What stands at the end of a sweep? The plan's four lines, the next knob on the disk, and what the verdict rests on.
 *
 * The lines are the plan's to the letter with a vendor's compiler; the host's end in `toolchain=host`.
 */
import type { Tools } from '../../../notebook/run/session.ts'
import type { Inputs } from '../../../notebook/inputs/inputs.ts'
import { hasPassed, isCompiled, isOfMachine, type CaseResult } from '../../../ladder/types.ts'
import { changeText } from '../knob/change.ts'
import type { Knob } from '../knob/next-knob.ts'

export interface Closing {
  readonly results: readonly CaseResult[]
  readonly winner: CaseResult | null
  readonly knob: Knob
  readonly toolchain: 'host' | 'dfc'
  /** Where the knob's sidecar goes, and what it says besides. */
  readonly sidecar: { readonly file: string; readonly profile: string }
}

type Pen = Pick<Tools<Inputs>, 'line' | 'gate' | 'run'>

/** Write the sidecar, the two compile lines and their gate; `runtime` writes the other two. */
export function closeSweep(
  { line, gate, run }: Pen,
  o: Closing,
): { runtime(status: 'pass' | 'fail' | 'blocked', folder: string): void } {
  const { results, winner, knob } = o
  const tail = o.toolchain === 'host' ? ' ; toolchain=host' : ''
  const record = {
    run_ts: run.ts,
    winner: winner?.tag ?? null,
    next_knob: changeText(knob.change),
    profile: o.sidecar.profile,
    because: knob.because,
    bucket: knob.bucket,
  }
  run.write(o.sidecar.file, `${JSON.stringify(record, null, 2)}\n`)
  const compiled = results.filter(isCompiled).length
  line(`HAR status: ${results.filter(row => hasPassed(row, 'parsed')).length}/${results.length}${tail}`)
  line(`HEF status: ${compiled}/${results.length} ; winner=${winner?.tag ?? 'none'}${tail}`)
  const name = `rungs that compile (${o.toolchain})`
  const why = whyUndecided(results)
  if (winner || why === null) gate(name, compiled, { atLeast: 1 }, winner ? { note: winner.tag } : {})
  else gate.blocked(name, why)
  return {
    runtime(status, folder) {
      line(`Runtime status: ${status} ; output_dir=${folder}${tail}`)
      line(`Next knob: ${changeText(knob.change)}${tail}`)
      if (!winner) line('no monolithic hef success')
    },
  }
}

/**
 * Why no case says anything about the network; null when one does. A full disk is not an answer, and neither is a
 * time-out.
 */
function whyUndecided(results: readonly CaseResult[]): string | null {
  const attempted = results.filter(({ status }) => status !== 'not-reached')
  const buckets = attempted.map(({ status, failure }) =>
    status === 'interrupted' ? 'interrupted' : (failure?.bucket ?? ''),
  )
  const isOpen = buckets.every(bucket => bucket === 'interrupted' || isOfMachine(bucket))
  return isOpen ? `no case came to a verdict: ${[...new Set(buckets)].join(', ') || 'none was attempted'}` : null
}
