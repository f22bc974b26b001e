import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { readNpz } from '../../formats/tensors/npz.ts'
import { readWav } from '../../formats/wav/index.ts'
import { dataPath, needsData } from '../../testing/needs.ts'
import { featuresByDefinition } from './definition.ts'
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

test('NemoMel gives what the definition gives, to 1e-4', () => {
  for (const length of [1600, 2345]) {
    const samples = speech(length)
    assert.ok(apart(new NemoMel(options).features(samples).data, featuresByDefinition(samples, options)) < 1e-4)
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

test("NemoMel gives NeMo's long clips and padded batches", { skip: needsData('nemo/mel/mel.json') }, async () => {
  const { long, batch } = JSON.parse(readFileSync(dataPath('nemo/mel/mel.json'), 'utf8'))
  const mel = new NemoMel(options)
  const jfk = long.find(({ name }: { name: string }) => name === 'jfk')
  const samples = readWav(dataPath('speech/jfk.wav')).channels[0]!
  const got = mel.features(samples)
  assert.deepEqual([got.frames, got.validFrames, samples.length], [jfk.frames, jfk.valid_frames, jfk.samples])
  assert.ok(jfk.samples_bin_frame_value.length >= 100)
  for (const [bin, frame, value] of jfk.samples_bin_frame_value)
    assert.ok(Math.abs(got.data[bin * got.frames + frame]! - value) < 5e-4, `${bin} ${frame}`)
  const padded = await readNpz(dataPath('nemo/mel/batch.npz'))
  const clips = await readNpz(dataPath('nemo/mel/short.npz'))
  const features = padded.get('features')!.tensor()
  const frames = features.shape[2]!
  for (const [i, name] of (batch.items as string[]).entries()) {
    const alone = mel.features(clips.get(`${name}.audio`)!.tensor().data as Float32Array)
    assert.equal(BigInt(alone.validFrames), padded.get('lengths')!.tensor().data[i])
    for (let bin = 0; bin < 128; bin += 9)
      for (let f = 0; f < alone.validFrames; f++) {
        const want = (features.data as Float32Array)[(i * 128 + bin) * frames + f]!
        assert.ok(Math.abs(alone.data[bin * alone.frames + f]! - want) < 1e-3, `${name} ${bin} ${f}`)
      }
  }
})
