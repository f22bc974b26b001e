import assert from 'node:assert/strict'
import test from 'node:test'
import { seededRandom } from '../base/random.ts'
import { SourceSound } from './source-sound.ts'

const noise = (seed: number, gain = 1) => {
  const random = seededRandom(seed)
  return Float32Array.from({ length: 4000 }, () => (random.next() - 0.5) * gain)
}
function measured(sources: readonly Float32Array[], mix = noise(1)) {
  const sound = new SourceSound(sources.length)
  for (let at = 0; at < mix.length; at += 1000)
    sound.push(
      mix.subarray(at, at + 1000),
      sources.map(source => source.subarray(at, at + 1000)),
    )
  return { quietestDb: sound.quietestDb(), likeness: sound.likeness() }
}

test('SourceSound tells two voices from each other, at any level', () => {
  const { quietestDb, likeness } = measured([noise(2), noise(3, 0.1)])
  assert.ok(Math.abs(quietestDb + 20) < 0.5, `${quietestDb}`)
  assert.ok(likeness! < 0.1)
})

test('SourceSound calls silence, a constant and what is next to nothing no sound', () => {
  const zeros = new Float32Array(4000)
  assert.deepEqual(measured([noise(2), zeros]), { quietestDb: -200, likeness: null })
  assert.ok(measured([noise(2), zeros.map(() => 0.25)]).quietestDb < -100)
  assert.ok(Math.abs(measured([noise(2), noise(3, 1e-6)]).quietestDb + 120) < 1)
})

test('SourceSound finds sources that are one another, whatever level, sign and offset they have', () => {
  for (const other of [noise(2), noise(2, 0.3), noise(2, -1), noise(2).map(value => value + 0.5)])
    assert.ok(measured([noise(2), other]).likeness! > 0.999_999)
})

test('SourceSound has no likeness for one source, and no sound where nothing was pushed', () => {
  assert.equal(measured([noise(2)]).likeness, null)
  assert.deepEqual([new SourceSound(2).quietestDb(), new SourceSound(2).likeness()], [-200, null])
})
