import assert from 'node:assert/strict'
import test from 'node:test'
import { deferred } from '../testing/deferred.ts'
import { Admission, Refusal, type AdmitOptions } from './admission.ts'

/** An admission on a clock of its own, and jobs that end when they are told to. */
function bench(o: { slots?: number; queueMax?: number } = {}) {
  let nowMs = 0
  const admission = new Admission({ slots: 1, queueMax: 2, firstEstimateMs: 10, now: () => nowMs, ...o })
  const job = (options: AdmitOptions = {}) => {
    const { promise, resolve } = deferred<void>()
    const outcome = admission.admit(waitedMs => promise.then(() => waitedMs), options)
    outcome.catch(() => {})
    return { end: resolve, outcome }
  }
  const settle = () => new Promise(resolve => setImmediate(resolve))
  return { admission, job, settle, pass: (ms: number) => (nowMs += ms) }
}

const refused = (reason: string) => (error: unknown) => error instanceof Refusal && error.reason === reason

test('admit runs as many at once as there are slots, and the rest in order', async () => {
  const { admission, job, settle, pass } = bench({ slots: 2 })
  const jobs = [job(), job(), job(), job()]
  assert.equal(admission.running, 2)
  assert.equal(admission.waiting, 2)
  pass(7)
  jobs[1]!.end()
  await settle()
  assert.equal(admission.waiting, 1)
  jobs[2]!.end()
  assert.equal(await jobs[2]!.outcome, 7)
  jobs[0]!.end()
  jobs[3]!.end()
  await Promise.all(jobs.map(({ outcome }) => outcome))
  assert.equal(admission.running, 0)
})

test('admit refuses with a time to try again when the queue is full', async () => {
  const { job } = bench()
  const jobs = [job(), job(), job()]
  await assert.rejects(
    job().outcome,
    (error: unknown) => refused('full')(error) && (error as Refusal).retryAfterS === 1,
  )
  for (const each of jobs) each.end()
  await Promise.all(jobs.map(({ outcome }) => outcome))
})

test('admit refuses at once what would be late, and never while a slot is free', async () => {
  const { job } = bench()
  const first = job({ deadlineMs: 0 })
  await assert.rejects(job({ deadlineMs: 19 }).outcome, refused('late'))
  const second = job({ deadlineMs: 20 })
  first.end()
  second.end()
  await Promise.all([first.outcome, second.outcome])
})

test('admit drops what became late while it waited, and serves the next one', async () => {
  const { job, pass } = bench()
  const first = job()
  const hurried = job({ deadlineMs: 25 })
  const patient = job()
  pass(30)
  first.end()
  await assert.rejects(hurried.outcome, refused('late'))
  patient.end()
  assert.equal(await patient.outcome, 30)
})

test('admit takes a request out of the queue when its client goes away', async () => {
  const { admission, job } = bench()
  const first = job()
  const controller = new AbortController()
  const waiting = job({ signal: controller.signal })
  assert.equal(admission.waiting, 1)
  controller.abort()
  await assert.rejects(waiting.outcome, refused('cancelled'))
  assert.equal(admission.waiting, 0)
  first.end()
  await first.outcome
  await assert.rejects(job({ signal: controller.signal }).outcome, refused('cancelled'))
})

test('admit frees the slot when the work throws', async () => {
  const { admission } = bench()
  await assert.rejects(
    admission.admit(() => Promise.reject(new Error('broken'))),
    /broken/,
  )
  assert.equal(await admission.admit(() => Promise.resolve(1)), 1)
})

test('the estimate follows the measured time of service', async () => {
  const { admission, job, settle, pass } = bench()
  for (let i = 0; i < 100; i++) {
    const each = job()
    await settle()
    pass(40)
    each.end()
    await each.outcome
  }
  assert.ok(Math.abs(admission.serviceMs - 40) < 0.1)
  const running = job()
  assert.ok(Math.abs(admission.waitMs - 40) < 0.1)
  running.end()
  await running.outcome
  assert.equal(admission.waitMs, 0)
})

test('drain refuses newcomers and resolves when all that was admitted is done', async () => {
  const { admission, job } = bench()
  const jobs = [job(), job()]
  let isDone = false
  const drained = admission.drain().then(() => (isDone = true))
  await assert.rejects(job().outcome, refused('draining'))
  jobs[0]!.end()
  await jobs[0]!.outcome
  assert.equal(isDone, false)
  jobs[1]!.end()
  await drained
  await new Admission({ slots: 1, queueMax: 0, firstEstimateMs: 1 }).drain()
})

test('admit takes a request out of the queue when the caller cancels it, and not once it has started', async () => {
  const { admission, job } = bench()
  const cancels: (() => void)[] = []
  const first = job({ onWait: cancel => cancels.push(cancel) })
  assert.equal(cancels.length, 0, 'it did not wait')
  const second = job({ onWait: cancel => cancels.push(cancel) })
  const third = job({ onWait: cancel => cancels.push(cancel) })
  cancels[0]!()
  await assert.rejects(second.outcome, refused('cancelled'))
  first.end()
  await first.outcome
  cancels[1]!()
  assert.equal(admission.running, 1)
  third.end()
  await third.outcome
  cancels[0]!()
  assert.equal(admission.running, 0)
})
