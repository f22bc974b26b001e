import assert from 'node:assert/strict'
import test from 'node:test'
import { float32, type Tensor } from '../../formats/tensors/tensor.ts'
import { compare } from '../../parity/compare.ts'
import { NemoMel, type NemoMelOptions } from '../../signal/mel/nemo.ts'
import { openGraph } from '../../testing/tdt/golden-models.ts'
import { authorPreprocessor } from './preprocessor.ts'

const nemo: NemoMelOptions = {
  sampleRate: 16000,
  fftSize: 512,
  windowSamples: 400,
  hopSamples: 160,
  bins: 128,
  preemphasis: 0.97,
  logGuard: 2 ** -24,
  normalize: 'per_feature',
  normalizeGuard: 1e-5,
}
const int64 = (...values: number[]): Tensor => ({
  dtype: 'int64',
  shape: [values.length],
  data: BigInt64Array.from(values, BigInt),
})
const sounds = {
  tones: (i: number) => 0.3 * Math.sin(i * 0.05) * Math.sin(i * 0.0007 + 1) + 0.02 * Math.sin(i * i * 0.003),
  noise: (i: number) => ((1e4 * Math.sin(12.9898 * (i + 1))) % 1) * 0.1,
  clicks: (i: number) => (i % 1601 === 7 ? 0.9 : 0),
}

test('authorPreprocessor() gives the features of the front end within 1e-4, alone and in a batch', async t => {
  for (const change of [{}, { bins: 80 }, { normalize: 'none' }, { preemphasis: 0 }] as Partial<NemoMelOptions>[]) {
    const options = { ...nemo, ...change }
    const graph = await openGraph(t, authorPreprocessor(options, { name: 'preprocessor' }))
    const mel = new NemoMel(options)
    for (const [name, sound] of Object.entries(sounds))
      for (const [length, total] of [
        [160, 160],
        [1601, 1601],
        [16000, 16000],
        [8123, 16000],
      ] as const) {
        const samples = Float32Array.from({ length }, (_, i) => sound(i))
        const waveforms = new Float32Array(total).fill(0.7)
        waveforms.set(samples)
        const got = await graph.infer({ waveforms: float32([1, total], waveforms), waveforms_lens: int64(length) })
        const want = mel.features(samples)
        const frames = 1 + Math.floor(total / 160)
        assert.deepEqual(got.features!.shape, [1, options.bins, frames])
        assert.equal(Number(got.features_lens!.data[0]), want.validFrames)
        const padded = new Float32Array(options.bins * frames)
        for (let b = 0; b < options.bins; b++)
          padded.set(want.data.subarray(b * want.frames, (b + 1) * want.frames), b * frames)
        const found = compare(got.features!.data as Float32Array, padded, { atol: 1e-4, rtol: 0 })
        assert.ok(found.isClose, `${JSON.stringify(change)} ${name} ${length} of ${total}: ${found.maxAbs}`)
      }
  }
})

test('authorPreprocessor() gives no frame that counts for no sound, and nothing that is no number', async t => {
  const graph = await openGraph(t, authorPreprocessor(nemo, { name: 'preprocessor' }))
  const { features, features_lens: lens } = await graph.infer({
    waveforms: float32([2, 200], new Float32Array(400)),
    waveforms_lens: int64(0, 159),
  })
  assert.deepEqual([...lens!.data].map(Number), [0, 0])
  assert.ok((features!.data as Float32Array).every(x => x === 0))
})
