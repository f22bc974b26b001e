/**
 * Finds when each word was said, by where the decoder's attention lies on the sound while it says it.
 *
 * Source: find_alignment, add_word_timestamps and merge_punctuations of openai/whisper, timing.py.
 */
import { warpingPath } from '../dtw.ts'
import { splitWords } from './split-words.ts'
import type { Attention, WhisperNetwork } from './network.ts'
import type { WhisperTokenizer } from './tokenizer.ts'

/** A word and its punctuation. */
export interface Word {
  /** With the space before it. */
  readonly word: string
  /** In seconds from the start of the recording. */
  readonly start: number
  readonly end: number
  /** Mean probability of its tokens, from 0 to 1. */
  readonly probability: number
}

interface Timed {
  word: string
  tokens: readonly number[]
  start: number
  end: number
  readonly probability: number
}

/** What `alignWords` writes to. */
interface Aligned {
  readonly seek: number
  readonly tokens: readonly number[]
  start: number
  end: number
  words?: readonly Word[]
}

interface Placing {
  /** Frames of 10 ms that the window holds. */
  readonly size: number
  /** When the last word before this window ended, in seconds. */
  readonly lastSpeech: number
  readonly options: { readonly language: string; readonly task: 'transcribe' | 'translate' }
}

interface Model {
  readonly network: WhisperNetwork
  readonly tokenizer: WhisperTokenizer
}

const framesPerSecond = 100
const attentionFramesPerSecond = 50
const medianWidth = 7
const punctuation = { before: '"\'“¿([{-', after: '"\'.。,，!！?？:：”)]}、' }
const sentenceEnds = '.。!！?？'

/**
 * Gives each segment of one window its words, and moves its start and end to them.
 * @returns the end of the last word, or undefined when there is none
 */
export async function alignWords(
  model: Model,
  segments: readonly Aligned[],
  placing: Placing,
): Promise<number | undefined> {
  const { endOfText } = model.tokenizer.special
  const perSegment = segments.map(({ tokens }) => tokens.filter(token => token < endOfText))
  const timed = await findAlignment(model, perSegment.flat(), placing)
  const durations = timed.map(({ start, end }) => end - start).filter(duration => duration !== 0)
  const median = Math.min(0.7, medianOf(durations))
  if (durations.length > 0) shortenAtSentenceEnds(timed, median * 2)
  mergePunctuation(timed)
  const offset = segments[0]!.seek / framesPerSecond
  let at = 0
  let lastSpeech = placing.lastSpeech
  for (const [i, segment] of segments.entries()) {
    const words: Mutable<Word>[] = []
    for (let taken = 0; at < timed.length && taken < perSegment[i]!.length; at++) {
      const { word, start, end, probability, tokens } = timed[at]!
      if (word !== '')
        words.push({ word, start: hundredths(offset + start), end: hundredths(offset + end), probability })
      taken += tokens.length
    }
    if (words.length > 0) {
      settleEdges(segment, words, { median, lastSpeech })
      lastSpeech = segment.end
    }
    segment.words = words
  }
  return segments.findLast(({ words = [] }) => words.length > 0)?.words!.at(-1)!.end
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const hundredths = (seconds: number) => Math.round(seconds * 100) / 100

function medianOf(values: readonly number[]): number {
  if (values.length === 0) return 0
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length / 2
  return Number.isInteger(half) ? (sorted[half - 1]! + sorted[half]!) / 2 : sorted[Math.floor(half)]!
}

/** The words of some tokens with their times in the window, and how likely each was. */
async function findAlignment(
  { network, tokenizer }: Model,
  text: readonly number[],
  { size, options }: Placing,
): Promise<Timed[]> {
  if (text.length === 0) return []
  const { endOfText, noTimestamps } = tokenizer.special
  const sequence = tokenizer.sequence(options)
  const attention = await network.attend([...sequence, noTimestamps, ...text, endOfText], headsOf(network))
  const probabilities = textProbabilities(attention, {
    text,
    from: sequence.length,
    endOfText,
    vocabulary: network.vocabulary,
  })
  const frames = Math.floor(size / 2)
  const rows = text.length + sequence.length + 2
  const mean = meanAttention(attention, { rows, frames })
  const inside = mean.subarray(sequence.length * frames, (rows - 1) * frames).map(value => -value)
  const path = warpingPath(inside, rows - 1 - sequence.length, frames)
  const jumps = path.columns.filter((_, i) => i === 0 || path.rows[i] !== path.rows[i - 1])
  const words = splitWords(tokenizer, [...text, endOfText], options.language)
  let begin = 0
  return words.slice(0, -1).map(({ word, tokens }) => {
    const end = begin + tokens.length
    const timed = {
      word,
      tokens,
      start: jumps[begin]! / attentionFramesPerSecond,
      end: jumps[end]! / attentionFramesPerSecond,
      probability: probabilities.slice(begin, end).reduce((sum, p) => sum + p, 0) / tokens.length,
    }
    begin = end
    return timed
  })
}

/** Heads that follow the sound; where a model's are not known, every head of the upper half of the layers. */
const headsOf = (network: WhisperNetwork) => network.alignmentHeads

function textProbabilities(
  { logits }: Attention,
  {
    text,
    from,
    endOfText,
    vocabulary,
  }: { text: readonly number[]; from: number; endOfText: number; vocabulary: number },
): number[] {
  return text.map((token, i) => {
    const row = logits.subarray((from + i) * vocabulary, (from + i) * vocabulary + endOfText)
    let most = -Infinity
    for (let k = 0; k < row.length; k++) if (row[k]! > most) most = row[k]!
    let sum = 0
    for (let k = 0; k < row.length; k++) sum += Math.exp(row[k]! - most)
    return Math.exp(row[token]! - most) / sum
  })
}

/** Each head's attention on the window, standardised over the tokens and smoothed over time; then their mean. */
function meanAttention(attention: Attention, { rows, frames }: { rows: number; frames: number }): Float32Array {
  const mean = new Float32Array(rows * frames)
  for (const weights of attention.weights) {
    const own = new Float32Array(rows * frames)
    for (let row = 0; row < rows; row++) {
      const from = row * attention.frames
      let sum = 0
      for (let frame = 0; frame < frames; frame++) sum += weights[from + frame]!
      for (let frame = 0; frame < frames; frame++) own[row * frames + frame] = weights[from + frame]! / sum
    }
    standardise(own, rows, frames)
    const smooth = smoothed(own, rows, frames)
    for (let i = 0; i < mean.length; i++) mean[i]! += smooth[i]! / attention.weights.length
  }
  return mean
}

/** Mean 0 and deviation 1 over the rows, for each column. */
function standardise(values: Float32Array, rows: number, columns: number): void {
  for (let column = 0; column < columns; column++) {
    let sum = 0
    for (let row = 0; row < rows; row++) sum += values[row * columns + column]!
    const mean = sum / rows
    let squares = 0
    for (let row = 0; row < rows; row++) squares += (values[row * columns + column]! - mean) ** 2
    const deviation = Math.sqrt(squares / rows)
    for (let row = 0; row < rows; row++) {
      values[row * columns + column] = (values[row * columns + column]! - mean) / deviation
    }
  }
}

/** The median of seven neighbours along each row, which is mirrored at its ends. */
function smoothed(values: Float32Array, rows: number, columns: number): Float32Array {
  const half = Math.floor(medianWidth / 2)
  if (columns <= half) return values
  const out = new Float32Array(values.length)
  const near = new Float32Array(medianWidth)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      for (let k = -half; k <= half; k++) {
        let at = Math.abs(column + k)
        if (at >= columns) at = 2 * (columns - 1) - at
        // Sorted as they come: seven values are few.
        const value = values[row * columns + at]!
        let place = k + half
        for (; place > 0 && near[place - 1]! > value; place--) near[place] = near[place - 1]!
        near[place] = value
      }
      out[row * columns + column] = near[half]!
    }
  }
  return out
}

/** A word at the edge of a sentence is at most as long as `longest`. */
function shortenAtSentenceEnds(timed: readonly Timed[], longest: number): void {
  for (let i = 1; i < timed.length; i++) {
    const own = timed[i]!
    if (own.end - own.start <= longest) continue
    if (sentenceEnds.includes(own.word)) own.end = own.start + longest
    else if (sentenceEnds.includes(timed[i - 1]!.word)) own.start = own.end - longest
  }
}

/** Joins punctuation to the word that it belongs to; the emptied entries stay. */
function mergePunctuation(timed: readonly Timed[]): void {
  const join = (from: Timed, to: Timed, isBefore: boolean) => {
    to.word = isBefore ? from.word + to.word : to.word + from.word
    to.tokens = isBefore ? [...from.tokens, ...to.tokens] : [...to.tokens, ...from.tokens]
    from.word = ''
    from.tokens = []
  }
  for (let i = timed.length - 2, following = timed.length - 1; i >= 0; i--) {
    const own = timed[i]!
    if (own.word.startsWith(' ') && punctuation.before.includes(own.word.trim())) join(own, timed[following]!, true)
    else following = i
  }
  for (let i = 1, previous = 0; i < timed.length; i++) {
    const own = timed[i]!
    if (!timed[previous]!.word.endsWith(' ') && punctuation.after.includes(own.word)) join(own, timed[previous]!, false)
    else previous = i
  }
}

/** The first word behind a pause is not stretched over it; the segment's own times count where its words' are odd. */
function settleEdges(
  segment: Aligned,
  words: readonly Mutable<Word>[],
  { median, lastSpeech }: { median: number; lastSpeech: number },
): void {
  const longest = median * 2
  const first = words[0]!
  const second = words[1]
  const last = words.at(-1)!
  const isLong = first.end - first.start > longest || (second !== undefined && second.end - first.start > longest * 2)
  if (first.end - lastSpeech > median * 4 && isLong) {
    if (second !== undefined && second.end - second.start > longest) {
      const boundary = Math.max(second.end / 2, second.end - longest)
      first.end = boundary
      second.start = boundary
    }
    first.start = Math.max(0, first.end - longest)
  }
  if (segment.start < first.end && segment.start - 0.5 > first.start) {
    first.start = Math.max(0, Math.min(first.end - median, segment.start))
  } else segment.start = first.start
  if (segment.end > last.start && segment.end + 0.5 < last.end) last.end = Math.max(last.start + median, segment.end)
  else segment.end = last.end
}
