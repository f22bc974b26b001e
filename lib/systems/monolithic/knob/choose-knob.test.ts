import assert from 'node:assert/strict'
import test from 'node:test'
import { classifyFailure } from '../../../failure/classify.ts'
import { noFiles, type CaseStatus } from '../../../ladder/types.ts'
import { convTasNetDefaults } from '../../../models/convtasnet/options.ts'
import { changeText } from './change.ts'
import { chooseKnob, outcomesOf } from './choose-knob.ts'
import type { CaseOutcome } from './next-knob.ts'

const config = {
  nFilters: 64,
  bnChan: 24,
  hidChan: 48,
  skipChan: 24,
  nBlocks: 1,
  nRepeats: 1,
  inputLen: 16000,
  kernelSize: 16,
  stride: 8,
}
const failure = classifyFailure(
  'No successful assignments: conv1 errors:\n\tAgent infeasible\nBackendAllocatorException: x',
)

test('outcomesOf() counts neither an interrupted case nor one that was not reached as attempted', () => {
  const result = (status: CaseStatus) => ({
    tag: 'a',
    config,
    status,
    stage: status === 'succeeded' ? ('compiled' as const) : null,
    exceptionType: '',
    failureHead: '',
    failure: null,
    files: noFiles,
    metrics: {},
    durationMs: 1,
    key: null,
    origin: 'ran' as const,
  })
  const all = ['succeeded', 'failed', 'timed-out', 'interrupted', 'not-reached'] as const
  assert.deepEqual(
    outcomesOf(all.map(result)).map(({ attempted, isCompiled }) => [attempted, isCompiled]),
    [
      [true, true],
      [true, false],
      [true, false],
      [false, false],
      [false, false],
    ],
  )
})

test('chooseKnob() asks the plan or the evidence, and does not propose a command that the script already holds', () => {
  const outcomes: CaseOutcome[] = [
    {
      config,
      isCompiled: false,
      exceptionType: 'BackendAllocatorException',
      failure,
      attempted: true,
    },
  ]
  const setting = {
    ladder: 'temporal' as const,
    options: { ...convTasNetDefaults, encoderMode: 'framed' as const },
    scriptExtra: '',
    quickOpt: true,
    caseTimeoutMin: 12,
    calibNpz: undefined,
  }
  const change = (how: 'plan' | 'evidence', o = setting) => chooseKnob(how, outcomes, o).change
  assert.equal(changeText(change('plan')), 'reduce hid_chan: 48 -> 32')
  const first = change('evidence')
  assert.ok(first.kind === 'script', first.kind)
  assert.notDeepEqual(change('evidence', { ...setting, scriptExtra: first.command }), first)
})
