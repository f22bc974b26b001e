import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { readNpz } from '../../formats/tensors/npz.ts'
import { dataPath, needsData } from '../../testing/needs.ts'
import { NemoMel, NemoMelStream, type NemoMelOptions } from './nemo.ts'

const options: NemoMelOptions = {
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
const speech = (length: number) =>
  Float32Array.from(
    { length },
    (_, i) => 0.3 * Math.sin(i * 0.05) * Math.sin(i * 0.0007) + 0.02 * Math.sin(i * i * 0.003),
  )
const apart = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  assert.equal(a.length, b.length)
  let worst = 0
  for (let i = 0; i < a.length; i++) worst = Math.max(worst, Math.abs(a[i]! - b[i]!))
  return worst
}

/** The definition in float64, number by number, without a fast transform. */
function oracle(samples: Float32Array): Float64Array {
  const { fftSize: n, windowSamples: w, hopSamples, bins } = options
  const y = Float64Array.from(samples, (x, i) =>
    Math.fround(x - Math.fround(Math.fround(0.97) * (samples[i - 1] ?? 0))),
  )
  const frames = 1 + Math.floor(samples.length / hopSamples)
  const mel = (hz: number) => (hz < 1000 ? (3 * hz) / 200 : 15 + (27 * Math.log(hz / 1000)) / Math.log(6.4))
  const hz = (m: number) => (m < 15 ? (200 * m) / 3 : 1000 * 6.4 ** ((m - 15) / 27))
  const edges = Array.from({ length: bins + 2 }, (_, i) => hz((i * mel(8000)) / (bins + 1)))
  const log = new Float64Array(bins * frames)
  for (let frame = 0; frame < frames; frame++) {
    const power = Array.from({ length: n / 2 + 1 }, (_, k) => {
      let [re, im] = [0, 0]
      for (let i = 0; i < w; i++) {
        const x = (y[frame * hopSamples - w / 2 + i] ?? 0) * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (w - 1)))
        const angle = (-2 * Math.PI * k * i) / n
        re += x * Math.cos(angle)
        im += x * Math.sin(angle)
      }
      return re * re + im * im
    })
    for (let bin = 0; bin < bins; bin++) {
      const [low, mid, high] = edges.slice(bin, bin + 3) as [number, number, number]
      const sum = power.reduce((total, p, k) => {
        const f = (k * 16000) / n
        return (
          total + p * Math.max(0, Math.min((f - low) / (mid - low), (high - f) / (high - mid))) * (2 / (high - low))
        )
      }, 0)
      log[bin * frames + frame] = Math.log(sum + 2 ** -24)
    }
  }
  const valid = Math.floor(samples.length / hopSamples)
  for (let bin = 0; bin < bins; bin++) {
    const row = log.subarray(bin * frames, bin * frames + frames)
    const mean = row.slice(0, valid).reduce((a, b) => a + b, 0) / valid
    const deviation = Math.sqrt(row.slice(0, valid).reduce((a, b) => a + (b - mean) ** 2, 0) / (valid - 1))
    for (let i = 0; i < frames; i++) row[i] = i < valid ? (row[i]! - mean) / (deviation + 1e-5) : 0
  }
  return log
}

test('NemoMel gives what the definition gives, to 1e-4', () => {
  for (const length of [1600, 2345]) {
    const samples = speech(length)
    assert.ok(apart(new NemoMel(options).features(samples).data, oracle(samples)) < 1e-4)
  }
})

test('NemoMel counts frames as NeMo does, also for no sound and for less than a frame', () => {
  const mel = new NemoMel(options)
  for (const [samples, frames, valid] of [
    [0, 1, 0],
    [159, 1, 0],
    [160, 2, 1],
    [16000, 101, 100],
  ] as const) {
    const features = mel.features(speech(samples))
    assert.deepEqual([features.frames, features.validFrames], [frames, valid])
    assert.ok(features.data.every(Number.isFinite))
  }
})

test("NemoMel gives NeMo's own features and log-mel", { skip: needsData('nemo/mel/short.npz') }, async () => {
  const golden = await readNpz(dataPath('nemo/mel/short.npz'))
  const names = new Set([...golden.keys()].map(key => key.replace(/\.\w+$/, '')))
  assert.ok(names.size >= 5)
  for (const name of names) {
    const of = (part: string) => golden.get(`${name}.${part}`)!.tensor().data as Float32Array
    const raw = new NemoMel({ ...options, normalize: 'none' }).features(of('audio'))
    assert.ok(apart(raw.data, of('logmel')) < 2.5e-3, name)
    // The float32 mean of a constant bin is off by a rounding, which the guard divides into anything.
    const isConstant = /silence|dc/.test(name)
    if (isConstant) continue
    const found = apart(new NemoMel(options).features(of('audio')).data, of('features'))
    assert.ok(found < (/chirp/.test(name) ? 1e-3 : 5e-4), `${name}: ${found}`)
  }
})

const fixture = 'mel/mel_reference.json'
test('NemoMel lies within 5e-4 of the fixture', { skip: needsData(fixture) }, () => {
  const { tests } = JSON.parse(readFileSync(dataPath(fixture), 'utf8'))
  const decoded = (text: string) => new Float32Array(new Uint8Array(Buffer.from(text, 'base64')).buffer)
  for (const [name, { audio, features }] of Object.entries<Record<string, string>>(tests)) {
    const got = new NemoMel(options).features(decoded(audio!))
    assert.ok(apart(got.data, decoded(features!)) < 5e-4, name)
  }
  assert.equal(Object.keys(tests).length, 4)
})

test('NemoMelStream gives the frames of the whole recording, however it is cut', () => {
  const mel = new NemoMel(options)
  const samples = speech(8123)
  const whole = mel.logMel(samples)
  for (const piece of [1, 159, 160, 777, 5000, 9000]) {
    const stream = new NemoMelStream(mel)
    const parts = []
    for (let at = 0; at < samples.length; at += piece) parts.push(stream.push(samples.subarray(at, at + piece)))
    parts.push(stream.end())
    assert.equal(stream.frames, Math.floor(samples.length / 160), String(piece))
    let frame = 0
    for (const part of parts)
      for (let f = 0; f < part.frames; f++, frame++)
        for (let bin = 0; bin < 128; bin += 17)
          assert.ok(
            Math.abs(part.data[bin * part.frames + f]! - whole.data[bin * whole.frames + frame]!) < 1e-4,
            `${piece} ${frame}`,
          )
  }
})

test('NemoMelStream gives nothing for no sound, and refuses sound after its end', () => {
  const stream = new NemoMelStream(new NemoMel(options))
  assert.equal(stream.end().frames, 0)
  assert.throws(() => stream.push(speech(10)), /has ended/)
})
