import assert from 'node:assert/strict'
import test from 'node:test'
import { searchInputs } from '../search/search-inputs.ts'
import { classifyFailure } from '../../../failure/classify.ts'
import { inputChange, type Change, type ReducedSize } from './change.ts'
import { bareCommand, knobCommand } from './knob-command.ts'
import type { Knob } from './next-knob.ts'
import { ladderNames } from '../contract.ts'
import { choice, text } from '../../../notebook/inputs/inputs.ts'

const last = {
  nFilters: 64,
  bnChan: 24,
  hidChan: 48,
  skipChan: 24,
  nBlocks: 2,
  nRepeats: 1,
  inputLen: 16000,
  kernelSize: 16,
  stride: 8,
}

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
const reduce = (size: ReducedSize, from: number, to: number): Change => ({ kind: 'reduce', size, from, to })
const script = (command: string): Change => ({ kind: 'script', command })
const command = (change: Change, o: Partial<Knob> = {}, inputs: object = {}) =>
  knobCommand(
    { change, because: 'x', bucket: 'allocator_infeasible', config: last, caseMinutes: null, ...o },
    { declared, inputs: { ...values, ...inputs }, run, scriptExtra: 'a(b=c)\n' },
  )
const sweep = 'npx tsx runbooks/monolithic-sweep.ts'

test('knobCommand() drops what named a part of the old ladder when the ladder or the rung changes', () => {
  assert.equal(
    command(inputChange('ladder', 'temporal'), {}, { config: 'mono_f64_bn24_hid48_skip24_b2_r1_t16000' }),
    `${sweep} --ladder temporal`,
  )
  assert.equal(command(reduce('hidChan', 48, 32)), `${sweep} --config mono_f64_bn24_hid32_skip24_b2_r1_t16000`)
  assert.equal(command(inputChange('encoder', 'framed')), `${sweep} --from 2 --until 3 --encoder framed`)
})

test('knobCommand() reduces from the rung that the knob answers, and has only words without one', () => {
  const config = { ...last, nFilters: 96 }
  assert.equal(
    command(reduce('nBlocks', 2, 1), { config }),
    `${sweep} --config mono_f96_bn24_hid48_skip24_b1_r1_t16000`,
  )
  assert.equal(command(reduce('nBlocks', 2, 1), { config: null }), 'reduce n_blocks: 2 -> 1')
})

test('knobCommand() takes this run over only when nothing about its cases changed', () => {
  assert.equal(
    command(inputChange('caseTimeoutMin', 60, 'an hour'), { bucket: 'wrapper_timeout', caseMinutes: 60 }),
    `${sweep} --from 2 --until 3 --case-timeout-min 60 --resume 20260223_000002`,
  )
  assert.equal(
    command({ kind: 'resume' }, { bucket: 'aborted' }),
    `${sweep} --from 2 --until 3 --resume 20260223_000002`,
  )
  assert.doesNotMatch(command(inputChange('ladder', 'temporal'), { bucket: 'wrapper_timeout' }), /resume/)
  assert.doesNotMatch(command(inputChange('quickOpt', false)), /resume/)
})

test('knobCommand() raises both time limits for a mapper that is given more time, and lowers neither', () => {
  const knob = { bucket: 'allocator_timeout', caseMinutes: 150 }
  written.length = 0
  assert.equal(
    command(script('allocator_param(timeout=7200)'), knob),
    `${sweep} --from 2 --until 3 --model-script runs/x/2/next_knob.alls --time-limit-min 150 --case-timeout-min 150`,
  )
  assert.deepEqual(written, ['next_knob.alls\na(b=c)\nallocator_param(timeout=7200)\n'])
  assert.match(
    command(script('allocator_param(timeout=7200)'), knob, { caseTimeoutMin: 200, timeLimitMin: 300 }),
    /--time-limit-min 300 --case-timeout-min 200/,
  )
})

test('knobCommand() makes a rung of its own of a smaller size, whatever its kernel', () => {
  const tag = (change: Change, config = last) => command(change, { config }).split(' --config ')[1]
  assert.equal(tag(reduce('bnSkip', 24, 16)), 'mono_f64_bn16_hid48_skip16_b2_r1_t16000')
  assert.equal(tag(reduce('inputLen', 16000, 8000)), 'mono_f64_bn24_hid48_skip24_b2_r1_t8000')
  assert.equal(
    tag(reduce('hidChan', 48, 32), { ...last, kernelSize: 128, stride: 64 }),
    'mono_f64_bn24_hid32_skip24_b2_r1_t16000_k128_s64',
  )
})

test('knobCommand() gives words for what is no input of the sweep', () => {
  assert.equal(command({ kind: 'outside', text: 'another version of the compiler' }), 'another version of the compiler')
  assert.equal(command({ kind: 'none', config: last }), 'none: mono_f64_bn24_hid48_skip24_b2_r1_t16000 compiled')
  assert.equal(command({ kind: 'resolve', exceptionType: 'Timeout' }), 'resolve non-allocator failure first: Timeout')
  assert.match(command({ kind: 'again' }), /^run the sweep again/)
})

test('bareCommand() is a command where what a log asks for is a flag of the sweep, else null', () => {
  const next = (log: string) => bareCommand(classifyFailure(log))
  assert.equal(next('Agent infeasible'), `${sweep} --ladder temporal`)
  assert.equal(next('HAR export timed out'), `${sweep} --case-timeout-min 60`)
  assert.equal(next('Reshape is needed for layers: conv1'), `${sweep} --encoder framed`)
  assert.equal(next('Super deconv is not supported with groups'), `${sweep} --decoder polyphase`)
  // Flags of another runbook, and of a run that this log does not name, make no command.
  for (const log of [
    'Multiple output vstreams found (2); specify which one',
    'KeyboardInterrupt',
    'Context switch is disabled, but the model could not fit in single context',
  ])
    assert.equal(next(log), null)
})
