import assert from 'node:assert/strict'
import test from 'node:test'
import { allDone, orUndo } from './jobs.ts'

test('orUndo() gives what the job gives, and undoes nothing then', async () => {
  let undone = 0
  assert.equal(
    await orUndo(
      async () => 7,
      async () => undone++,
    ),
    7,
  )
  assert.equal(undone, 0)
})

test('orUndo() undoes after a failure, and tells the first one also when undoing fails', async () => {
  const said: string[] = []
  const job = orUndo(
    () => Promise.reject(new Error('first')),
    async () => {
      said.push('undone')
      throw new Error('second')
    },
  )
  await assert.rejects(job, /^Error: first$/)
  assert.deepEqual(said, ['undone'])
})

test('allDone() waits for every job, and then tells the first that failed', async () => {
  let ended = 0
  const later = (ms: number, message?: string) =>
    new Promise<number>((resolve, reject) =>
      setTimeout(() => {
        ended++
        if (message) reject(new Error(message))
        else resolve(ms)
      }, ms),
    )
  assert.deepEqual(await allDone([later(3), later(1)]), [3, 1])
  await assert.rejects(allDone([later(20), later(10, 'first in line'), later(1, 'first in time')]), /first in line/)
  assert.equal(ended, 5)
})
