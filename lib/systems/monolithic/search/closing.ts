/**
 * Writes the end of a sweep: the plan's four lines, the next knob on the disk, what the verdict rests on and what it
 * proves.
 *
 * The lines are the plan's to the letter with a vendor's compiler. Without one they say `host`, because no HAR and no
 * HEF is made there.
 */
import type { Tools } from '../../../notebook/run/session.ts'
import type { Inputs } from '../../../notebook/inputs/inputs.ts'
import { whyUndecided } from '../../../ladder/report.ts'
import { hasPassed, isCompiled, type CaseResult } from '../../../ladder/types.ts'
import { basename } from 'node:path'
import { RunbookError } from '../../../base/errors.ts'
import { shellWord } from '../../../base/text.ts'
import type { ConvTasNetOptions } from '../../../models/convtasnet/options.ts'
import type { Toolchain } from '../../../compile/toolchain.ts'
import { sidecarOf } from '../separation/model-facts.ts'
import { trainedWeights } from '../training/contract.ts'
import { changeText } from '../knob/change.ts'
import type { Knob } from '../knob/next-knob.ts'

/** What a sweep found, and how it is to be told. */
export interface Findings {
  readonly results: readonly CaseResult[]
  readonly winner: CaseResult | null
  readonly knob: Knob
  readonly toolchain: Toolchain['name']
  /** Whether the weights were trained. */
  readonly hasWeights: boolean
  /** Where the knob's sidecar goes, and what it says besides. */
  readonly sidecar: { readonly file: string; readonly profile: string }
}

type Pen = Pick<Tools<Inputs>, 'line' | 'gate' | 'run' | 'proves'>

/** Writes the two lines behind the compile lines. */
export interface Closing {
  /** Write them: how the runtime went, and where its output lies. */
  runtime(status: 'pass' | 'fail' | 'blocked', folder: string): void
  /**
   * Run the model, and write the lines by what `work` finds; what is absent here blocks the gate and is no failure.
   * @param work gives whether the runtime keeps its gates
   * @throws Error what `work` throws, unless it is blocked
   */
  judged(work: () => Promise<boolean>): Promise<void>
}

/** What stands behind a report line where no HAR and no HEF was made. */
export const reportTail = (toolchain: Toolchain['name']): string =>
  toolchain === 'dfc' ? '' : ` ; toolchain=${toolchain}`

/** Write the sidecar, the two compile lines and their gate; the closing writes the other two lines. */
export function closeSweep({ line, gate, run, proves }: Pen, o: Findings): Closing {
  const { results, winner, knob } = o
  const tail = reportTail(o.toolchain)
  const record = {
    run_ts: run.ts,
    winner: winner?.tag ?? null,
    next_knob: changeText(knob.change),
    profile: o.sidecar.profile,
    because: knob.because,
    bucket: knob.bucket,
  }
  run.write(o.sidecar.file, `${JSON.stringify(record, null, 2)}\n`)
  proves(provenBy(o))
  const compiled = results.filter(isCompiled).length
  const where = o.toolchain === 'dfc' ? '' : `${o.toolchain} `
  line(`HAR status: ${where}${results.filter(row => hasPassed(row, 'parsed')).length}/${results.length}${tail}`)
  line(`HEF status: ${where}${compiled}/${results.length} ; winner=${winner?.tag ?? 'none'}${tail}`)
  const name = `rungs that compile (${o.toolchain})`
  const why = whyUndecided(results)
  if (winner || why === null) gate(name, compiled, { atLeast: 1 }, { note: winner ? winner.tag : whyNone(results) })
  else gate.blocked(name, why)
  const runtime: Closing['runtime'] = (status, folder) => {
    line(`Runtime status: ${status} ; output_dir=${folder}${tail}`)
    line(`Next knob: ${changeText(knob.change)}${tail}`)
    if (!winner) line('no monolithic hef success')
  }
  return {
    runtime,
    async judged(work) {
      try {
        runtime((await work()) ? 'pass' : 'fail', run.shown)
      } catch (thrown) {
        const isBlocked = thrown instanceof RunbookError && thrown.exit === 'blocked'
        runtime(isBlocked ? 'blocked' : 'fail', run.shown)
        if (!isBlocked) throw thrown
        gate.blocked('runtime', `${thrown.message}; ${thrown.hint}`)
      }
    },
  }
}

/** What stopped the cases that failed: the first one's failure, in words, and how many ended otherwise. */
function whyNone(results: readonly CaseResult[]): string {
  const failed = results.filter(({ failure }) => failure !== null)
  const [first] = failed
  if (first === undefined) return 'no case was attempted'
  const { bucket, cause } = first.failure!
  const others = failed.filter(({ failure }) => failure!.bucket !== bucket).length
  const rest = others === 0 ? '' : `; ${others} of ${failed.length} failed otherwise`
  return `${bucket}: ${cause || first.failureHead}${rest}`
}

/** What a pass proves, and what it does not. */
function provenBy({ toolchain, hasWeights }: Findings): string {
  const weights = hasWeights ? '' : ' The weights are untrained: the two outputs are not two voices.'
  if (toolchain === 'dfc') return `The Dataflow Compiler made a HEF.${weights}`
  if (toolchain === 'trtexec') return `TensorRT made an engine.${weights}`
  return `Proved on this CPU alone: no Hailo device or compiler took part.${weights}`
}

/** Whether a rung has weights that were trained: given by the person, or shipped for it. */
export function hasTrainedWeights(rung: ConvTasNetOptions | undefined, weights: string | undefined): boolean {
  return weights !== undefined || (rung !== undefined && trainedWeights(rung) !== null)
}

/**
 * End a sweep that compiles for another machine: say how the model gets there, and what runs it.
 * @param o.shown the compiled model's path as a person would type it
 * @param o.board who and where, as for ssh
 */
export function closeCompileOnly(
  { line, next, closing }: Pick<Tools<Inputs>, 'line' | 'next'> & { closing: Closing },
  { shown, board }: { readonly shown: string; readonly board: string },
): void {
  closing.runtime('blocked', 'none')
  line(`Board: npx tsx runbooks/monolithic-infer.ts --model ${shellWord(basename(shown))}`)
  const files = [shown, sidecarOf(shown)].map(shellWord).join(' ')
  next({ pass: `scp ${files} ${shellWord(`${board}:rungbook/`)}` })
}
