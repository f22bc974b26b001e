/**
 * Forbids tokens before one is chosen, by Whisper's own rules.
 *
 * Source: SuppressBlank, SuppressTokens and ApplyTimestampRules of openai/whisper, decoding.py.
 */
import type { WhisperTokenizer } from './tokenizer.ts'

/** What is forbidden throughout one window. */
export interface FilterOptions {
  /** Tokens that are never chosen, beside the special ones; `'default'` for those that are not spoken. */
  readonly suppress: 'default' | readonly number[]
  /** Whether the first token may be neither a blank nor the end. */
  readonly suppressBlank: boolean
  readonly timestamps: boolean
  /** How late the first time may be, in timestamp tokens; undefined for any. */
  readonly maxInitialTimestamp: number | undefined
  /** The last time that may be said, in timestamp tokens: that of the end of a shorter window. */
  readonly lastTimestamp?: number
}

/** Sets the logits of forbidden tokens to -Infinity, in place. `said` is what was chosen in this window so far. */
export type Filter = (logits: Float32Array, said: readonly number[]) => void

/** The rules of one window as one filter. */
export function makeFilter(tokenizer: WhisperTokenizer, options: FilterOptions): Filter {
  const { special } = tokenizer
  const { suppress, suppressBlank, timestamps } = options
  const { transcribe, translate, startOfTranscript, startOfPrevious, startOfLm, noSpeech } = special
  const asked = suppress === 'default' ? tokenizer.nonSpeech() : suppress
  const never = [...asked, transcribe, translate, startOfTranscript, startOfPrevious, startOfLm, noSpeech]
  const atFirst = suppressBlank ? [...tokenizer.encode(' '), special.endOfText] : []
  return (logits, said) => {
    if (said.length === 0) for (const id of atFirst) logits[id] = -Infinity
    for (const id of never) logits[id] = -Infinity
    if (timestamps) applyTimestampRules(logits, said, { tokenizer, options })
  }
}

/** Times come in pairs, never go back, and win where all of them together outweigh every word. */
function applyTimestampRules(
  logits: Float32Array,
  said: readonly number[],
  { tokenizer, options }: { tokenizer: WhisperTokenizer; options: FilterOptions },
): void {
  const { endOfText, noTimestamps, firstTimestamp } = tokenizer.special
  const isTime = (id: number | undefined) => id !== undefined && id >= firstTimestamp
  logits[noTimestamps] = -Infinity
  const lastIsTime = isTime(said.at(-1))
  const oneBeforeIsTime = said.length < 2 || isTime(said.at(-2))
  if (lastIsTime && oneBeforeIsTime) logits.fill(-Infinity, firstTimestamp)
  if (lastIsTime && !oneBeforeIsTime) logits.fill(-Infinity, 0, endOfText)
  const latest = said.findLast(isTime)
  if (latest !== undefined) {
    // A segment of no length would go on for ever, so only the end of one may repeat as the start of the next.
    logits.fill(-Infinity, firstTimestamp, lastIsTime && !oneBeforeIsTime ? latest : latest + 1)
  }
  if (said.length === 0) {
    logits.fill(-Infinity, 0, firstTimestamp)
    if (options.maxInitialTimestamp !== undefined) {
      logits.fill(-Infinity, firstTimestamp + options.maxInitialTimestamp + 1)
    }
  }
  if (options.lastTimestamp !== undefined) logits.fill(-Infinity, firstTimestamp + options.lastTimestamp + 1)
  if (timesOutweigh(logits, firstTimestamp)) logits.fill(-Infinity, 0, firstTimestamp)
}

function timesOutweigh(logits: Float32Array, firstTimestamp: number): boolean {
  let word = -Infinity
  for (let i = 0; i < firstTimestamp; i++) if (logits[i]! > word) word = logits[i]!
  return logSumExp(logits, firstTimestamp) > word
}

/** Shares below this are no part of a float32 sum. */
const negligible = -30

/** The logarithm of the sum of the exponentials from `from` on; -Infinity when there is none. */
export function logSumExp(logits: Float32Array, from = 0): number {
  let most = -Infinity
  for (let i = from; i < logits.length; i++) if (logits[i]! > most) most = logits[i]!
  if (most === -Infinity) return most
  let sum = 0
  for (let i = from; i < logits.length; i++) {
    const share = logits[i]! - most
    if (share > negligible) sum += Math.exp(share)
  }
  return most + Math.log(sum)
}

/** Where the largest logit stands: the first of them, or -1 when all are -Infinity or NaN. */
export function argmax(logits: Float32Array): number {
  let best = -1
  let most = -Infinity
  for (let i = 0; i < logits.length; i++) {
    if (logits[i]! > most) {
      most = logits[i]!
      best = i
    }
  }
  return best
}
