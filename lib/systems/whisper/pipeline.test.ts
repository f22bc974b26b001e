import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { RunbookError } from '../../base/errors.ts'
import { decodeAudio } from '../../signal/decode-audio.ts'
import { wordErrors } from '../../speech/word-error.ts'
import { dataPath, needsData, needsTool } from '../../testing/needs.ts'
import { needsWhisper } from '../../testing/whisper/models.ts'
import { openModel } from './model.ts'
import { compareCase, readGoldens, type Compared } from './parity/goldens.ts'
import { compareFasterWhisper, compareLanguages } from './parity/other-goldens.ts'
import type { Segment, Whisper } from './pipeline.ts'

const skip = needsWhisper('tiny.en')
const goldens = 'whisper/goldens'
let opened: Promise<Whisper> | undefined
const tinyEn = () => (opened ??= openModel({ model: 'tiny.en' }, { threads: 1 }))
after(async () => (await opened)?.[Symbol.asyncDispose]())

/** Each answer has the reference's tokens, and its numbers within the contract's bounds. */
function agree(compared: readonly Compared[]): void {
  for (const { case: name, what, tokensEqual, note, encoder, logprob, times } of compared) {
    assert.ok(tokensEqual, `${name}, ${what}: ${note}`)
    assert.ok(!(encoder > 1e-3) && !(logprob > 1e-2) && !(times > 0.04), `${name}, ${what}`)
  }
}

/** Speech of a machine's voice. */
async function spoken(words: string): Promise<Float32Array> {
  const path = join(mkdtempSync(join(tmpdir(), 'spoken-')), 'spoken.wav')
  execFileSync('ffmpeg', ['-loglevel', 'error', '-f', 'lavfi', '-i', `flite=text='${words}':voice=slt`, path])
  return (await decodeAudio(path, { sampleRate: 16_000, secondsMax: 60 })).samples
}

test('Whisper writes what a voice says, with times of its words', { skip: skip || needsTool('ffmpeg') }, async () => {
  const words = 'The quick brown fox jumps over the lazy dog. Please enter your telephone number.'
  const whisper = await tinyEn()
  const told: Segment[] = []
  const samples = await spoken(words)
  const transcript = await whisper.transcribe(
    samples,
    { words: true },
    { watch: { onSegment: each => void told.push(each) } },
  )
  assert.ok(wordErrors(words, transcript.text).errors <= 1, transcript.text)
  assert.deepEqual(told, transcript.segments)
  assert.equal(transcript.language, 'en')
  assert.ok(transcript.words!.length >= 12)
  for (const [i, { start, end, probability }] of transcript.words!.entries()) {
    assert.ok(start <= end && end <= transcript.duration + 1, `word ${i}`)
    assert.ok(i === 0 || start >= transcript.words![i - 1]!.start)
    assert.ok(probability > 0 && probability <= 1)
  }
})

test('Whisper says nothing of silence', { skip }, async () => {
  const { text, segments } = await (await tinyEn()).transcribe(new Float32Array(16_000 * 3))
  assert.deepEqual([text, segments], ['', []])
})

test(
  'Whisper answers as openai/whisper does in every variant of a short recording',
  { skip: skip || needsData(goldens) || needsTool('ffmpeg') },
  async () => {
    const whisper = await tinyEn()
    const folder = dataPath(goldens)
    const golden = readGoldens(folder, 'tiny.en').find(each => each.case === 'jfk')!
    const compared = await compareCase(whisper, folder, golden)
    assert.ok(compared.length >= 7)
    agree(compared)
    const faster = await compareFasterWhisper(whisper, folder, [golden])
    assert.equal(faster.length, 1)
    agree(faster)
  },
)

test(
  'Whisper detects, translates and times five languages as openai/whisper does',
  { skip: needsWhisper('base') || needsData(goldens) || needsTool('ffmpeg') },
  async () => {
    await using base = await openModel({ model: 'base' }, { threads: 1 })
    const compared = await compareLanguages(base, dataPath(goldens))
    assert.deepEqual(
      ['language', 'translation of one window', 'translation', 'words'].map(
        wanted => compared.filter(({ what }) => what === wanted).length,
      ),
      [15, 4, 4, 4],
    )
    agree(compared)
  },
)

test(
  'Whisper says the same with a beam, and when it is asked twice at once',
  { skip: skip || needsTool('ffmpeg') },
  async () => {
    const whisper = await tinyEn()
    const samples = await spoken('Good morning. Thank you for calling.')
    const [beam, greedy] = await Promise.all([
      whisper.transcribe(samples, { beamSize: 3 }),
      whisper.transcribe(samples, { temperatures: [0] }),
    ])
    assert.equal(wordErrors(greedy.text, beam.text).errors, 0)
    assert.ok(beam.segments[0]!.avgLogprob >= greedy.segments[0]!.avgLogprob - 1e-3)
  },
)

test('Whisper says the same words in 8 bits', { skip: skip || needsTool('ffmpeg') }, async () => {
  await using whisper = await openModel({ model: 'tiny.en', precision: 'int8' }, { threads: 1 })
  const words = 'Please enter your telephone number, and then press the pound key.'
  const { text } = await whisper.transcribe(await spoken(words), { language: 'english' })
  assert.ok(wordErrors(words, text).errors <= 1, text)
  assert.equal(whisper.manifest.precision, 'int8')
})

test('Whisper stops when it is told to, and works on', { skip }, async () => {
  const whisper = await tinyEn()
  const noise = Float32Array.from({ length: 16_000 * 40 }, (_, i) => Math.sin(i * i) * 0.1)
  const stop = new AbortController()
  const job = whisper.transcribe(noise, {}, { signal: stop.signal })
  stop.abort(new Error('enough'))
  await assert.rejects(job, /enough/)
  assert.equal((await whisper.transcribe(new Float32Array(16_000))).text, '')
})

test('Whisper refuses short and broken sound, unknown languages, and numbers out of range', { skip }, async () => {
  const whisper = await tinyEn()
  const second = new Float32Array(16_000)
  const broken = second.slice().fill(Number.NaN, 100, 101)
  const bad: [Float32Array, object][] = [
    [new Float32Array(0), {}],
    [new Float32Array(1000), {}],
    [broken, {}],
    [second, { language: 'fr' }],
    [second, { language: 'klingon' }],
    [second, { temperature: 2 }],
    [second, { temperatures: [Number.NaN] }],
    [second, { beamSize: 0 }],
    [second, { bestOf: 1.5 }],
  ]
  for (const [samples, options] of bad) {
    await assert.rejects(whisper.transcribe(samples, options), RunbookError, JSON.stringify(options))
  }
})

test('openModel is blocked with the command that installs a model, and refuses a name it does not know', async () => {
  const store = mkdtempSync(join(tmpdir(), 'store-'))
  await assert.rejects(openModel({ model: 'base', store }), { exit: 'blocked', hint: /whisper-model\.ts --name base/ })
  await assert.rejects(openModel({ model: 'tiny.fr', store }), { exit: 'usage', hint: /tiny/ })
  await assert.rejects(openModel({ model: `${store}/nothing`, store }), { exit: 'blocked' })
})
