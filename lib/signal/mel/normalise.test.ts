import assert from 'node:assert/strict'
import test from 'node:test'
import { normalisePerBin, scaleToLoudest } from './normalise.ts'

const spectrogram = (rows: readonly (readonly number[])[]) => ({
  bins: rows.length,
  frames: rows[0]!.length,
  data: Float32Array.from(rows.flat()),
})

test('scaleToLoudest lifts what lies too far below the loudest value', () => {
  const mel = spectrogram([
    [2, -10, -5],
    [0, -6, -6.5],
  ])
  scaleToLoudest(mel, { range: 8, shift: 4, scale: 4 })
  assert.deepEqual([...mel.data], [1.5, -0.5, -0.25, 1, -0.5, -0.5])
})

test('scaleToLoudest leaves NaN in sight', () => {
  const mel = spectrogram([[Number.NaN, 1]])
  scaleToLoudest(mel, { range: 8, shift: 4, scale: 4 })
  assert.deepEqual([...mel.data], [Number.NaN, 1.25])
})

test('normalisePerBin gives mean 0 and deviation 1 over the valid frames, and 0 behind them', () => {
  const mel = spectrogram([
    [1, 2, 3, 99],
    [5, 5, 5, 99],
  ])
  normalisePerBin(mel, { validFrames: 3, guard: 0 })
  assert.deepEqual([...mel.data.subarray(0, 4)], [-1, 0, 1, 0])
  normalisePerBin(mel, { validFrames: 1, guard: 1e-5 })
  assert.deepEqual([...mel.data.subarray(0, 4)], [0, 0, 0, 0])
})

test('normalisePerBin gives zeros when no frame is valid', () => {
  const mel = spectrogram([[1, 2]])
  normalisePerBin(mel, { validFrames: 0, guard: 1e-5 })
  assert.deepEqual([...mel.data], [0, 0])
})
