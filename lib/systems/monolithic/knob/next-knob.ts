/**
 * Chooses the one thing to change after a sweep that failed.
 *
 * Two answers. `planKnob` is the plan's own arithmetic, kept with its quirks so that old results compare.
 * `evidenceKnob` follows the cause of the last real verdict: it repairs what is broken around the network first, tries
 * compiler knobs before shrinking, shortens the width in time before the channels, and never takes an environment, a
 * timeout or an untried case for a verdict.
 */
import { isConclusive, type Failure } from '../../../failure/classify.ts'
import { candidatesFor, planShrink } from './candidates.ts'
import { caseMinutesFor, changeKey, type Change } from './change.ts'
import type { LadderName } from '../contract.ts'
import type { CaseConfig } from '../search/summary.ts'

/** What became of one rung. `attempted` is false for a rung that was never reached. */
export interface CaseOutcome {
  readonly config: CaseConfig
  readonly isCompiled: boolean
  readonly exceptionType: string
  readonly failure: Failure | null
  readonly attempted: boolean
}

/** One change, why, and what it answers. */
export interface Knob {
  readonly change: Change
  readonly because: string
  /** The bucket that it answers. */
  readonly bucket: string | null
  /** The rung whose failure it answers: what is reduced is reduced from there. */
  readonly config: CaseConfig | null
  /** The time limit, in minutes, that a case needs for the change to have an effect; null when any will do. */
  readonly caseMinutes: number | null
}

/**
 * What the sweep used, defaults included, and which changes were tried before. A change that would leave everything as
 * it is gets never proposed.
 */
export interface KnobOptions {
  /** Values of inputs, by name. */
  readonly inForce: Readonly<Record<string, unknown>> & { readonly caseTimeoutMin: number; readonly ladder: LadderName }
  /** Whether a calibration file was given (CALIB_NPZ). */
  readonly hasCalibration: boolean
  readonly tried: readonly Change[]
}

const knobOf = (change: Change, o: Partial<Omit<Knob, 'change'>> & { because: string }): Knob => ({
  change,
  bucket: null,
  config: null,
  caseMinutes: null,
  ...o,
})
const winnerKnob = (outcomes: readonly CaseOutcome[]): Knob | null => {
  const winner = outcomes.find(({ isCompiled }) => isCompiled)
  return winner ? knobOf({ kind: 'none', config: winner.config }, { because: 'a rung compiled' }) : null
}
const untriedKnob = knobOf({ kind: 'again' }, { because: 'there is no evidence yet' })

/**
 * The plan's next knob: hid_chan, then bn_chan with skip_chan, then n_filters, then n_blocks, then input_len, from the
 * last failed case, when every failed case is an allocator failure; else the first failed case's exception type.
 *
 * Quirks that are the plan's and stay: only the last failed case counts; a timeout counts as a non-allocator failure; a
 * mixed sweep names the first failed case even when that one is an allocator failure; the input length reads 16000 ->
 * 8000 whatever it was; any BackendAllocatorException counts, also one from a broken install. Cases that were not
 * reached gave no row there, so they are left out here.
 */
export function planKnob(outcomes: readonly CaseOutcome[]): Knob {
  const winner = winnerKnob(outcomes)
  if (winner) return winner
  const failed = outcomes.filter(({ attempted, isCompiled }) => attempted && !isCompiled)
  const [first, last] = [failed[0], failed.at(-1)]
  if (!first || !last) return untriedKnob
  if (!failed.every(isPlanAllocator)) {
    return knobOf(
      { kind: 'resolve', exceptionType: first.exceptionType },
      { because: 'the failures are mixed', bucket: first.failure?.bucket ?? null, config: first.config },
    )
  }
  const change = planShrink(last.config) ?? { kind: 'reduce', size: 'inputLen', from: 16000, to: 8000 }
  const because = `all ${failed.length} failed cases are allocator failures`
  return knobOf(change, { because, bucket: last.failure?.bucket ?? null, config: last.config })
}

const isPlanAllocator = ({ exceptionType, failure }: CaseOutcome) =>
  exceptionType.includes('BackendAllocatorException') || /Agent infeasible|Mapping Failed/.test(failure?.evidence ?? '')

/**
 * The knob that the evidence asks for: one change that is not in `tried` and has an effect, or else where to look for
 * one.
 */
export function evidenceKnob(outcomes: readonly CaseOutcome[], options: KnobOptions): Knob {
  const winner = winnerKnob(outcomes)
  if (winner) return winner
  const failed = outcomes.filter(({ attempted, isCompiled }) => attempted && !isCompiled)
  const subject = failed.findLast(({ failure }) => failure !== null && !silent.has(failure.bucket)) ?? failed.at(-1)
  if (!subject) return untriedKnob
  const { failure, config } = subject
  if (!failure) return knobOf(readTheLog, { because: 'the last failed case was not classified', config })
  const tried = new Set(options.tried.map(changeKey))
  const isNew = (change: Change) => !isInForce(change, options) && !tried.has(changeKey(change))
  const found = candidatesFor({ failure, config }).find(isNew)
  const change = found ?? (isConclusive(failure) ? findTheLayer : readTheLog)
  const caseMinutes = caseMinutesFor(change)
  const { caseTimeoutMin } = options.inForce
  const isShort = caseMinutes !== null && caseMinutes > caseTimeoutMin
  const and = isShort
    ? `; our own limit of ${caseTimeoutMin} min for a case must rise to ${caseMinutes} min with it`
    : ''
  return knobOf(change, { because: reasonFor(failed, failure) + and, bucket: failure.bucket, config, caseMinutes })
}

/** None says anything about the network or its surroundings, so any other failure is better evidence. */
const silent: ReadonlySet<string> = new Set(['wrapper_timeout', 'aborted', 'not_a_failure', 'unknown'])

const findTheLayer: Change = {
  kind: 'runbook',
  path: 'runbooks/monolithic-ramp.ts',
  why: 'find the first failing layer',
}
const readTheLog: Change = {
  kind: 'runbook',
  path: 'runbooks/explain-log.ts',
  why: 'read the log',
  flags: '--log <log of the failing case>',
}

/** Whether the sweep was run with this change already, be it by default. */
function isInForce(change: Change, { inForce, hasCalibration }: KnobOptions): boolean {
  if (change.kind === 'calibrate') return hasCalibration
  if (change.kind !== 'input') return false
  if (change.name === 'caseTimeoutMin') return inForce.caseTimeoutMin >= Number(change.value)
  return inForce[change.name] === change.value
}

/** The same failure at the same kind of layer is one signature. */
const signatureOf = (failure: Failure | null) =>
  failure ? [failure.bucket, failure.layerFamily].filter(Boolean).join(' at ') : 'no log'

function reasonFor(failed: readonly CaseOutcome[], failure: Failure): string {
  const signature = signatureOf(failure)
  const conclusive = failed.filter(({ failure }) => failure !== null && !silent.has(failure.bucket))
  const times = conclusive.length - 1 - conclusive.findLastIndex(({ failure }) => signatureOf(failure) !== signature)
  const verdicts = failed.filter(({ failure }) => failure?.isInfeasible).length
  const counted = `${verdicts} of ${failed.length} attempted cases show that the network does not fit`
  const repeated = times > 1 ? `; the same signature ${times} times: ${signature}` : `; the last is ${signature}`
  return `${failure.cause} (${counted}${repeated})`
}
