import assert from 'node:assert/strict'
import test from 'node:test'
import { seededRandom } from './random.ts'

test('seededRandom gives the same numbers for a seed, spread evenly over [0, 1)', () => {
  const [one, again, other] = [seededRandom(1), seededRandom(1), seededRandom(2)]
  const numbers = Array.from({ length: 10_000 }, () => one.next())
  assert.deepEqual(
    numbers.slice(0, 5),
    Array.from({ length: 5 }, () => again.next()),
  )
  assert.notEqual(numbers[0], other.next())
  assert.ok(numbers.every(x => x >= 0 && x < 1))
  for (let decile = 0; decile < 10; decile++) {
    const count = numbers.filter(x => Math.floor(x * 10) === decile).length
    assert.ok(Math.abs(count - 1000) < 150, `${decile}: ${count}`)
  }
})

test('shuffled keeps every item once, and below stays below', () => {
  const random = seededRandom(3)
  const items = Array.from({ length: 50 }, (_, i) => i)
  const order = random.shuffled(items)
  assert.notDeepEqual(order, items)
  assert.deepEqual(
    order.toSorted((a, b) => a - b),
    items,
  )
  for (let i = 0; i < 1000; i++) assert.ok(random.below(7) < 7)
})
