/**
 * How does a search tell what it does, and what it found?
 *
 * Lines while it works, a row per case for the table and the plot, and the next knob from the outcomes. Nothing here
 * decides.
 */
import type { ConvTasNetOptions } from '../models/convtasnet/options.ts'
import { lastMilestone } from '../failure/log-reading.ts'
import { evidenceKnob, planKnob, type CaseOutcome, type Knob } from '../systems/monolithic/search/next-knob.ts'
import type { CaseResult, LadderCase } from './case.ts'

/** One row a case for a person: how it ended and why. */
export function searchRows(results: readonly CaseResult[]) {
  return results.map(result => ({
    tag: result.tag,
    status: result.origin === 'ran' ? result.status : `${result.status} (${result.origin})`,
    s: result.durationMs / 1000,
    'int8 SNR dB': result.metrics.snrDb ?? null,
    bucket: result.failure?.bucket ?? '',
    why: result.status === 'not-reached' ? '' : result.failureHead.replaceAll(/\s+/g, ' ').slice(0, 80),
  }))
}

/** Say when a case begins and how it ended. */
export function caseTeller(
  print: (text: string) => void,
  total: number,
): (rung: LadderCase, result: CaseResult | null) => void {
  let n = 0
  return (rung, result) => {
    if (result === null) return print(`${++n}/${total} ${rung.tag} …`)
    const ran = `in ${(result.durationMs / 1000).toFixed(1)} s`
    const how = { ran, cache: 'taken from the cache', resume: 'taken from the earlier run' }[result.origin]
    const why = result.failure
      ? `: ${result.failure.bucket}: ${result.failureHead.replaceAll(/\s+/g, ' ').slice(0, 120)}`
      : ''
    print(`${n}/${total} ${rung.tag} ${result.status} ${how}${why}`)
  }
}

/** Pass on the lines of a compiler's log that mark its progress, each once a case. */
export function milestoneTeller(print: (text: string) => void): (line: string) => void {
  let last = ''
  return line => {
    const milestone = lastMilestone([line])
    if (milestone === null || milestone === last) return
    last = milestone
    print(`  ${milestone}`)
  }
}

export interface KnobSetting {
  readonly ladder: 'plan' | 'temporal'
  readonly options: ConvTasNetOptions
  readonly quickOpt: boolean
  readonly caseTimeoutMin: number
  /** The person's own calibration, or undefined for the shipped recordings. */
  readonly calibNpz: string | undefined
  /** The model script's extra commands: what was tried already. */
  readonly scriptExtra: string
}

/** The one change to try next. */
export function chooseKnob(how: 'evidence' | 'plan', outcomes: readonly CaseOutcome[], o: KnobSetting): Knob {
  if (how === 'plan') return planKnob(outcomes)
  const tried = o.scriptExtra
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
  const { decoderMode: decoder, encoderMode: encoder, skipTopologyMode, normMode, maskAct } = o.options
  const { ladder, quickOpt, caseTimeoutMin } = o
  const hasCalibration = o.calibNpz !== undefined
  return evidenceKnob(outcomes, {
    ladder,
    decoder,
    encoder,
    skipTopologyMode,
    normMode,
    maskAct,
    quickOpt,
    caseTimeoutMin,
    hasCalibration,
    tried,
  })
}
