import assert from 'node:assert/strict'
import test from 'node:test'
import { fourWaySwap } from './swap.ts'

const sum = (left: number, right: number) => Promise.resolve(left + 10 * right)
const side = (left: number, right: number, join = sum) => ({ left, right, join })
const isSame = (a: number, b: number) => a === b

test('fourWaySwap() names the component that changes the answer by itself', async () => {
  const reference = side(1, 2)
  const guilty = async (candidate: typeof reference) => (await fourWaySwap({ reference, candidate, isSame })).guilty
  assert.deepEqual(await guilty(side(1, 2)), [])
  assert.deepEqual(await guilty(side(3, 2)), ['left'])
  assert.deepEqual(await guilty(side(1, 4)), ['right'])
  assert.deepEqual(await guilty(side(1, 2, async (l, r) => (await sum(l, r)) + 1)), ['join'])
  assert.deepEqual(await guilty(side(3, 4)), ['left', 'right'])
})
