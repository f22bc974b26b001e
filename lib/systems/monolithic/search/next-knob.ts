/**
 * After a sweep that failed: which one thing should be changed next?
 *
 * Two answers. `planKnob` is the plan's own arithmetic, kept with its quirks so that old results compare.
 * `evidenceKnob` follows
 * the cause of the last real verdict: it repairs what is broken around the network first, tries compiler knobs before
 * shrinking,
 * shortens the width in time before the channels, and never takes an environment, a timeout or an untried case for a
 * verdict.
 */
import { runTag } from '../../../models/convtasnet/options.ts'
import { bucketOf } from '../../../failure/buckets.ts'
import { isConclusive, type Failure } from '../../../failure/classify.ts'
import type { Counter } from '../../../failure/log-reading.ts'
import type { CaseConfig } from './summary.ts'

/** What became of one rung. `attempted` is false for a rung that was never reached. */
export interface CaseOutcome {
  config: CaseConfig
  isCompiled: boolean
  exceptionType: string
  failure: Failure | null
  attempted: boolean
}

/** One explicit change, why, and what it answers. */
export interface Knob {
  change: string
  because: string
  /** The bucket that it answers. */
  bucket: string | null
  /** The rung whose failure it answers: what is reduced is reduced from there. */
  config: CaseConfig | null
  /** The time limit, in minutes, that a case needs for the change to have an effect; null when any will do. */
  caseMinutes: number | null
}

/**
 * What the sweep used, defaults included, and which changes were tried before: each as an earlier `change`, or the
 * model-script
 * command itself. A change that would leave everything as it is gets never proposed.
 */
export interface KnobOptions {
  ladder: 'plan' | 'temporal'
  decoder: string
  encoder: string
  skipTopologyMode: string
  normMode: string
  maskAct: string
  quickOpt: boolean
  /** In minutes. */
  caseTimeoutMin: number
  /** Whether a calibration file was given (CALIB_NPZ). */
  hasCalibration: boolean
  tried: readonly string[]
}

const knobOf = (change: string, o: Partial<Omit<Knob, 'change'>> & { because: string }): Knob => ({
  change,
  bucket: null,
  config: null,
  caseMinutes: null,
  ...o,
})
const winnerKnob = (outcomes: readonly CaseOutcome[]): Knob | null => {
  const winner = outcomes.find(({ isCompiled }) => isCompiled)
  return winner ? knobOf(`none: ${runTag(winner.config)} compiled`, { because: 'a rung compiled' }) : null
}
const untriedKnob = knobOf('run the sweep again: no case was attempted', { because: 'there is no evidence yet' })

/**
 * The plan's next knob: hid_chan, then bn_chan with skip_chan, then n_filters, then n_blocks, then input_len, from the
 * last
 * failed case, when every failed case is an allocator failure; else the first failed case's exception type.
 *
 * Quirks that are the plan's and stay: only the last failed case counts; a timeout counts as a non-allocator failure;
 * a mixed
 * sweep names the first failed case even when that one is an allocator failure; the input length reads 16000 -> 8000
 * whatever it
 * was; any BackendAllocatorException counts, also one from a broken install. Cases that were not reached gave no row
 * there, so
 * they are left out here.
 */
export function planKnob(outcomes: readonly CaseOutcome[]): Knob {
  const winner = winnerKnob(outcomes)
  if (winner) return winner
  const failed = outcomes.filter(({ attempted, isCompiled }) => attempted && !isCompiled)
  const [first, last] = [failed[0], failed.at(-1)]
  if (!first || !last) return untriedKnob
  if (!failed.every(isPlanAllocator)) {
    const change = `resolve non-allocator failure first: ${first.exceptionType}`
    return knobOf(change, {
      because: 'the failures are mixed',
      bucket: first.failure?.bucket ?? null,
      config: first.config,
    })
  }
  const change = planShrink(last.config) ?? 'reduce input_len: 16000 -> 8000'
  const because = `all ${failed.length} failed cases are allocator failures`
  return knobOf(change, { because, bucket: last.failure?.bucket ?? null, config: last.config })
}

const isPlanAllocator = ({ exceptionType, failure }: CaseOutcome) =>
  exceptionType.includes('BackendAllocatorException') || /Agent infeasible|Mapping Failed/.test(failure?.evidence ?? '')

const reduced = (name: string, o: { from: number; step: number; least: number }) =>
  o.from > o.least ? `reduce ${name}: ${o.from} -> ${Math.max(o.least, o.from - o.step)}` : null
const shrinkHid = (c: CaseConfig) => reduced('hid_chan', { from: c.hidChan, step: 16, least: 16 })
const shrinkBn = (c: CaseConfig) => reduced('bn_chan/skip_chan together', { from: c.bnChan, step: 8, least: 8 })
const shrinkFilters = (c: CaseConfig) => reduced('n_filters', { from: c.nFilters, step: 32, least: 32 })
const shrinkBlocks = (c: CaseConfig) => reduced('n_blocks', { from: c.nBlocks, step: 1, least: 1 })
/** Half the window, cut to a multiple of the encoder's stride of 8 samples; null when nothing useful is left. */
const shrinkInput = ({ inputLen }: CaseConfig) =>
  inputLen >= 32 ? `reduce input_len: ${inputLen} -> ${Math.floor(inputLen / 16) * 8}` : null
const planShrink = (c: CaseConfig): string | null => shrinkHid(c) ?? shrinkBn(c) ?? shrinkFilters(c) ?? shrinkBlocks(c)

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
  const change = changeFor({ failure, config, options })
  const caseMinutes = minutesFor(change)
  const short = caseMinutes !== null && caseMinutes > options.caseTimeoutMin
  const and = short
    ? `; our own limit of ${options.caseTimeoutMin} min for a case must rise to ${caseMinutes} min with it`
    : ''
  return knobOf(change, { because: reasonFor(failed, failure) + and, bucket: failure.bucket, config, caseMinutes })
}

function changeFor(situation: Situation): string {
  const { failure, config, options } = situation
  const general = bucketOf(failure.bucket).nextKnob
  const ofFamily = knobsFor[failure.bucket]?.(situation) ?? [general.startsWith('none') ? null : general]
  const mayShrink = failure.isInfeasible && !reshapeOrKernel.has(failure.bucket)
  const shrinking = mayShrink
    ? [shrinkHid, shrinkBn, shrinkFilters, shrinkBlocks, shrinkInput].map(shrink => shrink(config))
    : []
  const candidates = [...ofFamily, ...shrinking].filter(candidate => candidate !== null)
  const isNew = (change: string) => !isInForce(change, options) && !isTried(change, options)
  return candidates.find(isNew) ?? (isConclusive(failure) ? lastResort : readTheLog)
}

/** None says anything about the network or its surroundings, so any other failure is better evidence. */
const silent = new Set(['wrapper_timeout', 'aborted', 'not_a_failure', 'unknown'])
const reshapeOrKernel = new Set(['reshape_layout', 'reshape_layout_skip_concat_maskmul', 'kernel_unsupported'])
const lastResort = 'find the first failing layer: npx tsx runbooks/monolithic-ramp.ts'
const readTheLog = 'read the log: npx tsx runbooks/explain-log.ts --log <log of the failing case>'

/** Where a search ends that has nothing left to change: these alone are proposed more than once. */
export const lastKnobs: readonly string[] = [lastResort, readTheLog]

/** The part of a change that identifies it: the flag, the command or the size, without the explanation in words. */
function keyOf(change: string): string {
  if (lastKnobs.includes(change)) return change
  const [found] = /--[a-z-]+ [\w.-]+|\b\w+\([^()]*=[^()]*\)/.exec(change) ?? []
  return found ?? change.split(' (')[0]!
}
const isTried = (change: string, { tried }: KnobOptions) =>
  tried.some(done => done === change || keyOf(done) === keyOf(change))

/** Whether the sweep was run with this change already, be it by default. */
function isInForce(change: string, o: KnobOptions): boolean {
  const [, flag, value] = /--([a-z-]+) ([\w.-]+)/.exec(change) ?? []
  if (flag === 'case-timeout-min') return o.caseTimeoutMin >= Number(value)
  const inForce: Record<string, string> = {
    ladder: o.ladder,
    decoder: o.decoder,
    encoder: o.encoder,
    'skip-topology-mode': o.skipTopologyMode,
    'norm-mode': o.normMode,
    'mask-act': o.maskAct,
  }
  if (flag !== undefined && Object.hasOwn(inForce, flag)) return inForce[flag] === value
  if (change.startsWith('QUICK_OPT=0')) return !o.quickOpt
  return o.hasCalibration && /^calibrate .*CALIB_NPZ/.test(change)
}

/** How long a case may take under a change that gives the mapper, or the case, more time. */
function minutesFor(change: string): number | null {
  const mapper = /allocator_param\(timeout=(\d+)\)/.exec(change)
  // WHY: the mapper spends its budget on each context, and parsing and quantising come before it.
  // SOURCE: lib/systems/monolithic/search/next-knob.test.ts
  // CONTRACT: a case gets half an hour more than the mapper's budget.
  if (mapper) return Math.ceil(Number(mapper[1]) / 60) + 30
  const own = /--case-timeout-min (\d+)/.exec(change)
  return own ? Number(own[1]) : null
}

const contexts = 'context_switch_param(mode=enabled)'
const reshapes = 'allocator_param(automatic_reshapes=enabled)'
const effort = 'performance_param(compiler_optimization_level=max)'
const compilerKnobs = [contexts, reshapes, effort]

interface Situation {
  failure: Failure
  config: CaseConfig
  options: KnobOptions
}
type Candidates = (situation: Situation) => readonly (string | null)[]

const temporal = '--ladder temporal'
const framed = '--encoder framed'
const polyphase = '--decoder polyphase'
const patience = [
  '--case-timeout-min 60: the mapper may take an hour for each context',
  '--case-timeout-min 240: there may be several contexts',
]

/** What each family asks for, in order. Shrinking the network follows where the failure says that it does not fit. */
const knobsFor: Record<string, Candidates> = {
  allocator_infeasible: () => [temporal, ...compilerKnobs],
  allocator_timeout: s => [
    'allocator_param(timeout=7200)',
    temporal,
    effort,
    shrinkBlocks(s.config),
    shrinkHid(s.config),
    shrinkBn(s.config),
  ],
  allocator_infeasible_16bit_bias: () => [
    'model_optimization_flavor(optimization_level=1)',
    'QUICK_OPT=0',
    'optimize on a host with a GPU',
    'calibrate with 1024 windows (CALIB_NPZ)',
  ],
  resource_exhausted_single_context: s => [contexts, effort, ...byCounter(s)],
  resource_exhausted_partition: s => [effort, ...byCounter(s), temporal, contexts, shrinkBlocks(s.config)],
  resource_memory_units: s => [contexts, effort, ...byCounter(s)],
  reshape_layout: () => [framed, polyphase, reshapes, temporal],
  reshape_layout_skip_concat_maskmul: () => ['--skip-topology-mode project', framed, polyphase, reshapes, temporal],
  kernel_unsupported: () => [polyphase, framed, reshapes, temporal],
  compiler_crash: s => [temporal, shrinkInput(s.config), shrinkBlocks(s.config), 'another version of the compiler'],
  quantization_negative_exponent: () => [
    'calibrate on real recordings (CALIB_NPZ)',
    '--norm-mode affine',
    '--norm-mode identity (fold the norm into its convolution)',
  ],
  wrapper_timeout: () => [...patience, temporal],
}

/** The counter that is furthest over its limit decides which dimension to reduce. */
function byCounter({ failure, config }: Situation): readonly (string | null)[] {
  const worst = exhaustedCounter(failure.counters)
  if (!worst) return []
  const fewer = (change: string | null) => change && `${change} (${worst.name} ${worst.used}/${worst.available})`
  if (/LCU/i.test(worst.name)) return [fewer(shrinkBlocks(config)), fewer(shrinkFilters(config))]
  if (/APU/i.test(worst.name))
    return [fewer(shrinkBlocks(config)), fewer('fewer elementwise layers: --mask-act linear')]
  return [fewer(shrinkHid(config)), fewer(shrinkBn(config)), fewer(shrinkFilters(config))]
}

/** The counter with the highest use over its limit, or null when all are within theirs. */
export function exhaustedCounter(counters: readonly Counter[]): Counter | null {
  const over = counters.filter(({ used, available }) => used > available)
  return over.toSorted((a, b) => loadOf(b) - loadOf(a))[0] ?? null
}

const loadOf = ({ used, available }: Counter) => used / Math.max(1, available)

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
