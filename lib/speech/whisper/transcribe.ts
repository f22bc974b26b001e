/**
 * Transcribes a recording of any length: window after window, each beginning where the last one's speech ended.
 *
 * Source: transcribe() of openai/whisper, transcribe.py: temperature fallback, no-speech, what was said before as the
 * next prompt, and the seek by the times that the model itself says. Segment ends are the model's and may lie behind
 * the end of the recording, as there.
 */
import { decodeWindow, type Decoded, type DecodeOptions } from './decode.ts'
import type { WhisperNetwork } from './network.ts'
import { secondsPerTimestamp, type WhisperTokenizer } from './tokenizer.ts'
import { alignWords, type Word } from './words.ts'

/** How a recording is transcribed. */
export interface TranscribeOptions extends Omit<DecodeOptions, 'temperature' | 'prompt' | 'lastTimestamp'> {
  /** Tried in this order until an answer is good enough. */
  readonly temperatures: readonly number[]
  /** An answer that compresses better repeats itself, and the next temperature is tried; null to accept it. */
  readonly compressionRatioThreshold: number | null
  /** An answer less sure than this is tried again at the next temperature; null to accept it. */
  readonly logprobThreshold: number | null
  /** A window likelier to hold no speech is skipped, unless its answer is sure; null to keep it. */
  readonly noSpeechThreshold: number | null
  readonly conditionOnPrevious: boolean
  /** What the recording is about, in words; stands before the first window's answer. */
  readonly initialPrompt: string | undefined
  readonly words: boolean
}

/** A stretch of speech. */
export interface Segment {
  readonly id: number
  /** The first frame of its window, in frames of 10 ms. */
  readonly seek: number
  /** In seconds from the start of the recording. */
  readonly start: number
  readonly end: number
  readonly text: string
  readonly tokens: readonly number[]
  /** The natural log probability of each token. */
  readonly logProbabilities: readonly number[]
  readonly temperature: number
  readonly avgLogprob: number
  readonly compressionRatio: number
  readonly noSpeechProb: number
  readonly words?: readonly Word[]
}

/** A segment while its window is worked on. */
export type Draft = { -readonly [K in keyof Omit<Segment, 'id'>]: Segment[K] }

/** The log-mel of a recording with a window of silence behind it, and how many frames the recording itself has. */
export interface Features {
  readonly data: Float32Array
  readonly frames: number
  readonly contentFrames: number
}

/** What the transcription tells as it goes. */
export interface Watcher {
  /** Each segment, when its window is done. */
  onSegment?(segment: Segment): void
  /** Every answer, those that were not good enough as well. */
  onDecoded?(decoded: Decoded): void
  /** Frames that are done. */
  onProgress?(frames: number): void
}

const framesPerSecond = 100

/**
 * The segments of a recording.
 * @throws the signal's reason once it is aborted
 */
export async function transcribe(
  { network, tokenizer }: { network: WhisperNetwork; tokenizer: WhisperTokenizer },
  features: Features,
  options: TranscribeOptions,
  watcher: Watcher = {},
): Promise<Segment[]> {
  const segments: Segment[] = []
  const said = options.initialPrompt === undefined ? [] : tokenizer.encode(` ${options.initialPrompt.trim()}`)
  let promptFrom = 0
  let lastSpeech = 0
  for (let seek = 0; seek < features.contentFrames;) {
    options.signal?.throwIfAborted()
    const size = Math.min(network.windowFrames, features.contentFrames - seek)
    await network.listen(windowOf(features, network, { seek, size }))
    const decoded = await decodeWithFallback(
      { network, tokenizer },
      { ...options, prompt: said.slice(promptFrom) },
      watcher,
    )
    if (isSilence(decoded, options)) {
      seek += size
      watcher.onProgress?.(seek)
      continue
    }
    const cut = cutAtTimes(decoded, { tokenizer, seek, size })
    let next = cut.next
    if (options.words && cut.drafts.length > 0) {
      const aligned = await alignWords({ network, tokenizer }, cut.drafts, { size, lastSpeech, options })
      const end = aligned ?? cut.drafts.at(-1)!.end
      if (!cut.endsAlone && end > seek / framesPerSecond) next = roundHalfEven(end * framesPerSecond)
      lastSpeech = end
    }
    for (const draft of cut.drafts) {
      const isEmpty = draft.start === draft.end || draft.text.trim() === ''
      const kept = isEmpty
        ? { ...draft, text: '', tokens: [], logProbabilities: [], ...(draft.words ? { words: [] } : {}) }
        : draft
      const segment = { id: segments.length, ...kept }
      segments.push(segment)
      said.push(...segment.tokens)
      watcher.onSegment?.(segment)
    }
    if (!options.conditionOnPrevious || decoded.temperature > 0.5) promptFrom = said.length
    seek = next
    watcher.onProgress?.(Math.min(seek, features.contentFrames))
  }
  return segments
}

/** One window of the recording, float32 [mels, windowFrames]; behind the recording's end stand zeros. */
function windowOf(
  { data, frames }: Features,
  { mels, windowFrames }: WhisperNetwork,
  { seek, size }: { seek: number; size: number },
): Float32Array {
  const window = new Float32Array(mels * windowFrames)
  for (let bin = 0; bin < mels; bin++) {
    window.set(data.subarray(bin * frames + seek, bin * frames + seek + size), bin * windowFrames)
  }
  return window
}

async function decodeWithFallback(
  model: { network: WhisperNetwork; tokenizer: WhisperTokenizer },
  options: TranscribeOptions & { prompt: readonly number[] },
  watcher: Watcher,
): Promise<Decoded> {
  const { compressionRatioThreshold, logprobThreshold, noSpeechThreshold } = options
  let decoded!: Decoded
  for (const temperature of options.temperatures) {
    decoded = await decodeWindow(model.network, model.tokenizer, { ...options, temperature })
    watcher.onDecoded?.(decoded)
    const repeats = compressionRatioThreshold !== null && decoded.compressionRatio > compressionRatioThreshold
    const unsure = logprobThreshold !== null && decoded.avgLogprob < logprobThreshold
    const silent = unsure && noSpeechThreshold !== null && decoded.noSpeechProb > noSpeechThreshold
    if (silent || !(repeats || unsure)) break
  }
  return decoded
}

function isSilence(decoded: Decoded, { noSpeechThreshold, logprobThreshold }: TranscribeOptions): boolean {
  if (noSpeechThreshold === null || !(decoded.noSpeechProb > noSpeechThreshold)) return false
  return !(logprobThreshold !== null && decoded.avgLogprob > logprobThreshold)
}

/** An answer, cut into segments. */
export interface Cut {
  readonly drafts: Draft[]
  /** The frame at which the next window begins. */
  readonly next: number
  /** Whether one time alone ends the answer: there is no speech behind it. */
  readonly endsAlone: boolean
}

/** The segments of an answer: it is cut where one time follows another. */
export function cutAtTimes(
  decoded: Decoded,
  { tokenizer, seek, size }: { tokenizer: WhisperTokenizer; seek: number; size: number },
): Cut {
  const { tokens } = decoded
  const { firstTimestamp } = tokenizer.special
  const isTime = (i: number) => i >= 0 && i < tokens.length && tokenizer.isTimestamp(tokens[i]!)
  const offset = seek / framesPerSecond
  const secondsAt = (i: number) => (tokens[i]! - firstTimestamp) * secondsPerTimestamp
  const draft = (from: number, to: number, [start, end]: readonly [number, number]): Draft => ({
    seek,
    start,
    end,
    text: tokenizer.decode(tokens.slice(from, to)),
    tokens: tokens.slice(from, to),
    logProbabilities: decoded.logProbabilities.slice(from, to),
    temperature: decoded.temperature,
    avgLogprob: decoded.avgLogprob,
    compressionRatio: decoded.compressionRatio,
    noSpeechProb: decoded.noSpeechProb,
  })
  const endsAlone = isTime(tokens.length - 1) && tokens.length >= 2 && !isTime(tokens.length - 2)
  const cuts = tokens.flatMap((_, i) => (isTime(i) && isTime(i - 1) ? [i] : []))
  if (cuts.length === 0) {
    const last = tokens.findLastIndex((_, i) => isTime(i))
    const said = last >= 0 && tokens[last] !== firstTimestamp
    const duration = said ? secondsAt(last) : size / framesPerSecond
    return { drafts: [draft(0, tokens.length, [offset, offset + duration])], next: seek + size, endsAlone }
  }
  if (endsAlone) cuts.push(tokens.length)
  const drafts = cuts.map((to, i) => {
    const from = cuts[i - 1] ?? 0
    return draft(from, to, [offset + secondsAt(from), offset + secondsAt(to - 1)])
  })
  // What stands behind the last pair of times was not finished: the next window begins there.
  const lastTime = tokens[cuts.at(-1)! - 1]! - firstTimestamp
  const framesPerTimestamp = secondsPerTimestamp * framesPerSecond
  return { drafts, next: endsAlone ? seek + size : seek + lastTime * framesPerTimestamp, endsAlone }
}

/** As Python rounds: a half goes to the even neighbour. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  if (value - floor !== 0.5) return Math.round(value)
  return floor % 2 === 0 ? floor : floor + 1
}
