/**
 * Says what one window of sound holds: tokens, how sure they are, and whether there was speech at all.
 *
 * Source: DecodingTask of openai/whisper, decoding.py.
 */
import { deflateSync } from 'node:zlib'
import { beamSearch } from './beam.ts'
import { logSumExp, makeFilter, type FilterOptions } from './filters.ts'
import type { WhisperNetwork } from './network.ts'
import { greedy, sampled, sumOf, type Search } from './search.ts'
import type { WhisperTokenizer } from './tokenizer.ts'

/** How one window is decoded. */
export interface DecodeOptions extends FilterOptions {
  /** A language code that the model knows; an English model ignores it. */
  readonly language: string
  readonly task: 'transcribe' | 'translate'
  readonly temperature: number
  /** How many hypotheses a beam keeps; 1 for greedy. Only at temperature 0. */
  readonly beamSize: number
  /** How many samples are drawn, of which the surest stays. Only above temperature 0. */
  readonly bestOf: number
  /** What was said before, as tokens. */
  readonly prompt: readonly number[]
  /** Numbers from 0 to 1, for sampling. */
  readonly random: () => number
  readonly signal?: AbortSignal | undefined
}

/** What a window holds. */
export interface Decoded {
  /** Text and times, without the end. */
  readonly tokens: readonly number[]
  readonly text: string
  /** The natural log probability of each token, and of the end where it was reached. */
  readonly logProbabilities: readonly number[]
  readonly avgLogprob: number
  readonly noSpeechProb: number
  readonly compressionRatio: number
  readonly temperature: number
  /** The question as it was put, what was said before included. */
  readonly question: readonly number[]
}

/**
 * Decode the window that the network listened to.
 * @throws the signal's reason once it is aborted
 */
export async function decodeWindow(
  network: WhisperNetwork,
  tokenizer: WhisperTokenizer,
  options: DecodeOptions,
): Promise<Decoded> {
  const { endOfText, startOfPrevious, noTimestamps, noSpeech } = tokenizer.special
  const { temperature, beamSize, bestOf, random, signal } = options
  // Half of the context is for what was said before, half for what is said now.
  const half = Math.floor(network.textContext / 2)
  const before = options.prompt.length > 0 ? [startOfPrevious, ...options.prompt.slice(-(half - 1))] : []
  const [start, ...asked] = tokenizer.sequence(options)
  if (!options.timestamps) asked.push(noTimestamps)
  network.start()
  const atStart = await network.append([[...before, start!]])
  const noSpeechProb = Math.exp(atStart[noSpeech]! - logSumExp(atStart))
  const first = asked.length > 0 ? await network.append([asked]) : atStart
  const question = [...before, start!, ...asked]
  const search: Search = {
    network,
    filter: makeFilter(tokenizer, options),
    endOfText,
    first: first.slice(),
    most: Math.min(half, network.textContext + 1 - question.length),
    signal,
  }
  const best =
    temperature > 0
      ? await sampled(search, { count: bestOf, temperature, random })
      : await (beamSize > 1 ? beamSearch(search, beamSize) : greedy(search))
  const text = tokenizer.decode(best.tokens).trim()
  return {
    tokens: best.tokens,
    text,
    logProbabilities: best.logProbabilities,
    avgLogprob: sumOf(best.logProbabilities) / (best.tokens.length + 1),
    noSpeechProb,
    compressionRatio: compressionRatio(text),
    temperature,
    question,
  }
}

/** Bytes of the text as UTF-8 over bytes of it compressed; speech is about 1.5, and a repeated phrase far above. */
export function compressionRatio(text: string): number {
  const bytes = Buffer.from(text)
  return bytes.length / deflateSync(bytes).length
}

/**
 * The language of the window that the network listened to, and each language's probability, the likeliest first. An
 * English model says English.
 */
export async function detectLanguage(
  network: WhisperNetwork,
  tokenizer: WhisperTokenizer,
): Promise<readonly { readonly language: string; readonly probability: number }[]> {
  if (!tokenizer.isMultilingual) return [{ language: 'en', probability: 1 }]
  const { languages, startOfTranscript } = tokenizer.special
  network.start()
  const logits = await network.append([[startOfTranscript]])
  const own = Float32Array.from(languages.values(), id => logits[id]!)
  const total = logSumExp(own)
  return [...languages.keys()]
    .map((language, i) => ({ language, probability: Math.exp(own[i]! - total) }))
    .toSorted((a, b) => b.probability - a.probability)
}
