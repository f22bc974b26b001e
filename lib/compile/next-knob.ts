/**
 * After a sweep that failed: which one thing should be changed next?
 *
 * Two answers. `planKnob` is the plan's own arithmetic, kept with its quirks so that old results compare. `evidenceKnob` follows
 * the cause of the last real verdict: it repairs what is broken around the network first, tries compiler knobs before shrinking,
 * shortens the width in time before the channels, and never takes an environment, a timeout or an untried case for a verdict.
 */
import { bucketOf } from './failure-buckets.ts'
import type { Failure } from './failure.ts'
import type { Counter } from './log-reading.ts'

/** One rung: channels, blocks and the input length in samples. */
export interface CaseConfig {
  nFilters: number
  bnChan: number
  hidChan: number
  skipChan: number
  nBlocks: number
  nRepeats: number
  inputLen: number
}

/** What became of one rung. `attempted` is false for a rung that was never reached. */
export interface CaseOutcome {
  config: CaseConfig
  harSuccess: boolean
  hefSuccess: boolean
  exceptionType: string
  failure: Failure | null
  attempted: boolean
}

/** One explicit change, why, and the bucket that it answers. */
export interface Knob { change: string; because: string; bucket: string | null }

/** What the sweep used, and which changes were tried before (each as an earlier `change`, or the model-script command itself). */
export interface KnobOptions { ladder: 'plan' | 'temporal'; decoder: string; encoder: string; tried: readonly string[] }

/** The plan's name for a rung: `mono_f256_bn128_hid256_skip128_b2_r1_t16000`. */
export const runTagOf = ({ nFilters, bnChan, hidChan, skipChan, nBlocks, nRepeats, inputLen }: CaseConfig): string =>
  `mono_f${nFilters}_bn${bnChan}_hid${hidChan}_skip${skipChan}_b${nBlocks}_r${nRepeats}_t${inputLen}`

const winnerKnob = (outcomes: readonly CaseOutcome[]): Knob | null => {
  const winner = outcomes.find(({ hefSuccess }) => hefSuccess)
  return winner ? { change: `none: ${runTagOf(winner.config)} compiled`, because: 'a rung compiled', bucket: null } : null
}
const untriedKnob: Knob =
  { change: 'run the sweep again: no case was attempted', because: 'there is no evidence yet', bucket: null }

/**
 * The plan's next knob: hid_chan, then bn_chan with skip_chan, then n_filters, then n_blocks, then input_len, from the last
 * failed case, when every failed case is an allocator failure; else the first failed case's exception type.
 *
 * Quirks that are the plan's and stay: only the last failed case counts; a timeout counts as a non-allocator failure; a mixed
 * sweep names the first failed case even when that one is an allocator failure; the input length reads 16000 -> 8000 whatever it
 * was; any BackendAllocatorException counts, also one from a broken install. Cases that were not reached gave no row there, so
 * they are left out here.
 */
export function planKnob(outcomes: readonly CaseOutcome[]): Knob {
  const winner = winnerKnob(outcomes)
  if (winner) return winner
  const failed = outcomes.filter(({ attempted, hefSuccess }) => attempted && !hefSuccess)
  const [first, last] = [failed[0], failed.at(-1)]
  if (!first || !last) return untriedKnob
  if (!failed.every(isPlanAllocator)) {
    const change = `resolve non-allocator failure first: ${first.exceptionType}`
    return { change, because: 'the failures are mixed', bucket: first.failure?.bucket ?? null }
  }
  const change = planShrink(last.config) ?? 'reduce input_len: 16000 -> 8000'
  return { change, because: `all ${failed.length} failed cases are allocator failures`, bucket: last.failure?.bucket ?? null }
}

const isPlanAllocator = ({ exceptionType, failure }: CaseOutcome) =>
  exceptionType.includes('BackendAllocatorException') || /Agent infeasible|Mapping Failed/.test(failure?.evidence ?? '')

const reduced = (name: string, o: { from: number; step: number; least: number }) =>
  (o.from > o.least ? `reduce ${name}: ${o.from} -> ${Math.max(o.least, o.from - o.step)}` : null)
const shrinkHid = (c: CaseConfig) => reduced('hid_chan', { from: c.hidChan, step: 16, least: 16 })
const shrinkBn = (c: CaseConfig) => reduced('bn_chan/skip_chan together', { from: c.bnChan, step: 8, least: 8 })
const shrinkFilters = (c: CaseConfig) => reduced('n_filters', { from: c.nFilters, step: 32, least: 32 })
const shrinkBlocks = (c: CaseConfig) => reduced('n_blocks', { from: c.nBlocks, step: 1, least: 1 })
/** Half the window, cut to a multiple of the encoder's stride of 8 samples; null when nothing useful is left. */
const shrinkInput = ({ inputLen }: CaseConfig) =>
  (inputLen >= 32 ? `reduce input_len: ${inputLen} -> ${Math.floor(inputLen / 16) * 8}` : null)
const planShrink = (c: CaseConfig): string | null => shrinkHid(c) ?? shrinkBn(c) ?? shrinkFilters(c) ?? shrinkBlocks(c)

/** The knob that the evidence asks for. Always exactly one change that is not in `tried`. */
export function evidenceKnob(outcomes: readonly CaseOutcome[], options: KnobOptions): Knob {
  const winner = winnerKnob(outcomes)
  if (winner) return winner
  const failed = outcomes.filter(({ attempted, hefSuccess }) => attempted && !hefSuccess)
  const subject = failed.findLast(({ failure }) => failure !== null && !inconclusive.has(failure.bucket)) ?? failed.at(-1)
  if (!subject) return untriedKnob
  if (!subject.failure) {
    const change = 'read the log: npx tsx runbooks/explain-log.ts --log <log of the failing case>'
    return { change, because: 'the last failed case was not classified', bucket: null }
  }
  const { failure, config } = subject
  return { change: changeFor({ failure, config, options }), because: reasonFor(failed, failure), bucket: failure.bucket }
}

function changeFor(situation: Situation): string {
  const { failure, config, options } = situation
  const ofFamily = knobsFor[failure.bucket]?.(situation)
  if (!ofFamily) return bucketOf(failure.bucket).nextKnob
  const mayShrink = failure.isInfeasible && !reshapeOrKernel.has(failure.bucket)
  const shrinking = mayShrink ? [shrinkHid, shrinkBn, shrinkFilters, shrinkBlocks, shrinkInput].map(shrink => shrink(config)) : []
  const candidates = [...ofFamily, ...shrinking].filter(candidate => candidate !== null)
  return candidates.find(candidate => !isTried(candidate, options)) ?? lastResort
}

/** Neither says anything about the network, so any other failure is better evidence. */
const inconclusive = new Set(['wrapper_timeout', 'aborted', 'not_a_failure', 'unknown'])
const reshapeOrKernel = new Set(['reshape_layout', 'reshape_layout_skip_concat_maskmul', 'kernel_unsupported'])
const lastResort = 'find the first failing layer: npx tsx runbooks/monolithic-ramp.ts'

/** The part of a change that identifies it: the flag or command, without the explanation in words. */
const isTried = (change: string, { tried }: KnobOptions) =>
  tried.some(done => done === change || done.includes(change.split(' (')[0]!))

const contexts = 'context_switch_param(mode=enabled)'
const reshapes = 'allocator_param(automatic_reshapes=enabled)'
const effort = 'performance_param(compiler_optimization_level=max)'
const compilerKnobs = [contexts, reshapes, effort]

interface Situation { failure: Failure; config: CaseConfig; options: KnobOptions }
type Candidates = (situation: Situation) => readonly (string | null)[]

const temporal = ({ options }: Situation) => (options.ladder === 'plan' ? '--ladder temporal' : null)
const framed = ({ options }: Situation) => (options.encoder === 'framed' ? null : '--encoder framed')
const polyphase = ({ options }: Situation) => (options.decoder === 'polyphase' ? null : '--decoder polyphase')

/** What each family asks for, in order. Shrinking the network follows where the failure says that it does not fit. */
const knobsFor: Record<string, Candidates> = {
  allocator_infeasible: s => [temporal(s), ...compilerKnobs],
  allocator_timeout: s =>
    ['allocator_param(timeout=7200)', temporal(s), effort, shrinkBlocks(s.config), shrinkHid(s.config), shrinkBn(s.config)],
  allocator_infeasible_16bit_bias: () => [
    'model_optimization_flavor(optimization_level=1)', 'QUICK_OPT=0', 'optimize on a host with a GPU',
    'calibrate with 1024 windows (CALIB_NPZ)'],
  resource_exhausted_single_context: s => [contexts, effort, ...byCounter(s)],
  resource_exhausted_partition: s => [effort, ...byCounter(s), temporal(s), contexts, shrinkBlocks(s.config)],
  resource_memory_units: s => [contexts, effort, ...byCounter(s)],
  reshape_layout: s => [framed(s), polyphase(s), reshapes, temporal(s)],
  reshape_layout_skip_concat_maskmul: s => ['--skip-topology-mode project', framed(s), polyphase(s), reshapes, temporal(s)],
  kernel_unsupported: s => [polyphase(s), framed(s), reshapes, temporal(s)],
  compiler_crash: s => [temporal(s), shrinkInput(s.config), shrinkBlocks(s.config), 'another version of the compiler'],
  quantization_negative_exponent: () => [
    'calibrate on real recordings (CALIB_NPZ)', '--norm-mode affine',
    '--norm-mode identity (fold the norm into its convolution)'],
}

/** The counter that is furthest over its limit decides which dimension to reduce. */
function byCounter({ failure, config }: Situation): readonly (string | null)[] {
  const worst = exhaustedCounter(failure.counters)
  if (!worst) return []
  const fewer = (change: string | null) => change && `${change} (${worst.name} ${worst.used}/${worst.available})`
  if (/LCU/i.test(worst.name)) return [fewer(shrinkBlocks(config)), fewer(shrinkFilters(config))]
  if (/APU/i.test(worst.name)) return [fewer(shrinkBlocks(config)), fewer('fewer elementwise layers: --mask-act linear')]
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
  (failure ? [failure.bucket, failure.layerFamily].filter(Boolean).join(' at ') : 'no log')

function reasonFor(failed: readonly CaseOutcome[], failure: Failure): string {
  const signature = signatureOf(failure)
  const conclusive = failed.filter(({ failure }) => failure !== null && !inconclusive.has(failure.bucket))
  const times = conclusive.length - 1 - conclusive.findLastIndex(({ failure }) => signatureOf(failure) !== signature)
  const verdicts = failed.filter(({ failure }) => failure?.isInfeasible).length
  const counted = `${verdicts} of ${failed.length} attempted cases show that the network does not fit`
  const repeated = times > 1 ? `; the same signature ${times} times: ${signature}` : `; the last is ${signature}`
  return `${failure.cause} (${counted}${repeated})`
}
