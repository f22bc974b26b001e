import assert from 'node:assert/strict'
import test from 'node:test'
import { exhaustedCounter } from './candidates.ts'

test('exhaustedCounter() gives the counter that is furthest over its limit, or null', () => {
  assert.equal(
    exhaustedCounter([
      { name: 'a', used: 5, available: 4 },
      { name: 'b', used: 2, available: 1 },
    ])?.name,
    'b',
  )
  assert.equal(exhaustedCounter([{ name: 'a', used: 4, available: 4 }]), null)
  assert.equal(exhaustedCounter([{ name: 'a', used: 1, available: 0 }])?.name, 'a')
})
