import assert from 'node:assert/strict'
import test from 'node:test'
import { seededRandom } from '../../../base/random.ts'
import { StreamSelector } from './stream.ts'

const random = seededRandom(9)

test('StreamSelector chooses about its share of a stream, the uncertain part of it, and follows a change', () => {
  const selector = new StreamSelector({ share: 0.1, range: 3 })
  const run = (shift: number) => {
    let [count, sum] = [0, 0]
    for (let i = 0; i < 4000; i++) {
      const value = random.next() + shift
      if (selector.offer(value)) [count, sum] = [count + 1, sum + value - shift]
    }
    return { share: count / 4000, mean: sum / count }
  }
  for (const shift of [0, 2, 0.5]) {
    const { share, mean } = run(shift)
    assert.ok(Math.abs(share - 0.1) < 0.03, `${share}`)
    assert.ok(mean > 0.75, `${mean}`)
  }
})

test('StreamSelector chooses none for a share of 0, all for 1, its share where nothing is uncertain', () => {
  const chosen = (share: number, value: () => number) => {
    const selector = new StreamSelector({ share, range: 3 })
    return Array.from({ length: 2000 }, () => selector.offer(value())).filter(Boolean).length
  }
  assert.equal(
    chosen(0, () => 3),
    0,
  )
  assert.equal(
    chosen(1, () => random.next()),
    2000,
  )
  const ofNothing = chosen(0.02, () => 0)
  assert.ok(ofNothing >= 20 && ofNothing <= 80, `${ofNothing}`)
})
