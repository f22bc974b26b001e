import assert from 'node:assert/strict'
import test from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { turnsDuring } from './event-loop.ts'

test('turnsDuring() counts no turn while a job holds the loop, and many while it waits elsewhere', async () => {
  const hold = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
  assert.equal(await turnsDuring(hold), 0)
  assert.equal(await turnsDuring(async () => hold()), 0)
  assert.ok((await turnsDuring(() => setTimeout(20))) > 5)
})

test('turnsDuring() passes on what the job throws, and stops counting', async () => {
  await assert.rejects(
    turnsDuring(() => Promise.reject(new Error('no'))),
    /no/,
  )
})
