import assert from 'node:assert/strict'
import test from 'node:test'
import { Owned } from './owned.ts'

const closing = (said: string[], name: string, error?: Error) => ({
  [Symbol.asyncDispose]: async () => {
    said.push(name)
    if (error) throw error
  },
})

test('Owned.run() closes all, the last one first, when the work fails, and tells the error of the work', async () => {
  const said: string[] = []
  const work = new Owned().run(own => {
    own(closing(said, 'a', new Error('of closing')))
    own(null)
    own({ [Symbol.dispose]: () => void said.push('b') })
    throw new Error('of the work')
  })
  await assert.rejects(work, { message: 'of the work' })
  assert.deepEqual(said, ['b', 'a'])
})

test('Owned.run() closes the rest, and tells the first error, when closing fails', async () => {
  const said: string[] = []
  const work = new Owned().run(own => {
    own(closing(said, 'a', new Error('second')))
    own(closing(said, 'b', new Error('first')))
    own(closing(said, 'c'))
    return 1
  })
  await assert.rejects(work, { message: 'first' })
  assert.deepEqual(said, ['c', 'b', 'a'])
})

test('Owned.run() gives the value of the work, and closes each thing once when it runs again', async () => {
  const said: string[] = []
  const owned = new Owned()
  assert.equal(await owned.run(own => own(closing(said, 'a')) && 7), 7)
  assert.equal(await owned.run(() => 8), 8)
  assert.deepEqual(said, ['a'])
})
