import assert from 'node:assert/strict'
import test from 'node:test'
import { memoryGrowth, warmUpRequests } from './memory.ts'

/** The growth that is found when memory follows the number of requests sent. */
async function growthOf(mbAfter: (requests: number) => number): Promise<{ growthMb: number; sent: number }> {
  let sent = 0
  const load = async (requests: number) => void (sent += requests)
  const { growthMb } = await memoryGrowth({ requests: 200_000, load, readMb: async () => mbAfter(sent) })
  return { growthMb, sent }
}

test('memoryGrowth finds a leak of 100 bytes a request, and none in a warm-up or in what comes and goes', async () => {
  const leak = await growthOf(requests => 150 + requests * 1e-4)
  assert.ok(Math.abs(leak.growthMb - 16) < 0.01, `${leak.growthMb}`)
  assert.equal(leak.sent, warmUpRequests + 200_000)
  assert.equal((await growthOf(requests => 150 + Math.min(requests, warmUpRequests) / 400)).growthMb, 0)
  const garbage = await growthOf(requests => 180 + ((requests / 10_000) % 3 === 0 ? 15 : 0))
  assert.equal(garbage.growthMb, 0)
})
