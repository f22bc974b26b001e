/**
 * What each kind of failure asks for, in order: changes of the compiler, of the graph, and of the network's sizes.
 */
import { bucketOf } from '../../../failure/buckets.ts'
import type { Failure } from '../../../failure/classify.ts'
import type { Counter } from '../../../failure/log-reading.ts'
import { inputChange, type Change, type ReducedSize } from './change.ts'
import type { CaseConfig } from '../search/summary.ts'

/** A failure, and the rung that failed. */
export interface Situation {
  readonly failure: Failure
  readonly config: CaseConfig
}
type Candidates = (situation: Situation) => readonly (Change | null)[]

const script = (command: string, mapperTimeoutS?: number): Change => ({
  kind: 'script',
  command,
  ...(mapperTimeoutS === undefined ? {} : { mapperTimeoutS }),
})
const contexts = script('context_switch_param(mode=enabled)')
const reshapes = script('allocator_param(automatic_reshapes=enabled)')
const effort = script('performance_param(compiler_optimization_level=max)')
const compilerChanges = [contexts, reshapes, effort]
const temporal = inputChange('ladder', 'temporal')
const framed = inputChange('encoder', 'framed')
const polyphase = inputChange('decoder', 'polyphase')
const patience = [
  inputChange('caseTimeoutMin', 60, 'the mapper may take an hour for each context'),
  inputChange('caseTimeoutMin', 240, 'there may be several contexts'),
]
const outside = (text: string): Change => ({ kind: 'outside', text })
const calibrate = (text: string): Change => ({ kind: 'calibrate', text })

/** Reduce a size by a step down to its floor; null when it is there. */
function reduced(size: ReducedSize, o: { from: number; step: number; least: number }): Change | null {
  return o.from > o.least ? { kind: 'reduce', size, from: o.from, to: Math.max(o.least, o.from - o.step) } : null
}
const shrinkHid = (c: CaseConfig) => reduced('hidChan', { from: c.hidChan, step: 16, least: 16 })
const shrinkBn = (c: CaseConfig) => reduced('bnSkip', { from: c.bnChan, step: 8, least: 8 })
const shrinkFilters = (c: CaseConfig) => reduced('nFilters', { from: c.nFilters, step: 32, least: 32 })
const shrinkBlocks = (c: CaseConfig) => reduced('nBlocks', { from: c.nBlocks, step: 1, least: 1 })
/** Half the window, cut to a multiple of the encoder's stride; null when nothing useful is left. */
function shrinkInput({ inputLen, stride }: CaseConfig): Change | null {
  const to = Math.floor(inputLen / (2 * stride)) * stride
  return inputLen >= 4 * stride ? { kind: 'reduce', size: 'inputLen', from: inputLen, to } : null
}

/**
 * The plan's order of reducing: hid_chan, bn_chan with skip_chan, n_filters, n_blocks; null when all are at their
 * floor.
 */
export const planShrink = (c: CaseConfig): Change | null =>
  shrinkHid(c) ?? shrinkBn(c) ?? shrinkFilters(c) ?? shrinkBlocks(c)

/** Every way to make the network smaller. */
const allShrinks: Candidates = ({ config }) =>
  [shrinkHid, shrinkBn, shrinkFilters, shrinkBlocks, shrinkInput].map(shrink => shrink(config))

const byBucket: Record<string, Candidates> = {
  allocator_infeasible: () => [temporal, ...compilerChanges],
  allocator_timeout: s => [
    script('allocator_param(timeout=7200)', 7200),
    temporal,
    effort,
    shrinkBlocks(s.config),
    shrinkHid(s.config),
    shrinkBn(s.config),
  ],
  allocator_infeasible_16bit_bias: () => [
    script('model_optimization_flavor(optimization_level=1)'),
    inputChange('quickOpt', false),
    outside('optimize on a host with a GPU'),
    calibrate('calibrate with 1024 windows (CALIB_NPZ)'),
  ],
  resource_exhausted_single_context: s => [contexts, effort, ...byCounter(s)],
  resource_exhausted_partition: s => [effort, ...byCounter(s), temporal, contexts, shrinkBlocks(s.config)],
  resource_memory_units: s => [contexts, effort, ...byCounter(s)],
  reshape_layout: () => [framed, polyphase, reshapes, temporal],
  reshape_layout_skip_concat_maskmul: () => [
    inputChange('skipTopologyMode', 'project'),
    framed,
    polyphase,
    reshapes,
    temporal,
  ],
  kernel_unsupported: () => [polyphase, framed, reshapes, temporal],
  compiler_crash: s => [
    temporal,
    shrinkInput(s.config),
    shrinkBlocks(s.config),
    outside('another version of the compiler'),
  ],
  quantization_negative_exponent: () => [
    calibrate('calibrate on real recordings (CALIB_NPZ)'),
    inputChange('normMode', 'affine'),
    inputChange('normMode', 'identity', 'fold the norm into its convolution'),
  ],
  wrapper_timeout: () => [...patience, temporal],
  aborted: () => [{ kind: 'resume' }],
  not_a_failure: () => [],
}

const reshapeOrKernel: ReadonlySet<string> = new Set([
  'reshape_layout',
  'reshape_layout_skip_concat_maskmul',
  'kernel_unsupported',
])

/**
 * What a failure asks for, in order. Shrinking the network follows where the failure says that it does not fit. A kind
 * that no change of ours answers has its one general remedy.
 */
export function candidatesFor(situation: Situation): Change[] {
  const { bucket, isInfeasible } = situation.failure
  const ofFamily = byBucket[bucket]?.(situation) ?? [outside(bucketOf(bucket).nextKnob)]
  const shrinking = isInfeasible && !reshapeOrKernel.has(bucket) ? allShrinks(situation) : []
  return [...ofFamily, ...shrinking].filter(change => change !== null)
}

/** The counter that is furthest over its limit decides which dimension to reduce. */
function byCounter({ failure, config }: Situation): readonly (Change | null)[] {
  const worst = exhaustedCounter(failure.counters)
  if (!worst) return []
  const because = (change: Change | null): Change | null =>
    change?.kind === 'reduce' ? { ...change, counter: worst } : change
  if (/LCU/i.test(worst.name)) return [because(shrinkBlocks(config)), because(shrinkFilters(config))]
  if (/APU/i.test(worst.name)) {
    const why = `fewer elementwise layers (${worst.name} ${worst.used}/${worst.available})`
    return [because(shrinkBlocks(config)), inputChange('maskAct', 'linear', why)]
  }
  return [shrinkHid(config), shrinkBn(config), shrinkFilters(config)].map(because)
}

/** The counter with the highest use over its limit, or null when all are within theirs. */
export function exhaustedCounter(counters: readonly Counter[]): Counter | null {
  const over = counters.filter(({ used, available }) => used > available)
  return over.toSorted((a, b) => loadOf(b) - loadOf(a))[0] ?? null
}

const loadOf = ({ used, available }: Counter) => used / Math.max(1, available)
