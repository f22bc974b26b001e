import assert from 'node:assert/strict'
import test from 'node:test'
import { asError, blockedError, exitNameOf, hasCode, RunbookError, usageError } from './errors.ts'

test('exitNameOf() is the error’s own exit when it is an operating error, and a bug for anything else', () => {
  assert.equal(exitNameOf(usageError('m', 'h')), 'usage')
  assert.equal(exitNameOf(blockedError('m', 'h')), 'blocked')
  for (const thrown of [new Error('x'), 'text', null, undefined]) assert.equal(exitNameOf(thrown), 'bug')
})

test('hasCode() is true only for an operating error with that code', () => {
  const full = new RunbookError('blocked', 'm', 'h', { code: 'ENOSPC' })
  assert.deepEqual([hasCode(full, 'ENOSPC'), hasCode(full, 'EROFS')], [true, false])
  assert.equal(hasCode(Object.assign(new Error('m'), { code: 'ENOSPC' }), 'ENOSPC'), false)
  assert.equal(hasCode(blockedError('m', 'h'), 'ENOSPC'), false)
})

test('RunbookError keeps its cause when one is given, and has none otherwise', () => {
  const cause = new Error('below')
  assert.equal(usageError('m', 'h', cause).cause, cause)
  assert.equal('cause' in usageError('m', 'h'), false)
})

test('asError() makes an Error of whatever was thrown', () => {
  const error = new Error('x')
  assert.equal(asError(error), error)
  assert.equal(asError('text').message, 'text')
})
