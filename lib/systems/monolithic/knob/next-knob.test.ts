import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { buckets } from '../../../failure/buckets.ts'
import { classifyFailure, type Failure } from '../../../failure/classify.ts'
import { changeText, inputChange, type Change } from './change.ts'
import { evidenceKnob as evidenceChange, planKnob as planChangeOf } from './next-knob.ts'
import type { CaseOutcome, Knob, KnobOptions } from './next-knob.ts'
import type { CaseConfig } from '../search/summary.ts'

const config = (o: Partial<CaseConfig> = {}): CaseConfig => ({
  nFilters: 64,
  bnChan: 24,
  hidChan: 48,
  skipChan: 24,
  nBlocks: 1,
  nRepeats: 1,
  inputLen: 16000,
  kernelSize: 16,
  stride: 8,
  ...o,
})

const logs = {
  allocator: '[error] Mapping Failed (allocation time: 2s)\nNo successful assignments: dw6 errors:\n\tAgent infeasible',
  install:
    'hailo: symbol lookup error: undefined symbol: abc\nBackendAllocatorException  Traceback (most recent call last)',
  parse: 'UnsupportedConv3DError in op /Conv',
  lcu: '[error] Failed to save enough resources: APUs: 100/120, LCUs: 149/96, L3 weights: 800/768',
  weights: '[error] Context switch is disabled, but model could not fit in single context. L3 weights: 900/768',
  apu: '[error] Failed to save enough resources: APUs: 149/120, LCUs: 97/96',
  memory: '[error] Compilation failed: Memory units capacity exceeded (available: 128, required: 138)',
  partition: '[error] Compiler could not find a valid partition to contexts.',
  reshape: 'Reshape is needed for layers: conv2, but adding a reshape has failed',
  kernel: 'Super deconv is not supported with groups',
  crash: '[error] BackendAllocatorException: Compilation failed with unexpected crash',
  slope: 'Desired shift is 9.0, but op has only 8 data bits',
  bias: 'more than 1 subclusters are needed for 16bit L2 biases at dw1',
  mapping: '[error] Mapping Failed (Timeout, allocation time: 59m)',
  disk: 'OSError: [Errno 28] No space left on device',
}

function failed(log: string, o: { config?: Partial<CaseConfig>; context?: object } = {}): CaseOutcome {
  const failure = classifyFailure(log, o.context)
  return {
    config: config(o.config),
    isCompiled: false,
    exceptionType: failure.exceptionType,
    failure,
    attempted: true,
  }
}
const timedOut = failed('[info] Using Multi-context flow', { context: { timedOut: true } })
const unreached: CaseOutcome = {
  config: config(),
  isCompiled: false,
  exceptionType: 'NotReached',
  failure: null,
  attempted: false,
}
const won: CaseOutcome = {
  config: config({ nBlocks: 2 }),
  isCompiled: true,
  exceptionType: '',
  failure: null,
  attempted: true,
}
/** Changes by their words, so that tests read as reports do. */
const changes = new Map(
  [
    inputChange('ladder', 'temporal'),
    inputChange('encoder', 'framed'),
    inputChange('decoder', 'polyphase'),
    inputChange('normMode', 'affine'),
    inputChange('quickOpt', false),
    inputChange('caseTimeoutMin', 60),
    ...[
      'context_switch_param(mode=enabled)',
      'allocator_param(automatic_reshapes=enabled)',
      'performance_param(compiler_optimization_level=max)',
      'model_optimization_flavor(optimization_level=1)',
    ].map((command): Change => ({ kind: 'script', command })),
    ...(
      [
        ['hidChan', 48, 32],
        ['bnSkip', 24, 16],
        ['nFilters', 64, 32],
        ['inputLen', 4088, 2040],
      ] as const
    ).map(([size, from, to]): Change => ({ kind: 'reduce', size, from, to })),
  ].map(change => [changeText(change), change]),
)
interface Used {
  readonly ladder: 'plan' | 'temporal'
  readonly decoder: string
  readonly encoder: string
  readonly skipTopologyMode: string
  readonly normMode: string
  readonly maskAct: string
  readonly quickOpt: boolean
  readonly caseTimeoutMin: number
  readonly hasCalibration: boolean
  readonly tried: readonly string[]
}
const options = (o: Partial<Used> = {}): KnobOptions => {
  const { tried = [], hasCalibration = false, ...inForce } = o
  return {
    inForce: {
      ladder: 'plan',
      decoder: 'polyphase',
      encoder: 'conv',
      skipTopologyMode: 'project',
      normMode: 'affine',
      maskAct: 'sigmoid',
      quickOpt: true,
      caseTimeoutMin: 12,
      ...inForce,
    },
    hasCalibration,
    tried: tried.map(text => changes.get(text) ?? { kind: 'outside', text }),
  }
}
/** A knob with its change in words. */
const told = (knob: Knob) => ({ ...knob, change: changeText(knob.change) })
const evidenceKnob = (outcomes: readonly CaseOutcome[], o: KnobOptions) => told(evidenceChange(outcomes, o))
const planKnob = (outcomes: readonly CaseOutcome[]) => told(planChangeOf(outcomes))
const next = (log: string, o: Partial<Used> = {}, at: Partial<CaseConfig> = {}) =>
  evidenceKnob([failed(log, { config: at })], options(o)).change

const planChange = (o: Partial<CaseConfig>) =>
  planKnob([failed(logs.allocator), failed(logs.allocator, { config: o })]).change

test('planKnob() reduces hid, bn with skip, filters, blocks and the input, down to the floors of the plan', () => {
  assert.equal(planChange({ hidChan: 48 }), 'reduce hid_chan: 48 -> 32')
  assert.equal(planChange({ hidChan: 20 }), 'reduce hid_chan: 20 -> 16')
  assert.equal(planChange({ hidChan: 16, bnChan: 24 }), 'reduce bn_chan/skip_chan together: 24 -> 16')
  assert.equal(planChange({ hidChan: 16, bnChan: 12 }), 'reduce bn_chan/skip_chan together: 12 -> 8')
  assert.equal(planChange({ hidChan: 16, bnChan: 8, nFilters: 64 }), 'reduce n_filters: 64 -> 32')
  assert.equal(planChange({ hidChan: 16, bnChan: 8, nFilters: 48 }), 'reduce n_filters: 48 -> 32')
  assert.equal(planChange({ hidChan: 16, bnChan: 8, nFilters: 32, nBlocks: 3 }), 'reduce n_blocks: 3 -> 2')
  assert.equal(planChange({ hidChan: 16, bnChan: 8, nFilters: 32, inputLen: 4000 }), 'reduce input_len: 16000 -> 8000')
})

test('planKnob() names the first failed case when failures are mixed, and counts a timeout among the others', () => {
  assert.equal(
    planKnob([failed(logs.parse), failed(logs.allocator)]).change,
    'resolve non-allocator failure first: UnsupportedConv3DError',
  )
  assert.equal(
    planKnob([failed(logs.allocator), timedOut]).change,
    'resolve non-allocator failure first: BackendAllocatorException',
  )
  assert.equal(planKnob([timedOut]).change, 'resolve non-allocator failure first: Timeout')
})

test('planKnob() keeps the quirk that a broken install is like the allocator, and skips what was not reached', () => {
  assert.equal(planKnob([failed(logs.install)]).change, 'reduce hid_chan: 48 -> 32')
  assert.equal(
    planKnob([failed(logs.allocator, { config: { hidChan: 64 } }), unreached]).change,
    'reduce hid_chan: 64 -> 48',
  )
})

test('planKnob() and evidenceKnob() change nothing when a rung compiled, and ask for a run when none was tried', () => {
  for (const knob of [planKnob, (outcomes: readonly CaseOutcome[]) => evidenceKnob(outcomes, options())]) {
    assert.equal(
      knob([failed(logs.allocator), won, unreached]).change,
      'none: mono_f64_bn24_hid48_skip24_b2_r1_t16000 compiled',
    )
    assert.match(knob([unreached, unreached]).change, /^run the sweep again/)
    assert.match(knob([]).change, /no case was attempted/)
  }
})

test("evidenceKnob() shortens the width in time when the plan's ladder ends in allocator failures", () => {
  const knob = evidenceKnob([failed(logs.allocator), failed(logs.allocator), unreached], options())
  assert.equal(knob.change, '--ladder temporal')
  assert.equal(knob.bucket, 'allocator_infeasible')
  assert.match(
    knob.because,
    /2 of 2 attempted cases show that the network does not fit; the same signature 2 times: allocator_infeasible at dw/,
  )
})

test('evidenceKnob() tries each compiler knob and then the channels when the temporal ladder ends there too', () => {
  const tried: string[] = []
  for (const expected of [
    'context_switch_param(mode=enabled)',
    'allocator_param(automatic_reshapes=enabled)',
    'performance_param(compiler_optimization_level=max)',
    'reduce hid_chan: 48 -> 32',
    'reduce bn_chan/skip_chan together: 24 -> 16',
    'reduce n_filters: 64 -> 32',
    'reduce input_len: 4088 -> 2040',
    'find the first failing layer: npx tsx runbooks/monolithic-ramp.ts',
  ]) {
    const change = next(logs.allocator, { ladder: 'temporal', tried }, { inputLen: 4088 })
    assert.equal(change, expected)
    tried.push(change)
  }
  assert.equal(next(logs.allocator, { tried: ['--ladder temporal'] }), 'context_switch_param(mode=enabled)')
  assert.equal(
    next(logs.allocator, { ladder: 'temporal', tried: ['context_switch_param(mode=enabled)'] }),
    'allocator_param(automatic_reshapes=enabled)',
  )
})

test('evidenceKnob() lets the exhausted counter decide what to reduce once compiler knobs were tried', () => {
  const tried = ['context_switch_param(mode=enabled)', 'performance_param(compiler_optimization_level=max)']
  assert.equal(next(logs.lcu), 'context_switch_param(mode=enabled)')
  assert.equal(next(logs.lcu, { tried: tried.slice(0, 1) }), 'performance_param(compiler_optimization_level=max)')
  assert.equal(next(logs.lcu, { tried }, { nBlocks: 2 }), 'reduce n_blocks: 2 -> 1 (LCUs 149/96)')
  assert.equal(next(logs.weights, { tried }, { nBlocks: 2 }), 'reduce hid_chan: 48 -> 32 (L3 weights 900/768)')
  assert.equal(next(logs.memory, { tried }), 'reduce hid_chan: 48 -> 32 (memory units 138/128)')
  assert.equal(next(logs.apu, { tried }, { nBlocks: 2 }), 'reduce n_blocks: 2 -> 1 (APUs 149/120)')
  assert.equal(next(logs.apu, { tried }), '--mask-act linear: fewer elementwise layers (APUs 149/120)')
  assert.equal(next(logs.partition), 'performance_param(compiler_optimization_level=max)')
  assert.equal(next(logs.partition, { tried }), '--ladder temporal')
})

test('evidenceKnob() answers a reshape or a kernel with another encoder or decoder, never with channels', () => {
  assert.equal(next(logs.reshape), '--encoder framed')
  assert.equal(next(logs.reshape, { encoder: 'framed', decoder: 'conv1x1_head' }), '--decoder polyphase')
  assert.equal(next(logs.reshape, { encoder: 'framed' }), 'allocator_param(automatic_reshapes=enabled)')
  assert.equal(next(logs.kernel, { decoder: 'deconv' }), '--decoder polyphase')
  assert.equal(next(logs.kernel), '--encoder framed')
  const tried = [
    '--encoder framed',
    '--decoder polyphase',
    'allocator_param(automatic_reshapes=enabled)',
    '--ladder temporal',
  ]
  for (const log of [logs.reshape, logs.kernel]) assert.match(next(log, { tried }), /monolithic-ramp/)
})

test('evidenceKnob() answers bias, shift, crash and mapping timeout by their own causes', () => {
  assert.equal(next(logs.bias), 'model_optimization_flavor(optimization_level=1)')
  assert.equal(next(logs.bias, { tried: ['model_optimization_flavor(optimization_level=1)'] }), '--no-quick-opt')
  assert.equal(next(logs.slope), 'calibrate on real recordings (CALIB_NPZ)')
  assert.equal(
    next(logs.slope, { tried: ['calibrate on real recordings (CALIB_NPZ)'] }),
    '--norm-mode identity: fold the norm into its convolution',
  )
  assert.equal(next(logs.slope, { hasCalibration: true, normMode: 'identity' }), '--norm-mode affine')
  assert.equal(next(logs.crash), '--ladder temporal')
  assert.equal(next(logs.crash, { ladder: 'temporal' }), 'reduce input_len: 16000 -> 8000')
  assert.equal(next(logs.mapping), 'allocator_param(timeout=7200)')
})

test('evidenceKnob() mends what is broken around the network, and shrinks nothing for it', () => {
  for (const [log, expected] of [
    [logs.install, /doctor/],
    [logs.disk, /free some room/],
    [logs.parse, /rewrite the operator/],
  ] as const) {
    const knob = evidenceKnob([failed(log), failed(log)], options({ tried: ['anything'] }))
    assert.match(knob.change, expected)
    assert.match(knob.because, /0 of 2 attempted cases show that the network does not fit/)
    assert.doesNotMatch(knob.change, /reduce|temporal/)
  }
})

test('evidenceKnob() never takes a timeout, an abort or an untried rung for a verdict', () => {
  const only = evidenceKnob([timedOut, timedOut, unreached], options())
  assert.match(only.change, /^--case-timeout-min 60/)
  assert.equal(only.bucket, 'wrapper_timeout')
  const mixed = evidenceKnob(
    [failed(logs.reshape), timedOut, failed('', { context: { aborted: true } }), unreached],
    options(),
  )
  assert.equal(mixed.bucket, 'reshape_layout')
  assert.match(mixed.because, /1 of 3 attempted/)
  assert.equal(evidenceKnob([failed(logs.install), failed(logs.allocator)], options()).change, '--ladder temporal')
})

test('evidenceKnob() asks to read the log when a failed case was not classified', () => {
  const knob = evidenceKnob([{ ...failed(logs.allocator), failure: null }], options())
  assert.match(knob.change, /explain-log\.ts/)
  assert.equal(knob.bucket, null)
})

test('evidenceKnob() counts the same signature only while it repeats without a break', () => {
  const conv = failed('[error] Mapping Failed (a)\nNo successful assignments: conv1 errors:\n Agent infeasible')
  assert.match(
    evidenceKnob([failed(logs.allocator), conv, conv, timedOut, conv], options()).because,
    /the same signature 3 times: allocator_infeasible at conv/,
  )
  assert.match(
    evidenceKnob([conv, failed(logs.allocator)], options()).because,
    /the last is allocator_infeasible at dw/,
  )
})

test('evidenceKnob() always gives exactly one change, and not one that was tried, for every bucket and history', () => {
  const anyFailure = fc.constantFrom(...Object.keys(buckets)).map((bucket): Failure =>
    Object.assign(classifyFailure(''), {
      bucket,
      isInfeasible: buckets[bucket]!.isInfeasible,
      counters: [{ name: 'LCUs', used: 9, available: 4 }],
    }),
  )
  const anyConfig = fc.record({
    nFilters: fc.integer({ min: 1, max: 256 }),
    bnChan: fc.integer({ min: 1, max: 128 }),
    hidChan: fc.integer({ min: 1, max: 256 }),
    nBlocks: fc.integer({ min: 1, max: 4 }),
    inputLen: fc.integer({ min: 8, max: 16000 }),
  })
  fc.assert(
    fc.property(anyFailure, anyConfig, fc.constantFrom('plan' as const, 'temporal' as const), (failure, at, ladder) => {
      const outcome: CaseOutcome = { ...failed(logs.allocator, { config: at }), failure }
      const tried: Change[] = []
      for (let i = 0; i < 20; i++) {
        const knob = evidenceChange([outcome], { ...options({ ladder }), tried })
        assert.equal(knob.config, outcome.config)
        const text = changeText(knob.change)
        assert.ok(text !== '' && knob.because !== '' && !/\n|undefined|NaN/.test(text), text)
        assert.ok(
          knob.change?.kind === 'runbook' || !tried.some(done => changeText(done) === text),
          `${failure.bucket}: ${text} again after ${tried.map(changeText).join(' | ')}`,
        )
        if (knob.change?.kind === 'runbook') return
        tried.push(knob.change)
      }
      assert.fail(`never comes to an end: ${tried.map(changeText).join(' | ')}`)
    }),
    { numRuns: 200 },
  )
})

test('evidenceKnob() proposes nothing that is in force already, given or by default', () => {
  const skip = 'Reshape is needed for layers: shortcut1, concat1, but adding a reshape has failed'
  assert.equal(next(skip), '--encoder framed')
  assert.equal(next(skip, { skipTopologyMode: 'repeat' }), '--skip-topology-mode project')
  const level = ['model_optimization_flavor(optimization_level=1)']
  assert.equal(next(logs.bias, { tried: level, quickOpt: false }), 'optimize on a host with a GPU')
  assert.match(
    next(logs.bias, { tried: [...level, 'optimize on a host with a GPU'], quickOpt: false, hasCalibration: true }),
    /monolithic-ramp/,
  )
  assert.match(next(logs.slope, { hasCalibration: true }), /^--norm-mode identity/)
  assert.match(
    next(logs.slope, { hasCalibration: true, normMode: 'identity', tried: ['--norm-mode affine'] }),
    /monolithic-ramp/,
  )
  const compilerKnobs = ['context_switch_param(mode=enabled)', 'performance_param(compiler_optimization_level=max)']
  assert.doesNotMatch(next(logs.apu, { tried: compilerKnobs, maskAct: 'linear' }), /mask-act/)
})

test('evidenceKnob() gives a case more time only where it has less, and then stops asking for it', () => {
  const at = (o: Partial<Used>) => evidenceKnob([timedOut], options(o)).change
  assert.match(at({ caseTimeoutMin: 60 }), /^--case-timeout-min 240/)
  assert.match(at({ tried: ['--case-timeout-min 60'] }), /^--case-timeout-min 240/)
  assert.equal(at({ caseTimeoutMin: 600 }), '--ladder temporal')
  assert.match(at({ caseTimeoutMin: 600, ladder: 'temporal' }), /explain-log/)
})

test("evidenceKnob() says that our own limit must rise with the mapper's, when it is below", () => {
  const knob = evidenceKnob([failed(logs.mapping)], options())
  assert.deepEqual([knob.change, knob.caseMinutes], ['allocator_param(timeout=7200)', 150])
  assert.match(knob.because, /our own limit of 12 min for a case must rise to 150 min with it/)
  assert.doesNotMatch(evidenceKnob([failed(logs.mapping)], options({ caseTimeoutMin: 150 })).because, /must rise/)
  assert.equal(evidenceKnob([failed(logs.allocator)], options()).caseMinutes, null)
})

test('evidenceKnob() takes what was tried into account for kinds with one remedy too', () => {
  const doctor = next(logs.install)
  assert.match(doctor, /doctor/)
  assert.match(next(logs.install, { tried: [doctor] }), /explain-log/)
  assert.match(next(logs.parse, { tried: [next(logs.parse)] }), /monolithic-ramp/)
  assert.equal(next('calibration set is empty', { hasCalibration: true }), buckets.calibration_shape!.nextKnob)
})

test('evidenceKnob() and planKnob() name the rung that they answer, not one that only came later', () => {
  const later = failed('odd', { config: { nFilters: 32 }, context: { exitCode: 1 } })
  const [first, last] = [
    failed(logs.lcu, { config: { nFilters: 96, nBlocks: 2 } }),
    failed(logs.allocator, { config: { hidChan: 96 } }),
  ]
  assert.equal(evidenceKnob([first, later], options()).config, first.config)
  assert.equal(planKnob([first, last]).config, last.config)
  assert.equal(planKnob([later, last]).config, later.config)
  assert.deepEqual([planKnob([won]).config, evidenceKnob([], options()).config], [null, null])
})
