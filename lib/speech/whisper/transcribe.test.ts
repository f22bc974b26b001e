import assert from 'node:assert/strict'
import test from 'node:test'
import { ScriptedNetwork, scriptedTokenizer, type Script } from '../../testing/whisper/scripted.ts'
import type { Decoded } from './decode.ts'
import { transcribe, type TranscribeOptions } from './transcribe.ts'

const tokenizer = scriptedTokenizer()
const { endOfText, firstTimestamp: t0, noSpeech, startOfTranscript, startOfPrevious, noTimestamps } = tokenizer.special
const options: TranscribeOptions = {
  language: 'en',
  task: 'transcribe',
  beamSize: 1,
  bestOf: 1,
  suppress: [],
  suppressBlank: true,
  timestamps: true,
  maxInitialTimestamp: 50,
  random: () => 0.5,
  temperatures: [0],
  compressionRatioThreshold: 2.4,
  logprobThreshold: -1,
  noSpeechThreshold: 0.6,
  conditionOnPrevious: true,
  initialPrompt: undefined,
  words: false,
}
/** A recording whose frames hold their own number. */
const features = (contentFrames: number) => ({
  data: Float32Array.from({ length: contentFrames + 3000 }, (_, i) => i),
  frames: contentFrames + 3000,
  contentFrames,
})
/** Says these tokens in each window, and the end behind them. */
const saying =
  (...windows: readonly (readonly number[])[]): Script =>
  (window, tokens) => {
    const said = tokens.slice(tokens.lastIndexOf(startOfTranscript) + 1)
    return { [windows[window]?.[said.length] ?? endOfText]: 20 }
  }
async function run(script: Script, frames: number, o: Partial<TranscribeOptions> = {}) {
  const network = new ScriptedNetwork(script)
  const decodes: Decoded[] = []
  const segments = await transcribe(
    { network, tokenizer },
    features(frames),
    { ...options, ...o },
    { onDecoded: each => void decodes.push(each) },
  )
  return { network, decodes, segments, spans: segments.map(({ start, end, text }) => [start, end, text]) }
}

test('transcribe cuts an answer where one time follows another, and goes on at the last of them', async () => {
  const { spans, network } = await run(
    saying([t0, 300, t0 + 100, t0 + 100, 301, t0 + 200, t0 + 200, 302], [t0, 303, t0 + 50]),
    3000,
  )
  assert.deepEqual(spans, [
    [0, 2, ' w300'],
    [2, 4, ' w301'],
    [4, 5, ' w303'],
  ])
  // The unfinished words are asked again: the second window begins at 4 s.
  assert.deepEqual(network.heard, [0, 400])
})

test('transcribe takes a single time at the end for silence behind it', async () => {
  const { spans, network } = await run(saying([t0, 300, t0 + 100]), 2500)
  assert.deepEqual(spans, [[0, 2, ' w300']])
  assert.deepEqual(network.heard, [0])
})

test('transcribe gives one segment as long as its window when no time ends it', async () => {
  const { spans } = await run(saying([300, 301]), 700, { timestamps: false })
  assert.deepEqual(spans, [[0, 7, ' w301']])
})

test('transcribe skips a window without speech, unless its answer is sure', async () => {
  const silent: Script = (_, tokens) =>
    tokens.at(-1) === startOfTranscript && tokens.length === 1
      ? { [noSpeech]: 5, [t0]: 0, ...Object.fromEntries(Array.from({ length: 40 }, (_none, i) => [t0 + i, 0])) }
      : Object.fromEntries([300, 301, 302, 303, endOfText].map(token => [token, 0]))
  assert.deepEqual((await run(silent, 3000)).spans, [])
  const sure: Script = (_, tokens) => {
    if (tokens.at(-1) === startOfTranscript) return { [noSpeech]: 22, [t0]: 20 }
    return { [tokens.length === 2 ? 300 : tokens.length === 3 ? t0 + 100 : endOfText]: 20 }
  }
  assert.equal((await run(sure, 3000)).spans.length, 1)
})

test('transcribe tries higher temperatures when an answer repeats itself, and keeps the last one', async () => {
  const repeating: Script = (_, tokens) => ({ [tokens.length < 100 ? 300 : endOfText]: 30 })
  const { decodes } = await run(repeating, 1000, {
    temperatures: [0, 0.2, 0.4],
    timestamps: false,
    suppressBlank: false,
  })
  assert.deepEqual(
    decodes.map(({ temperature }) => temperature),
    [0, 0.2, 0.4],
  )
  const lenient = { temperatures: [0, 0.2], timestamps: false, compressionRatioThreshold: null }
  assert.equal((await run(repeating, 1000, lenient)).decodes.length, 1)
})

test('transcribe puts what was said before the next window, and forgets it on request', async () => {
  const script = saying([t0, 300, t0 + 1500], [t0, 301, t0 + 100])
  const { network } = await run(script, 6000)
  assert.deepEqual(network.questions.at(-1), [startOfPrevious, t0, 300, t0 + 1500, startOfTranscript])
  const alone = await run(script, 6000, { conditionOnPrevious: false })
  assert.deepEqual(alone.network.questions.at(-1), [startOfTranscript])
  const prompted = await run(script, 6000, { initialPrompt: ' hi ' })
  assert.deepEqual(prompted.network.questions[0], [startOfPrevious, ...tokenizer.encode(' hi'), startOfTranscript])
  assert.doesNotMatch(prompted.segments.map(({ text }) => text).join(''), /hi/)
})

test('transcribe keeps the question within half of the context, however long the prompt', async () => {
  const { network } = await run(saying([t0, 300, t0 + 100]), 1000, { initialPrompt: 'a '.repeat(500) })
  assert.equal(network.questions[0]!.length, 1 + 223 + 1)
})

test('transcribe empties a segment of no length or no text', async () => {
  const { segments } = await run(saying([t0, 32, t0 + 100, t0 + 100, 301, t0 + 200]), 1000)
  assert.deepEqual(
    segments.map(({ text, tokens }) => [text, tokens.length]),
    [
      ['', 0],
      [' w301', 3],
    ],
  )
})

test('transcribe ends when the network never does', async () => {
  const endless: Script = () => ({ 300: 20 })
  const { segments, decodes } = await run(endless, 1000, { timestamps: false, compressionRatioThreshold: null })
  assert.equal(decodes[0]!.tokens.length, 224)
  assert.equal(segments.length, 1)
})

test('transcribe asks for no times with the token that says so', async () => {
  const { decodes } = await run(saying([300, 301]), 1000, { timestamps: false })
  assert.deepEqual(decodes[0]!.question, [startOfTranscript, noTimestamps])
})

test('transcribe stops when it is told to, and fails where no logit is a number', async () => {
  const stopped = AbortSignal.abort(new Error('enough'))
  await assert.rejects(run(saying([t0, 300]), 1000, { signal: stopped }), /enough/)
  const broken: Script = () => Object.fromEntries(Array.from({ length: 51_864 }, (_, i) => [i, Number.NaN]))
  await assert.rejects(run(broken, 1000), { exit: 'fail', message: /no logit/ })
})

test('transcribe finds the better whole sentence with a beam', async () => {
  // 300 is likelier at first, but leads nowhere sure; 301 is followed by certainty.
  const forked: Script = (_, tokens) => {
    const last = tokens.at(-1)!
    if (last === noTimestamps) return { 300: 1, 301: 0.8 }
    if (last === 300) return Object.fromEntries(Array.from({ length: 50 }, (_none, i) => [400 + i, 0]))
    return { [last === 301 ? 302 : endOfText]: 20 }
  }
  const greedy = await run(forked, 1000, { timestamps: false })
  const beam = await run(forked, 1000, { timestamps: false, beamSize: 3 })
  assert.match(greedy.segments[0]!.text, /^ w300/)
  assert.equal(beam.segments[0]!.text, ' w301 w302')
  assert.ok(beam.decodes[0]!.avgLogprob > greedy.decodes[0]!.avgLogprob)
})

test('transcribe draws several samples above temperature 0, and keeps the surest', async () => {
  const drawn = [0.99, 0.1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
  const script: Script = (_, tokens) => (tokens.at(-1) === noTimestamps ? { 300: 3, 301: 0 } : { [endOfText]: 20 })
  const { segments } = await run(script, 1000, {
    timestamps: false,
    temperatures: [1],
    bestOf: 2,
    random: () => drawn.shift() ?? 0.5,
  })
  assert.equal(segments[0]!.text, ' w300')
})
