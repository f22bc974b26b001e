import assert from 'node:assert/strict'
import test from 'node:test'
import { classifyFailure } from '../failure/classify.ts'
import { caseTeller, milestoneTeller, searchRows } from './report.ts'
import { noFiles, type CaseResult } from './types.ts'

const config = { width: 64 }
const failure = classifyFailure(
  'No successful assignments: conv1 errors:\n\tAgent infeasible\nBackendAllocatorException: x',
)
const result = (change: Partial<CaseResult>): CaseResult => ({
  tag: 'a',
  config,
  status: 'succeeded',
  stage: 'compiled',
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
  const tell = caseTeller({ print: text => said.push(text), note: text => said.push(`(${text})`) }, 3)
  tell({ tag: 'a', config, prepare: () => assert.fail() }, null)
  tell(
    { tag: 'a', config, prepare: () => assert.fail() },
    result({ status: 'failed', failure, failureHead: 'line one\nline two' }),
  )
  tell({ tag: 'b', config, prepare: () => assert.fail() }, null)
  tell({ tag: 'b', config, prepare: () => assert.fail() }, result({ tag: 'b', origin: 'cache' }))
  assert.deepEqual(said, [
    '(1/3 a …)',
    '1/3 a failed in 1.5 s: allocator_infeasible: line one line two',
    '(2/3 b …)',
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
