import assert from 'node:assert/strict'
import test from 'node:test'
import { Turns, interruption } from './async.ts'

/** A job that ends when it is told to. */
function job() {
  let end!: () => void
  const ended = new Promise<void>(resolve => (end = resolve))
  return { end, ended }
}

test('Turns.take() begins at once when nothing is under way', () => {
  let begun = false
  void new Turns().take(() => void (begun = true))
  assert.ok(begun)
})

test('Turns.take() runs jobs one after another in their order when they are asked for together', async () => {
  const turns = new Turns()
  const said: string[] = []
  const first = job()
  const taken = [
    turns.take(async () => {
      said.push('a begins')
      await first.ended
      said.push('a ends')
    }),
    turns.take(() => void said.push('b')),
    turns.take(() => void said.push('c')),
  ]
  assert.deepEqual([turns.waiting, turns.isIdle], [2, false])
  first.end()
  await Promise.all(taken)
  assert.deepEqual(said, ['a begins', 'a ends', 'b', 'c'])
  assert.deepEqual([turns.waiting, turns.isIdle], [0, true])
})

test('Turns.take() keeps the order of asking when a job asks for another', async () => {
  const turns = new Turns()
  const said: number[] = []
  const add = (n: number): Promise<void> =>
    turns.take(async () => {
      said.push(n)
      if (n < 5) void add(n + 5)
    })
  await Promise.all([1, 2, 3].map(add))
  await turns.settled()
  assert.deepEqual(said, [1, 6, 2, 3, 7, 8])
})

test('Turns.take() rejects only the job that fails, thrown or rejected, and the next one runs', async () => {
  const turns = new Turns()
  const thrown = turns.take(() => {
    throw new Error('thrown')
  })
  const rejected = turns.take(() => Promise.reject(new Error('rejected')))
  const third = turns.take(() => 3)
  await assert.rejects(thrown, /thrown/)
  await assert.rejects(rejected, /rejected/)
  assert.equal(await third, 3)
  await turns.settled()
})

test('interruption() quotes the reason of its signal when that is text', () => {
  const error = interruption('compile', AbortSignal.abort('SIGTERM'))
  assert.deepEqual([error.exit, error.message], ['interrupted', 'Cannot compile: interrupted (SIGTERM)'])
  assert.equal(interruption('run', AbortSignal.abort()).message, 'Cannot run: interrupted')
})
