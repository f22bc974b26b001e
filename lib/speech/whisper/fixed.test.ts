import assert from 'node:assert/strict'
import test from 'node:test'
import { scriptedTokenizer } from '../../testing/whisper/scripted.ts'
import { penalise, transcribeFixed, type FixedNetwork, type FixedOptions } from './fixed.ts'

const tokenizer = scriptedTokenizer()
const { endOfText, firstTimestamp: t0, startOfTranscript } = tokenizer.special
const options: FixedOptions = {
  language: 'en',
  task: 'transcribe',
  timestamps: true,
  suppress: [],
  suppressBlank: true,
  maxInitialTimestamp: 50,
  penalty: { factor: 1.5, window: 8, excluded: [11] },
}
class Scripted implements FixedNetwork {
  readonly vocabulary = 51_864
  readonly mels = 1
  readonly chunkFrames = 1000
  readonly sequence = 16
  readonly heard: number[] = []
  asked = 0
  readonly #windows: readonly (readonly number[])[]
  constructor(...windows: readonly (readonly number[])[]) {
    this.#windows = windows
  }
  listen(mel: Float32Array): Promise<void> {
    this.heard.push(mel[0]!)
    return Promise.resolve()
  }
  ask(tokens: readonly number[], rows: readonly number[]): Promise<Float32Array[]> {
    this.asked++
    assert.ok(tokens.length <= this.sequence && rows[0] === tokens.length - 1)
    const next = this.#windows[this.heard.length - 1]?.[tokens.length - 1] ?? endOfText
    return Promise.resolve(rows.map(() => new Float32Array(this.vocabulary).fill(-20).fill(20, next, next + 1)))
  }
}
const features = (contentFrames: number) => ({
  data: Float32Array.from({ length: contentFrames + 3000 }, (_, i) => i),
  frames: contentFrames + 3000,
  contentFrames,
})

test('penalise makes a repeated token less likely on either side of 0', () => {
  const logits = Float32Array.of(3, -3, 3, -Infinity, 3)
  penalise(logits, [0, 1, 3, 4], { factor: 1.5, window: 3, excluded: [4] })
  // 0 is too long ago, 2 was not said, 3 is forbidden anyway, 4 is excluded.
  assert.deepEqual([...logits], [3, -4.5, 3, -Infinity, 3])
})

test('transcribeFixed goes from chunk to chunk by the times that were said', async () => {
  const network = new Scripted([t0, 300, t0 + 100, t0 + 100, 301, t0 + 200, t0 + 200, 302], [t0, 303, t0 + 50])
  const { segments, language } = await transcribeFixed({ network, tokenizer }, features(1300), options)
  assert.equal(language, 'en')
  assert.deepEqual(
    segments.map(({ start, end, text }) => [start, end, text]),
    [
      [0, 2, ' w300'],
      [2, 4, ' w301'],
      [4, 5, ' w303'],
    ],
  )
  assert.deepEqual(network.heard, [0, 400])
})

test('transcribeFixed allows no time behind its chunk, and ends though the sequence is full', async () => {
  const network = new Scripted(
    [t0, 300, t0 + 900],
    Array.from({ length: 40 }, (_, i) => (i === 0 ? t0 : 300 + i)),
  )
  const { segments } = await transcribeFixed({ network, tokenizer }, features(1500), options)
  assert.ok(segments.every(({ end }) => end <= 15))
  assert.ok(network.asked <= 2 * network.sequence)
})

test('transcribeFixed never asks about the same frames for ever', async () => {
  const network = new Scripted(...Array.from({ length: 20 }, () => [t0, 300, t0, t0]))
  const { segments } = await transcribeFixed({ network, tokenizer }, features(2500), options)
  assert.ok(network.heard.every((frame, i) => i === 0 || frame > network.heard[i - 1]!))
  assert.ok(segments.every(({ start, end }) => start < end))
})

test('transcribeFixed detects the language in the first chunk alone', async () => {
  const many = scriptedTokenizer(51_865)
  const french = many.special.languages.get('fr')!
  class Multilingual extends Scripted {
    override readonly vocabulary = 51_865 as 51_864
    override ask(tokens: readonly number[], rows: readonly number[]): Promise<Float32Array[]> {
      const next = tokens.length === 1 ? french : many.special.endOfText
      assert.ok(tokens.length === 1 || tokens[1] === french)
      return Promise.resolve(rows.map(() => new Float32Array(51_865).fill(-20).fill(20, next, next + 1)))
    }
  }
  const network = new Multilingual()
  const answer = await transcribeFixed({ network, tokenizer: many }, features(2000), {
    ...options,
    language: undefined,
    timestamps: false,
    suppressBlank: false,
  })
  assert.equal(answer.language, 'fr')
  assert.equal(many.special.startOfTranscript, startOfTranscript + 1)
})

test('transcribeFixed stops when it is told to', async () => {
  const signal = AbortSignal.abort(new Error('enough'))
  const job = transcribeFixed({ network: new Scripted(), tokenizer }, features(1000), { ...options, signal })
  await assert.rejects(job, /enough/)
})
