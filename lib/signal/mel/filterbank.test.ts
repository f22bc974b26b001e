import assert from 'node:assert/strict'
import test from 'node:test'
import { RunbookError } from '../../base/errors.ts'
import { readNpz } from '../../formats/tensors/npz.ts'
import { dataPath, needsData } from '../../testing/needs.ts'
import { hzFromMel, melFromHz, slaneyFilterbank, type Filterbank } from './filterbank.ts'

const dense = ({ bins, rows, first, offset, weights }: Filterbank) => {
  const full = new Float64Array(bins * rows)
  for (let bin = 0; bin < bins; bin++) {
    full.set(weights.subarray(offset[bin], offset[bin + 1]), bin * rows + first[bin]!)
  }
  return full
}
const apart = (a: Float64Array, b: ArrayLike<number>) =>
  a.reduce((worst, x, i) => Math.max(worst, Math.abs(x - b[i]!)), 0)

test('melFromHz is linear below 1 kHz, and hzFromMel undoes it', () => {
  assert.equal(melFromHz(0), 0)
  assert.ok(Math.abs(melFromHz(500) - 7.5) < 1e-12)
  assert.ok(Math.abs(melFromHz(6400) - 42) < 1e-12)
  for (const hz of [0, 20, 999, 1000, 1001, 8000]) assert.ok(Math.abs(hzFromMel(melFromHz(hz)) - hz) < 1e-9)
})

test('slaneyFilterbank gives triangles of area 1 when the transform is fine enough to see them', () => {
  const bank = slaneyFilterbank({ sampleRate: 16000, fftSize: 16000, bins: 40, minHz: 0, maxHz: 8000 })
  for (let bin = 0; bin < 40; bin++) {
    const area = bank.weights.subarray(bank.offset[bin], bank.offset[bin + 1]).reduce((sum, w) => sum + w, 0)
    assert.ok(Math.abs(area - 1) < 1e-3, `bin ${bin}: ${area}`)
  }
})

test(
  "slaneyFilterbank equals the filters that Whisper's authors ship",
  { skip: needsData('whisper/mel_filters.npz') },
  async () => {
    const shipped = await readNpz(dataPath('whisper/mel_filters.npz'))
    for (const bins of [80, 128]) {
      const bank = slaneyFilterbank({ sampleRate: 16000, fftSize: 400, bins, minHz: 0, maxHz: 8000 })
      const want = shipped.get(`mel_${bins}`)!.tensor()
      assert.deepEqual(want.shape, [bins, 201])
      assert.ok(apart(dense(bank), want.data as Float32Array) < 5e-9)
    }
  },
)

test("slaneyFilterbank equals NeMo's own filters", { skip: needsData('nemo/mel/constants.npz') }, async () => {
  const want = (await readNpz(dataPath('nemo/mel/constants.npz'))).get('filterbank')!.tensor()
  const bank = slaneyFilterbank({ sampleRate: 16000, fftSize: 512, bins: 128, minHz: 0, maxHz: 8000 })
  assert.ok(apart(dense(bank), want.data as Float32Array) < 5e-7)
})

test('slaneyFilterbank refuses bins and frequencies that make no sense', () => {
  const good = { sampleRate: 16000, fftSize: 400, bins: 80, minHz: 0, maxHz: 8000 }
  for (const bad of [
    { bins: 0 },
    { bins: 1.5 },
    { maxHz: 8001 },
    { minHz: -1 },
    { minHz: 8000 },
    { maxHz: Number.NaN },
  ]) {
    assert.throws(() => slaneyFilterbank({ ...good, ...bad }), RunbookError, JSON.stringify(bad))
  }
})
