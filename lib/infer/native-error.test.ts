import assert from 'node:assert/strict'
import test from 'node:test'
import { FfiError } from '../../ffi/errors.ts'
import { RunbookError } from '../base/errors.ts'
import { operatingError } from './native-error.ts'

test('operatingError() gives each kind its exit, and keeps words and cause', () => {
  for (const [kind, exit] of [
    ['absent', 'blocked'],
    ['refused', 'blocked'],
    ['usage', 'usage'],
    ['status', 'fail'],
  ] as const) {
    const below = new FfiError(kind, 'Cannot open it', 'look again')
    const error = operatingError(below)
    assert.ok(error instanceof RunbookError)
    assert.deepEqual(
      [error.exit, error.message, error.hint, error.cause],
      [exit, 'Cannot open it', 'look again', below],
    )
  }
})

test('operatingError() takes other words where they are given, and leaves a bug alone', () => {
  const error = operatingError(new FfiError('usage', 'Cannot open it', 'look again'), ({ hint }) => ({
    hint: `${hint}, closely`,
  })) as RunbookError
  assert.deepEqual([error.message, error.hint], ['Cannot open it', 'look again, closely'])
  const bug = new TypeError('undefined is not a function')
  assert.equal(operatingError(bug), bug)
})
