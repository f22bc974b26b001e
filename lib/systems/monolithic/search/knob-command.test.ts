import assert from 'node:assert/strict'
import test from 'node:test'
import { explainLog } from '../../../failure/explain.ts'
import { searchInputs } from './search-inputs.ts'
import { bareCommand, knobChange, knobCommand } from './knob-command.ts'
import type { Knob } from './next-knob.ts'
import { ladderNames } from '../contract.ts'
import { choice, text } from '../../../notebook/inputs/inputs.ts'

const last = { nFilters: 64, bnChan: 24, hidChan: 48, skipChan: 24, nBlocks: 2, nRepeats: 1, inputLen: 16000 }

test('knobChange() turns a flag into its input, also behind an explanation', () => {
  assert.deepEqual(knobChange('--ladder temporal', last)?.inputs, { ladder: 'temporal' })
  assert.deepEqual(knobChange('--case-timeout-min 60: the mapper may take an hour', last)?.inputs, {
    caseTimeoutMin: '60',
  })
  assert.deepEqual(knobChange('fewer elementwise layers: --mask-act linear (APUs 149/120)', last)?.inputs, {
    maskAct: 'linear',
  })
  assert.deepEqual(knobChange('QUICK_OPT=0', last)?.inputs, { quickOpt: false })
})

test('knobChange() turns a smaller size into a rung of its own', () => {
  const tag = (change: string) => knobChange(change, last)?.inputs.config
  assert.equal(tag('reduce hid_chan: 48 -> 32'), 'mono_f64_bn24_hid32_skip24_b2_r1_t16000')
  assert.equal(tag('reduce bn_chan/skip_chan together: 24 -> 16'), 'mono_f64_bn16_hid48_skip16_b2_r1_t16000')
  assert.equal(tag('reduce n_blocks: 2 -> 1 (LCUs 149/96)'), 'mono_f64_bn24_hid48_skip24_b1_r1_t16000')
  assert.equal(tag('reduce input_len: 16000 -> 8000'), 'mono_f64_bn24_hid48_skip24_b2_r1_t8000')
  assert.equal(knobChange('reduce hid_chan: 48 -> 32', null), null)
})

test('knobChange() takes the command out of a model-script knob', () => {
  assert.deepEqual(knobChange('context_switch_param(mode=enabled)', last), {
    inputs: {},
    script: 'context_switch_param(mode=enabled)',
  })
})

test('knobChange() leaves alone what is no input of ours', () => {
  for (const words of [
    'another version of the compiler',
    'none: mono_x compiled',
    'resolve non-allocator failure first: Timeout',
    '--resume the run',
    '--input NAME --output NAME',
    '--no-such flag',
    '--constructor 3',
  ])
    assert.equal(knobChange(words, last), null, words)
})

const written: string[] = []
const run = {
  shown: 'runs/x/2',
  ts: '20260223_000002',
  write: (name: string, data: string | Uint8Array) => (written.push(`${name}\n${String(data)}`), name),
}
const declared = {
  ladder: choice(ladderNames, { default: 'plan', help: 'x' }),
  config: text({ optional: true, help: 'x' }),
  from: text({ optional: true, help: 'x' }),
  until: text({ optional: true, help: 'x' }),
  ...searchInputs(),
}
const values = {
  from: '2',
  until: '3',
  config: undefined as string | undefined,
  resume: '20260223_000001',
  caseTimeoutMin: 12,
  timeLimitMin: 120,
}
const command = (change: string, o: Partial<Knob> = {}, inputs: object = {}) =>
  knobCommand(
    { change, because: 'x', bucket: 'allocator_infeasible', config: last, caseMinutes: null, ...o },
    { declared, inputs: { ...values, ...inputs }, run, scriptExtra: 'a(b=c)\n' },
  )
const sweep = 'npx tsx runbooks/monolithic-sweep.ts'

test('knobCommand() drops what named a part of the old ladder when the ladder or the rung changes', () => {
  assert.equal(
    command('--ladder temporal', {}, { config: 'mono_f64_bn24_hid48_skip24_b2_r1_t16000' }),
    `${sweep} --ladder temporal`,
  )
  assert.equal(command('reduce hid_chan: 48 -> 32'), `${sweep} --config mono_f64_bn24_hid32_skip24_b2_r1_t16000`)
  assert.equal(command('--encoder framed'), `${sweep} --from 2 --until 3 --encoder framed`)
})

test('knobCommand() reduces from the rung that the knob answers, and has only words without one', () => {
  const config = { ...last, nFilters: 96 }
  assert.equal(
    command('reduce n_blocks: 2 -> 1', { config }),
    `${sweep} --config mono_f96_bn24_hid48_skip24_b1_r1_t16000`,
  )
  assert.equal(command('reduce n_blocks: 2 -> 1', { config: null }), 'reduce n_blocks: 2 -> 1')
})

test('knobCommand() takes this run over only when nothing about its cases changed', () => {
  assert.equal(
    command('--case-timeout-min 60: an hour', { bucket: 'wrapper_timeout', caseMinutes: 60 }),
    `${sweep} --from 2 --until 3 --case-timeout-min 60 --resume 20260223_000002`,
  )
  assert.equal(
    command('go on with --resume', { bucket: 'aborted' }),
    `${sweep} --from 2 --until 3 --resume 20260223_000002`,
  )
  assert.doesNotMatch(command('--ladder temporal', { bucket: 'wrapper_timeout' }), /resume/)
  assert.doesNotMatch(command('QUICK_OPT=0'), /resume/)
})

test('knobCommand() raises both time limits for a mapper that is given more time, and lowers neither', () => {
  const knob = { bucket: 'allocator_timeout', caseMinutes: 150 }
  written.length = 0
  assert.equal(
    command('allocator_param(timeout=7200)', knob),
    `${sweep} --from 2 --until 3 --model-script runs/x/2/next_knob.alls --time-limit-min 150 --case-timeout-min 150`,
  )
  assert.deepEqual(written, ['next_knob.alls\na(b=c)\nallocator_param(timeout=7200)\n'])
  assert.match(
    command('allocator_param(timeout=7200)', knob, { caseTimeoutMin: 200, timeLimitMin: 300 }),
    /--time-limit-min 300 --case-timeout-min 200/,
  )
})

test('bareCommand() makes a command of a flag of the sweep and of nothing else', () => {
  assert.equal(bareCommand('--ladder temporal'), `${sweep} --ladder temporal`)
  assert.equal(bareCommand('QUICK_OPT=0'), `${sweep} --no-quick-opt`)
  for (const words of [
    'context_switch_param(mode=enabled)',
    'reduce hid_chan: 48 -> 32',
    'none',
    '--resume the run',
    '--input NAME',
  ])
    assert.equal(bareCommand(words), null, words)
})

test('bareCommand() is a command where what a log asks for is a flag of the sweep, else null', () => {
  const next = (log: string) => bareCommand(explainLog(log).nextKnob)
  assert.equal(next('Agent infeasible'), 'npx tsx runbooks/monolithic-sweep.ts --ladder temporal')
  assert.equal(next('HAR export timed out'), 'npx tsx runbooks/monolithic-sweep.ts --case-timeout-min 60')
  assert.equal(next('Reshape is needed for layers: conv1'), 'npx tsx runbooks/monolithic-sweep.ts --encoder framed')
  assert.equal(
    next('Super deconv is not supported with groups'),
    'npx tsx runbooks/monolithic-sweep.ts --decoder polyphase',
  )
  // Flags of another runbook, and of a run that this log does not name, make no command.
  for (const log of [
    'Multiple output vstreams found (2); specify which one',
    'KeyboardInterrupt',
    'Context switch is disabled, but the model could not fit in single context',
  ])
    assert.equal(next(log), null)
})
