/**
 * Transcribes with a network of fixed lengths: chunk after chunk, the whole sequence asked again for each token.
 *
 * Source: HailoRT's own speech-to-text server, whose rules these are: Whisper's rules for times, a repetition penalty,
 * and the seek by the last time that was said. The penalty divides what is above 0 and multiplies what is below, so
 * that a repeated token always becomes less likely. Times are exempt: the end of a segment is the start of the next.
 */
import { argmax, logSumExp, makeFilter, type FilterOptions } from './filters.ts'
import { compressionRatio, type Decoded } from './decode.ts'
import { sumOf } from './search.ts'
import { secondsPerTimestamp, type WhisperTokenizer } from './tokenizer.ts'
import { cutAtTimes, type Features, type Segment } from './transcribe.ts'

/** A network that hears one chunk, and answers about one sequence of tokens at a time. */
export interface FixedNetwork {
  readonly vocabulary: number
  readonly mels: number
  /** Frames of 10 ms in a chunk. */
  readonly chunkFrames: number
  /** Tokens of a sequence, the question included. */
  readonly sequence: number
  /** Listen to a chunk, float32 [mels, chunkFrames]. */
  listen(mel: Float32Array): Promise<void>
  /** Logits behind the tokens at `rows`; copies that stay. */
  ask(tokens: readonly number[], rows: readonly number[]): Promise<Float32Array[]>
}

/** How a recording is transcribed in fixed lengths. */
export interface FixedOptions extends Pick<FilterOptions, 'suppress' | 'suppressBlank' | 'timestamps'> {
  /** A code, or undefined to detect it in the first chunk. */
  readonly language: string | undefined
  readonly task: 'transcribe' | 'translate'
  readonly maxInitialTimestamp: number | undefined
  readonly penalty: RepetitionPenalty
  readonly signal?: AbortSignal | undefined
}

/** How repeated tokens become less likely. */
export interface RepetitionPenalty {
  readonly factor: number
  /** How many of the last tokens count. */
  readonly window: number
  /** Tokens that may repeat. */
  readonly excluded: readonly number[]
}

/** Applies the penalty in place. */
export function penalise(
  logits: Float32Array,
  said: readonly number[],
  { factor, window, excluded }: RepetitionPenalty,
): void {
  for (const token of new Set(said.slice(-window))) {
    const logit = logits[token]!
    if (excluded.includes(token) || logit === -Infinity) continue
    logits[token] = logit > 0 ? logit / factor : logit * factor
  }
}

interface Model {
  readonly network: FixedNetwork
  readonly tokenizer: WhisperTokenizer
}

const framesPerSecond = 100

/**
 * The segments of a recording, and its language.
 * @throws the signal's reason once it is aborted
 */
export async function transcribeFixed(
  { network, tokenizer }: Model,
  features: Features,
  options: FixedOptions,
  watcher: { onSegment?(segment: Segment): void; onProgress?(frames: number): void } = {},
): Promise<{ segments: Segment[]; language: string }> {
  const segments: Segment[] = []
  let { language } = options
  for (let seek = 0; seek < features.contentFrames;) {
    options.signal?.throwIfAborted()
    const size = Math.min(network.chunkFrames, features.contentFrames - seek)
    await network.listen(chunkOf(features, network, { seek, size }))
    language ??= await detect({ network, tokenizer })
    const decoded = await decodeChunk({ network, tokenizer }, { ...options, language })
    const { drafts, next } = cutAtTimes(decoded, { tokenizer, seek, size })
    for (const draft of drafts.filter(({ text, start, end }) => text.trim() !== '' && start < end)) {
      const segment = { id: segments.length, ...draft }
      segments.push(segment)
      watcher.onSegment?.(segment)
    }
    // A chunk in which nothing was said to its end must not be asked again for ever.
    seek = next > seek ? next : seek + size
    watcher.onProgress?.(Math.min(seek, features.contentFrames))
  }
  return { segments, language: language ?? 'en' }
}

function chunkOf(
  { data, frames }: Features,
  { mels, chunkFrames }: FixedNetwork,
  { seek, size }: { seek: number; size: number },
): Float32Array {
  const chunk = new Float32Array(mels * chunkFrames)
  for (let bin = 0; bin < mels; bin++) {
    chunk.set(data.subarray(bin * frames + seek, bin * frames + seek + size), bin * chunkFrames)
  }
  return chunk
}

async function detect({ network, tokenizer }: Model): Promise<string> {
  if (!tokenizer.isMultilingual) return 'en'
  const { languages, startOfTranscript } = tokenizer.special
  const [logits] = await network.ask([startOfTranscript], [0])
  return [...languages].reduce((best, other) => (logits![other[1]]! > logits![best[1]]! ? other : best))[0]
}

async function decodeChunk(
  { network, tokenizer }: Model,
  options: FixedOptions & { language: string },
): Promise<Decoded> {
  const { endOfText, noSpeech, noTimestamps } = tokenizer.special
  const question = tokenizer.sequence(options)
  if (!options.timestamps) question.push(noTimestamps)
  const lastTimestamp = Math.round(network.chunkFrames / framesPerSecond / secondsPerTimestamp)
  const filter = makeFilter(tokenizer, { ...options, lastTimestamp })
  const tokens: number[] = []
  const logProbabilities: number[] = []
  let noSpeechProb = Number.NaN
  while (question.length + tokens.length < network.sequence) {
    options.signal?.throwIfAborted()
    const row = question.length + tokens.length - 1
    const [logits, atStart] = await network.ask([...question, ...tokens], tokens.length === 0 ? [row, 0] : [row])
    if (atStart !== undefined) noSpeechProb = Math.exp(atStart[noSpeech]! - logSumExp(atStart))
    filter(logits!, tokens)
    penalise(
      logits!,
      tokens.filter(token => !tokenizer.isTimestamp(token)),
      options.penalty,
    )
    const token = argmax(logits!)
    if (token < 0) break
    logProbabilities.push(logits![token]! - logSumExp(logits!))
    if (token === endOfText) break
    tokens.push(token)
  }
  const text = tokenizer.decode(tokens).trim()
  return {
    tokens,
    text,
    logProbabilities,
    avgLogprob: sumOf(logProbabilities) / (tokens.length + 1),
    noSpeechProb,
    compressionRatio: compressionRatio(text),
    temperature: 0,
    question,
  }
}
