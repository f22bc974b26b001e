import assert from 'node:assert/strict'
import test from 'node:test'
import { cutToSpeech, speechRegions } from './regions.ts'

const frames = { sampleRate: 1000, frameSamples: 100, totalSamples: 2000, padS: 0 }
const row = (text: string) => [...text].map(Number).map(value => value / 10)

test('speechRegions() bridges a short pause, and drops speech that is too short', () => {
  assert.deepEqual(speechRegions(row('09990999000009000000'), { ...frames, minSilenceS: 0.2 }), [
    { from: 100, to: 800 },
  ])
})

test('speechRegions() goes on while the probability is only a little below the threshold', () => {
  assert.deepEqual(speechRegions(row('09444490000000000000'), frames), [{ from: 100, to: 700 }])
})

test('speechRegions() ends speech that goes on to the end of the recording there', () => {
  assert.deepEqual(speechRegions(row('00000000000000000999'), { ...frames, totalSamples: 1950 }), [])
  assert.deepEqual(speechRegions(row('00000000000000009999'), { ...frames, totalSamples: 1950 }), [
    { from: 1600, to: 1950 },
  ])
})

test('speechRegions() pads within the recording, and two regions share the pause between them', () => {
  const regions = speechRegions(row('99900999000000000000'), { ...frames, padS: 0.3, minSilenceS: 0.1 })
  assert.deepEqual(regions, [
    { from: 0, to: 400 },
    { from: 400, to: 1100 },
  ])
})

test('speechRegions() finds nothing when there is nothing', () => {
  assert.deepEqual(speechRegions([], { ...frames, totalSamples: 0 }), [])
  assert.deepEqual(speechRegions(row('00000000000000000000'), frames), [])
  assert.deepEqual(speechRegions([NaN, NaN], frames), [])
})

test('cutToSpeech() joins regions, and gives every time back', () => {
  const samples = Float32Array.from({ length: 100 }, (_, i) => i)
  const cut = cutToSpeech(
    samples,
    [
      { from: 10, to: 20 },
      { from: 50, to: 80 },
    ],
    10,
  )
  assert.equal(cut.samples.length, 40)
  assert.deepEqual([cut.samples[9], cut.samples[10]], [19, 50])
  assert.equal(cut.originalSeconds(0, 'start'), 1)
  assert.equal(cut.originalSeconds(0.5, 'start'), 1.5)
  assert.equal(cut.originalSeconds(1, 'end'), 2, 'an end at the cut is before the pause')
  assert.equal(cut.originalSeconds(1, 'start'), 5, 'a start at the cut is behind the pause')
  assert.equal(cut.originalSeconds(4, 'end'), 8)
})

test('cutToSpeech() is empty when there is no speech', () => {
  const cut = cutToSpeech(new Float32Array(10), [], 10)
  assert.equal(cut.samples.length, 0)
  assert.equal(cut.originalSeconds(0, 'start'), 0)
})
