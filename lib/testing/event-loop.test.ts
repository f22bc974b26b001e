import assert from 'node:assert/strict'
import { performance } from 'node:perf_hooks'
import test from 'node:test'
import { blockedMs } from './event-loop.ts'

const block = (ms: number) => {
  const untilMs = performance.now() + ms
  while (performance.now() < untilMs);
}

test('blockedMs() finds a job that blocks each time, wherever in it that is', async () => {
  assert.ok((await blockedMs(() => block(40), { repeats: 2 })) >= 35)
  assert.ok(
    (await blockedMs(() => new Promise<void>(resolve => setTimeout(() => resolve(block(40)), 10)), { repeats: 2 })) >=
      35,
  )
})

test('blockedMs() passes over a stand-still that one run had, and a job that only waits', async () => {
  let runs = 0
  assert.ok((await blockedMs(() => runs++ === 0 && block(60))) < 35)
  assert.ok((await blockedMs(() => new Promise(resolve => setTimeout(resolve, 60)))) < 35)
})
