/**
 * Chooses the one change to try next, from how the cases of a search went.
 */
import type { ConvTasNetOptions } from '../../../models/convtasnet/options.ts'
import { isCompiled } from '../../../ladder/types.ts'
import type { LadderName } from '../contract.ts'
import { evidenceKnob, planKnob, type CaseOutcome, type Knob } from './next-knob.ts'
import type { ConvTasNetResult } from '../search/summary.ts'

/** What the search used, and what was tried already. */
export interface KnobSetting {
  readonly ladder: LadderName
  readonly options: ConvTasNetOptions
  readonly quickOpt: boolean
  readonly caseTimeoutMin: number
  /** The person's own calibration, or undefined for the shipped recordings. */
  readonly calibNpz: string | undefined
  /** The model script's extra commands, one a line: what was tried already. */
  readonly scriptExtra: string
}

/** What the next knob is chosen from. */
export const outcomesOf = (results: readonly ConvTasNetResult[]): CaseOutcome[] =>
  results.map(result => ({
    config: result.config,
    isCompiled: isCompiled(result),
    exceptionType: result.exceptionType,
    failure: result.failure,
    attempted: result.status !== 'not-reached' && result.status !== 'interrupted',
  }))

/** The one change to try next: `plan` by the plan's own arithmetic, `evidence` by the cause of the last verdict. */
export function chooseKnob(how: 'evidence' | 'plan', outcomes: readonly CaseOutcome[], o: KnobSetting): Knob {
  if (how === 'plan') return planKnob(outcomes)
  const commands = o.scriptExtra.split('\n').map(line => line.trim())
  const { decoderMode: decoder, encoderMode: encoder, skipTopologyMode, normMode, maskAct } = o.options
  const { ladder, quickOpt, caseTimeoutMin } = o
  return evidenceKnob(outcomes, {
    inForce: { ladder, decoder, encoder, skipTopologyMode, normMode, maskAct, quickOpt, caseTimeoutMin },
    hasCalibration: o.calibNpz !== undefined,
    tried: commands.filter(command => command !== '').map(command => ({ kind: 'script', command })),
  })
}
