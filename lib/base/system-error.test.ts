import assert from 'node:assert/strict'
import test from 'node:test'
import type { RunbookError } from './errors.ts'
import { shortageError } from './system-error.ts'

test('shortageError() makes an operating error of what the machine has no more of, and of nothing else', () => {
  for (const code of ['EMFILE', 'ENFILE', 'ENOMEM', 'ENOSPC', 'EROFS']) {
    const thrown = Object.assign(new Error(code), { code, syscall: 'open', path: '/x' })
    const error = shortageError(thrown) as RunbookError
    assert.deepEqual([error.exit, error.code, error.cause], ['blocked', code, thrown])
  }
  const memory = new RangeError('Array buffer allocation failed')
  assert.equal((shortageError(memory) as RunbookError).code, 'ENOMEM')
  const bad = Object.assign(new Error('ENOENT'), { code: 'ENOENT', path: '/x' })
  for (const other of [bad, new RangeError('Invalid typed array length: -1'), new TypeError('x'), undefined, 'words'])
    assert.equal(shortageError(other), other)
})
