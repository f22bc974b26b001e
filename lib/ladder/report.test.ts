import assert from 'node:assert/strict'
import test from 'node:test'
import { convTasNetDefaults } from '../models/convtasnet/options.ts'
import { classifyFailure } from '../failure/classify.ts'
import { caseTeller, chooseKnob, milestoneTeller, searchRows } from './report.ts'
import { noFiles, type CaseResult } from './case.ts'
import type { CaseOutcome } from '../systems/monolithic/search/next-knob.ts'

const config = { nFilters: 64, bnChan: 24, hidChan: 48, skipChan: 24, nBlocks: 1, nRepeats: 1, inputLen: 16000 }
const failure = classifyFailure(
  'No successful assignments: conv1 errors:\n\tAgent infeasible\nBackendAllocatorException: x',
)
const result = (change: Partial<CaseResult>): CaseResult => ({
  tag: 'a',
  config,
  status: 'succeeded',
  harSuccess: true,
  hefSuccess: true,
  exceptionType: '',
  failureHead: '',
  failure: null,
  files: noFiles,
  metrics: { snrDb: 30 },
  durationMs: 1500,
  key: 'k',
  origin: 'ran',
  ...change,
})

test('caseTeller() says when a case begins and how it ended, with the bucket of a failure', () => {
  const said: string[] = []
  const tell = caseTeller(text => said.push(text), 3)
  tell({ tag: 'a', config, prepare: () => assert.fail() }, null)
  tell(
    { tag: 'a', config, prepare: () => assert.fail() },
    result({ status: 'failed', failure, failureHead: 'line one\nline two' }),
  )
  tell({ tag: 'b', config, prepare: () => assert.fail() }, null)
  tell({ tag: 'b', config, prepare: () => assert.fail() }, result({ tag: 'b', origin: 'cache' }))
  assert.deepEqual(said, [
    '1/3 a …',
    '1/3 a failed in 1.5 s: allocator_infeasible: line one line two',
    '2/3 b …',
    '2/3 b succeeded taken from the cache',
  ])
})

test('milestoneTeller() passes on milestones only, each once in a row', () => {
  const said: string[] = []
  const tell = milestoneTeller(text => said.push(text.trim()))
  for (const line of [
    '[info] Starting Model Optimization',
    'noise',
    '[info] Starting Model Optimization',
    '[info] Model Optimization is done',
  ])
    tell(line)
  assert.deepEqual(said, ['Starting Model Optimization', 'Model Optimization is done'])
})

test('searchRows() keeps the reason short and leaves it out for cases that never ran', () => {
  const [failed, never] = searchRows([
    result({ status: 'failed', failureHead: 'x'.repeat(200) }),
    result({ status: 'not-reached', failureHead: 'not reached' }),
  ])
  assert.equal(failed!.why.length, 80)
  assert.equal(never!.why, '')
})

test('chooseKnob() asks the plan or the evidence, and does not propose a command that the script already holds', () => {
  const outcomes: CaseOutcome[] = [
    {
      config,
      harSuccess: true,
      hefSuccess: false,
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
  assert.equal(chooseKnob('plan', outcomes, setting).change, 'reduce hid_chan: 48 -> 32')
  const first = chooseKnob('evidence', outcomes, setting).change
  const command = /\w+\([^)]*\)/.exec(first)?.[0]
  assert.ok(command, first)
  assert.notEqual(chooseKnob('evidence', outcomes, { ...setting, scriptExtra: command }).change, first)
})
