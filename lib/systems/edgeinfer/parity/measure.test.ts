import assert from 'node:assert/strict'
import test from 'node:test'
import { seededRandom } from '../../../base/random.ts'
import { measureParity } from './measure.ts'

const random = seededRandom(4)
/** Latents with a large constant part, 9 living dimensions and 55 that do not move. */
const want = Array.from({ length: 20 }, () =>
  Float32Array.from({ length: 64 }, (_, k) => 5 + (k < 9 ? random.next() - 0.5 : 0)),
)

test('measureParity finds nothing between equal latents', () => {
  const parity = measureParity(want, want)
  assert.ok(parity.cosineMin > 1 - 1e-9 && parity.centredCosineMin > 1 - 1e-9)
  assert.deepEqual([parity.maxAbs, parity.activeDimensions, parity.relativeErrorMax], [0, 9, 0])
})

test('measureParity shows in the centred cosine what the plain one hides', () => {
  const constant = want.map(() => new Float32Array(64).fill(5))
  const parity = measureParity(constant, want)
  assert.ok(parity.cosineMin > 0.99, 'the constant part alone passes the usual gate')
  assert.ok(parity.centredCosineMin < 0.5)
  assert.ok(parity.relativeErrorMax > 0.9)
})

test('measureParity names the worst window, and an answer that is not finite is the worst', () => {
  const got = want.map(row => row.slice())
  got[7]!.fill(0, 0, 32)
  assert.equal(measureParity(got, want).worst.window, 7)
  got[3]![5] = NaN
  const parity = measureParity(got, want)
  assert.equal(parity.worst.window, 3)
  assert.ok(Number.isNaN(parity.cosineMin) && Number.isNaN(parity.maxAbs))
})
