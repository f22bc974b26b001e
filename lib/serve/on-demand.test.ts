import assert from 'node:assert/strict'
import test from 'node:test'
import { deferred } from '../testing/deferred.ts'
import { OnDemand } from './on-demand.ts'

function counted(keepAliveS: number, o: { failures?: number } = {}) {
  const seen = { opened: 0, closed: 0, open: 0, mostOpen: 0 }
  let failures = o.failures ?? 0
  const value = new OnDemand<string>({
    keepAliveS,
    async open() {
      await new Promise(resolve => setImmediate(resolve))
      if (failures-- > 0) throw new Error('no weights')
      seen.opened++
      seen.mostOpen = Math.max(seen.mostOpen, ++seen.open)
      return `model ${seen.opened}`
    },
    async close() {
      await new Promise(resolve => setImmediate(resolve))
      seen.closed++
      seen.open--
    },
  })
  return { value, seen }
}
const turn = () => new Promise(resolve => setImmediate(resolve))

test('OnDemand opens once for many users at a time, and keeps it when keepAliveS is -1', async () => {
  const { value, seen } = counted(-1)
  assert.equal(value.isOpen, false)
  const names = await Promise.all([1, 2, 3].map(() => value.use(async name => name)))
  assert.deepEqual(names, ['model 1', 'model 1', 'model 1'])
  await turn()
  assert.deepEqual([seen.opened, seen.closed, value.isOpen], [1, 0, true])
  await value.close()
  assert.deepEqual([seen.closed, value.isOpen], [1, false])
})

test('OnDemand closes after the last of several users when keepAliveS is 0, and never under one', async () => {
  const { value, seen } = counted(0)
  const gate = deferred<void>()
  const slow = value.use(async () => await gate.promise)
  await value.use(async () => {})
  assert.equal(seen.closed, 0)
  gate.resolve()
  await slow
  for (let i = 0; i < 5; i++) await turn()
  assert.deepEqual([seen.opened, seen.closed, value.isOpen], [1, 1, false])
})

test('OnDemand never holds two at once, however uses and closings fall together', async () => {
  const { value, seen } = counted(0)
  for (let round = 0; round < 50; round++) {
    await Promise.all([value.use(async () => await turn()), turn().then(() => value.use(async () => {}))])
    if (round % 3 === 0) await turn()
  }
  await value.close()
  assert.equal(seen.mostOpen, 1)
  assert.equal(seen.opened, seen.closed)
})

test('OnDemand closes an idle one after its time, and a use before that keeps it', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { value, seen } = counted(10)
  await value.use(async () => {})
  t.mock.timers.tick(9000)
  await value.use(async () => {})
  t.mock.timers.tick(9000)
  assert.equal(value.isOpen, true)
  t.mock.timers.tick(1000)
  assert.equal(value.isOpen, false)
  for (let i = 0; i < 5; i++) await turn()
  assert.equal(seen.closed, 1)
})

test('OnDemand tells a failed opening to all who waited, and tries again at the next use', async () => {
  const { value, seen } = counted(-1, { failures: 1 })
  const results = await Promise.allSettled([value.use(async () => 1), value.use(async () => 2)])
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  assert.equal(await value.use(async name => name), 'model 1')
  assert.equal(seen.opened, 1)
  await value.close()
})

test('OnDemand refuses a use after it was closed for good, and lets those before it end', async () => {
  const { value, seen } = counted(-1)
  const gate = deferred<void>()
  const slow = value.use(async () => await gate.promise)
  const closing = value.close()
  await assert.rejects(
    value.use(async () => {}),
    /closed for good/,
  )
  assert.equal(seen.closed, 0)
  gate.resolve()
  await Promise.all([slow, closing])
  assert.equal(seen.closed, 1)
})
