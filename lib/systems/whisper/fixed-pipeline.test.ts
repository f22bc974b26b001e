import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { dataPath, needsData } from '../../testing/needs.ts'
import { needsWhisper } from '../../testing/whisper/models.ts'
import { decodeAudio } from '../../signal/decode-audio.ts'
import { wordErrors } from '../../speech/word-error.ts'
import { exportFixed } from './export.ts'
import { openFixedWhisper, selfTestFixed } from './fixed-pipeline.ts'
import { openTranscriber } from './model.ts'
import { storeFolder, weightsFolder } from './store.ts'

const skip = needsWhisper('tiny.en')
let exported: string | undefined
const folder = () => {
  if (exported === undefined) {
    exported = join(mkdtempSync(join(tmpdir(), 'fixed-')), 'graphs')
    exportFixed({ name: 'tiny.en', from: weightsFolder(storeFolder(), 'tiny.en'), to: exported })
  }
  return exported
}

test('exportFixed writes graphs whose parts together are the whole vocabulary', { skip }, async () => {
  const { oddNumbers, logits } = await selfTestFixed(folder())
  assert.deepEqual([oddNumbers, logits], [0, 51_864])
})

test('FixedWhisper writes what is said, with times', { skip: skip || needsData('speech/jfk.wav') }, async () => {
  await using whisper = await openFixedWhisper(folder(), { backend: { ort: { threads: 1 } } })
  const { samples } = await decodeAudio(dataPath('speech/jfk.wav'), { sampleRate: 16_000, secondsMax: 30 })
  const { text, segments } = await whisper.transcribe(samples)
  const said =
    'And so my fellow Americans ask not what your country can do for you ask what you can do for your country'
  assert.ok(wordErrors(said, text).errors <= 2, text)
  assert.ok(segments.length >= 2 && segments.every(({ start, end }) => start < end && end <= 12))
})

test(
  'FixedWhisper refuses times of words and unknown languages, and openTranscriber a HEF with a cache',
  { skip },
  async () => {
    await using whisper = await openFixedWhisper(folder(), { backend: { ort: { threads: 1 } } })
    const second = new Float32Array(16_000)
    await assert.rejects(whisper.transcribe(second, { words: true }), { exit: 'usage' })
    await assert.rejects(whisper.transcribe(second, { language: 'fr' }), { exit: 'usage' })
    const hefs = { encoder: 'encoder.hef' }
    await assert.rejects(openTranscriber(folder(), { form: 'cached', hefs }), { exit: 'usage', hint: /--form fixed/ })
  },
)

test('openFixedWhisper refuses graphs that do not fit together', { skip }, async () => {
  const encoder = join(folder(), 'decoder.onnx')
  await assert.rejects(openFixedWhisper(folder(), { encoder }), { exit: 'usage' })
})
