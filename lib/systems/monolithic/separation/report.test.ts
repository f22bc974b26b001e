import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { judge } from '../../../notebook/run/gates.ts'
import type { Gate } from '../../../notebook/run/session.ts'
import { forked, modelFile, scratch, tinyModel, voice, wavFile } from '../../../testing/infer/fixtures.ts'
import { modelFacts } from './model-facts.ts'
import { separateRecording, type RuntimeMetrics, type SeparationJob } from './separate-recording.ts'
import { failureHint, gateSeparation, showSeparation } from './report.ts'

async function separated(over: Partial<SeparationJob> = {}) {
  const modelPath = over.modelPath ?? tinyModel()
  return separateRecording({
    modelPath,
    backend: 'ort',
    recording: { mix: wavFile([voice(1500)]), references: null, from: 'MIX_WAV' },
    folder: scratch(),
    ...modelFacts(modelPath),
    signal: new AbortController().signal,
    ...over,
  })
}
const drawn = async (...given: Parameters<typeof showSeparation>) =>
  Promise.all(showSeparation(...given).map(display => display.render()))

/** A gate that keeps what it judged. */
function gateOf() {
  const judged: ReturnType<typeof judge>[] = []
  const gate = (...[name, value, bound, o]: Parameters<Gate>) =>
    judged[judged.push(judge(name, value, bound, o)) - 1]!.status === 'pass'
  return { judged, gate: Object.assign(gate, { blocked: () => {} }) as Gate }
}
const sound = {
  input_samples: 10,
  output_samples: 10,
  sources: 2,
  clipped_samples: 0,
  rtf: 0.1,
  mixture_consistency_db: 40,
  quietest_source_db: -6,
  source_likeness: 0.5,
} as RuntimeMetrics
const bounds = { rtfMax: 1, clippedShareMax: 0.001, sourceDbMin: -60, likenessMax: 0.999_999, mixtureDbMin: 30 }

test('showSeparation() shows the numbers, then a player and a spectrogram for each file', async () => {
  const outputs = await drawn(await separated())
  assert.deepEqual(
    outputs.map(({ kind, title }) => `${kind} ${title}`),
    [
      'table runtime',
      'audio mix.wav',
      'image spectrogram of mix',
      'audio sep_src1.wav',
      'image spectrogram of sep_src1',
      'audio sep_src2.wav',
      'image spectrogram of sep_src2',
    ],
  )
  assert.match(outputs[0]!.text, /device\s+cpu \(ONNX Runtime/)
  assert.match(outputs[0]!.text, /windows\s+\d+ of 400 samples, 32 dropped at inner edges/)
  assert.match(outputs[0]!.text, /resampling\s+none, already 16000 Hz/)
  assert.match(outputs[1]!.text, /0\.09 s, 16000 Hz, mono, pcm16/)
  assert.match(outputs[2]!.html ?? '', /data:image\/png/)
})

test('showSeparation() shows no number that is not there', async () => {
  const all = (await drawn(await separated())).map(({ text }) => text).join('\n')
  assert.doesNotMatch(all, /NaN|undefined|null|Infinity/)
  assert.doesNotMatch(all, /against the references|SI-SDR|inputs fed zeros/)
})

test('showSeparation() shows the scores with which source answers which reference', async () => {
  const [a, b] = [voice(1500), voice(1500, 11)]
  const references = [a, b].map(samples => wavFile([samples], { encoding: 'float32' }))
  const mix = wavFile([a.map((value, i) => value + b[i]!)], { encoding: 'float32' })
  const done = await separated({ recording: { mix, references, from: 'MIX_WAV' } })
  const scores = (await drawn(done)).find(({ title }) => title === 'against the references')!
  for (const t of [0, 1])
    assert.match(scores.text, new RegExp(`s${t + 1}\\s+sep_src${done.metrics.permutation![t]! + 1}`))
})

test('showSeparation() names the inputs that were fed zeros', async () => {
  const done = await separated({
    modelPath: modelFile(forked(400)),
    input: 'sound',
    output: 'quiet',
    haloFrames: 0,
  })
  assert.match((await drawn(done))[0]!.text, /inputs fed zeros\s+bias/)
})

test('showSeparation() links sound that is too large for the page from where the report stands', async () => {
  const folder = scratch()
  const done = await separated({
    folder,
    recording: { mix: wavFile([voice(1_100_000)]), references: null, from: 'MIX_WAV' },
    modelPath: tinyModel({ inputLen: 16_000 }),
  })
  const [, player] = await drawn(done, { runFolder: join(folder, 'runs/1') })
  assert.match(player!.html ?? '', /href="\.\.\/\.\.\/mix\.wav"/)
  const [, beside] = await drawn(done)
  assert.match(beside!.html ?? '', /href="mix\.wav"/)
})

test('gateSeparation() passes a sound separation, and says so', () => {
  const { judged, gate } = gateOf()
  assert.equal(gateSeparation(gate, sound, bounds), true)
  assert.deepEqual(
    judged.map(({ name, status }) => `${name} ${status}`),
    [
      'separated samples pass',
      'real-time factor pass',
      'share of clipped samples pass',
      'quietest source pass',
      'likeness of two sources pass',
      'sources add up to the mixture pass',
    ],
  )
})

test('gateSeparation() judges the sum only where the weights promise one', () => {
  const { judged, gate } = gateOf()
  assert.equal(gateSeparation(gate, { ...sound, mixture_consistency_db: -3 }, { ...bounds, mixtureDbMin: null }), true)
  assert.equal(judged.length, 5)
})

test('gateSeparation() fails, and says so, for lost samples, slowness, silence, copies, a poor sum and NaN', () => {
  const bad: Partial<RuntimeMetrics>[] = [
    { output_samples: 11 },
    { rtf: 1.01 },
    { rtf: Number.NaN },
    { mixture_consistency_db: 29.9 },
    { mixture_consistency_db: Number.NaN },
    { clipped_samples: 1000 },
    { quietest_source_db: -200 },
    { quietest_source_db: -60.1 },
    { source_likeness: 1 },
  ]
  for (const over of bad) {
    const { judged, gate } = gateOf()
    assert.equal(gateSeparation(gate, { ...sound, ...over }, bounds), false, JSON.stringify(over))
    assert.equal(judged.filter(({ status }) => status === 'fail').length, 1)
    assert.equal(judged.length, 6, 'every gate is judged, also after one has failed')
  }
})

test('failureHint() blames the recording, the model or the rung, whichever it was', () => {
  const loud = { ...sound, clipped_samples: 9, mix_clipped_samples: 3, mix_wav: 'my mix.wav' }
  assert.match(failureHint(loud, bounds), /recording itself .*: ffmpeg -i 'my mix\.wav' -filter:a volume=-24dB/)
  assert.match(failureHint({ ...sound, quietest_source_db: -200 }, bounds), /answers no separate sound/)
  assert.match(failureHint({ ...sound, source_likeness: 1 }, bounds), /answers no separate sound/)
  assert.equal(failureHint({ ...sound, clipped_samples: 9, mix_clipped_samples: 0 }, bounds), 'choose another rung')
})
