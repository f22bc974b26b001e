import assert from 'node:assert/strict'
import test from 'node:test'
import { failureFrom } from './judged-failure.ts'

test('failureFrom() keeps to one line of 500 characters and says how far the log came', () => {
  const log = '[info] Restored ONNX model net\n'
  const failure = failureFrom('har_build_failed_unspecified', { evidence: `no\nHAR ${'x'.repeat(900)}`, log })
  assert.equal(failure.evidence.length, 500)
  assert.ok(!failure.evidence.includes('\n'))
  assert.equal(failure.milestone, 'Restored ONNX model net')
  assert.equal(failure.exceptionType, 'HARBuildFailed')
  assert.equal(failure.isInfeasible, false)
})
