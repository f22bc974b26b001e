import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { RunbookError } from '../../base/errors.ts'
import { readNpz } from '../../formats/tensors/npz.ts'
import { dataPath, needsData } from '../../testing/needs.ts'
import { MelFrontEnd, type MelOptions, type MelSpectrogram } from './mel.ts'
import { normalisePerBin, scaleToLoudest } from './normalise.ts'

const whisper: MelOptions = {
  sampleRate: 16000,
  fftSize: 400,
  windowSamples: 400,
  window: 'periodic',
  hopSamples: 160,
  bins: 80,
  minHz: 0,
  maxHz: 8000,
  preemphasis: 0,
  pad: 'reflect',
  lastFrame: 'dropped',
  log: { base: 10, atLeast: 1e-10 },
}
const nemo: MelOptions = {
  ...whisper,
  fftSize: 512,
  window: 'symmetric',
  bins: 128,
  preemphasis: 0.97,
  pad: 'zeros',
  lastFrame: 'kept',
  log: { base: 'e', plus: 2 ** -24 },
}
const whisperScale = { range: 8, shift: 4, scale: 4 }
const floats = (base64: string) => new Float32Array(Uint8Array.from(Buffer.from(base64, 'base64')).buffer)
const apart = (a: Float32Array, b: ArrayLike<number>) => {
  assert.equal(a.length, b.length)
  return a.reduce((worst, x, i) => Math.max(worst, Math.abs(x - b[i]!)), 0)
}
const jfk = () => {
  const bytes = readFileSync(dataPath('speech/jfk.wav'))
  const pcm = new Int16Array(Uint8Array.from(bytes.subarray(bytes.length - 352_000)).buffer)
  return Float32Array.from(pcm, value => value / 32768)
}

interface GoldenMel {
  shape: number[]
  mean: number
  std: number
  min: number
  max: number
  samples: [number, number, number][]
}
function agrees({ bins, frames, data }: MelSpectrogram, golden: GoldenMel): void {
  assert.deepEqual([bins, frames], golden.shape)
  for (const [bin, frame, want] of golden.samples) {
    assert.ok(Math.abs(data[bin * frames + frame]! - want) < 1e-5, `bin ${bin}, frame ${frame}`)
  }
  const mean = data.reduce((sum, x) => sum + x, 0) / data.length
  assert.ok(Math.abs(mean - golden.mean) < 1e-5)
  assert.ok(Math.abs(Math.sqrt(data.reduce((sum, x) => sum + (x - mean) ** 2, 0) / data.length) - golden.std) < 1e-5)
  assert.ok(Math.abs(Math.min(...data.subarray(0, frames)) - golden.min) < 1 && golden.max < 3)
}

const goldenJfk = 'whisper/goldens/golden-jfk.json'
test(
  "MelFrontEnd gives Whisper's goldens of a recording, padded to 30 s and by 30 s",
  { skip: needsData(goldenJfk) },
  () => {
    const { mel } = JSON.parse(readFileSync(dataPath(goldenJfk), 'utf8')) as { mel: Record<string, GoldenMel> }
    const front = new MelFrontEnd(whisper)
    const samples = jfk()
    for (const [name, trailingZeros] of [
      ['pad30', 480_000 - samples.length],
      ['transcribe_full', 480_000],
    ] as const) {
      const spectrogram = front.spectrogram(samples, { trailingZeros })
      scaleToLoudest(spectrogram, whisperScale)
      agrees(spectrogram, mel[name]!)
    }
  },
)

test("MelFrontEnd gives NeMo's own log-mel and features", { skip: needsData('nemo/mel/short.npz') }, async () => {
  const arrays = await readNpz(dataPath('nemo/mel/short.npz'))
  const front = new MelFrontEnd(nemo)
  const names = [...arrays.keys()].filter(name => name.endsWith('.audio')).map(name => name.slice(0, -6))
  assert.ok(names.length >= 7)
  for (const name of names) {
    const audio = arrays.get(`${name}.audio`)!.tensor().data as Float32Array
    const spectrogram = front.spectrogram(audio)
    const validFrames = Math.floor(audio.length / nemo.hopSamples)
    // NeMo sets what lies behind the valid frames to 0 in its log-mel too.
    const valid = { ...spectrogram, data: spectrogram.data.slice() }
    for (let bin = 0; bin < 128; bin++) {
      valid.data.fill(0, bin * valid.frames + validFrames, (bin + 1) * valid.frames)
    }
    assert.ok(apart(valid.data, arrays.get(`${name}.logmel`)!.tensor().data as Float32Array) < 3e-3, name)
    normalisePerBin(spectrogram, { validFrames, guard: 1e-5 })
    // In digital silence the features are the rounding of a float32 mean, and nothing else.
    if (name === 'silence') continue
    assert.ok(apart(spectrogram.data, arrays.get(`${name}.features`)!.tensor().data as Float32Array) < 1e-3, name)
  }
})

test(
  'MelFrontEnd gives the features of an exported NeMo front end',
  { skip: needsData('mel/mel_reference.json') },
  () => {
    const { tests } = JSON.parse(readFileSync(dataPath('mel/mel_reference.json'), 'utf8')) as {
      tests: Record<string, { audio: string; features: string; featuresLen: number }>
    }
    for (const [name, { audio, features, featuresLen }] of Object.entries(tests)) {
      const spectrogram = new MelFrontEnd(nemo).spectrogram(floats(audio))
      normalisePerBin(spectrogram, { validFrames: featuresLen, guard: 1e-5 })
      assert.ok(apart(spectrogram.data, floats(features)) < 5e-4, name)
    }
  },
)

test('MelFrontEnd puts a pure tone into one bin, and silence at the guard', () => {
  const tone = Float32Array.from({ length: 16000 }, (_, i) => Math.sin((2 * Math.PI * 440 * i) / 16000))
  const { bins, frames, data } = new MelFrontEnd(whisper).spectrogram(tone, { trailingZeros: 16000 })
  assert.equal(frames, 200)
  const at = (frame: number) => Array.from({ length: bins }, (_, bin) => data[bin * frames + frame]!)
  // 440 Hz is 6.6 mel; the middles of the bins lie 0.5589 mel apart, and the first is bin 0.
  assert.equal(at(50).indexOf(Math.max(...at(50))), 11)
  assert.deepEqual([...new Set(at(150))], [-10])
})

test('MelFrontEnd gives the same frames when zeros are real samples and when they are told', () => {
  const noise = Float32Array.from({ length: 4000 }, (_, i) => Math.sin(i * i))
  const real = new Float32Array(9000)
  real.set(noise)
  const front = new MelFrontEnd(whisper)
  assert.deepEqual(front.spectrogram(noise, { trailingZeros: 5000 }), front.spectrogram(real))
  assert.equal(front.spectrogram(real).frames, front.framesOf(9000))
})

test('MelFrontEnd keeps a NaN in sight, and refuses a sound that is too short to reflect', () => {
  const front = new MelFrontEnd(whisper)
  const broken = Float32Array.from({ length: 800 }, (_, i) => (i === 100 ? Number.NaN : 0.1))
  assert.ok(front.spectrogram(broken).data.includes(Number.NaN))
  assert.throws(() => front.spectrogram(new Float32Array(200)), RunbookError)
  assert.throws(() => front.spectrogram(new Float32Array(0)), RunbookError)
  assert.equal(front.spectrogram(new Float32Array(201)).frames, 1)
  assert.equal(new MelFrontEnd(nemo).spectrogram(new Float32Array(0)).frames, 1)
})

test('MelFrontEnd refuses a window longer than its transform, and a hop that is no whole number', () => {
  assert.throws(() => new MelFrontEnd({ ...whisper, windowSamples: 401 }), RunbookError)
  assert.throws(() => new MelFrontEnd({ ...whisper, hopSamples: 0 }), RunbookError)
  assert.throws(() => new MelFrontEnd({ ...whisper, hopSamples: 1.5 }), RunbookError)
})
