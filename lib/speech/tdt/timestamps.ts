/**
 * Turns token times into times of words and segments, as NeMo computes them.
 *
 * A token lasts from its frame for its duration; a punctuation mark stands at the end of the token before it. A word
 * begins at a piece with `▁`, a segment ends behind a word that ends a sentence, or at a pause. Source:
 * NVIDIA-NeMo/NeMo@8cfedd72:nemo/collections/asr/parts/utils/timestamp_utils.py.
 */
import { beginsWord, punctuationOf, textOf, type Pieces } from '../pieces.ts'

/** What was said from frame `start` to frame `end`. */
export interface Span {
  readonly text: string
  readonly start: number
  readonly end: number
  /** The tokens of it, by position in the hypothesis: from `first` up to but not including `last`. */
  readonly first: number
  readonly last: number
}

/** A hypothesis: tokens, their frames, and for how many frames each lasts. */
export interface TimedTokens {
  readonly tokens: readonly number[]
  readonly timestamps: readonly number[]
  readonly durations: readonly number[]
}

/** The spans of a hypothesis at three levels, and its text. */
export interface SpokenSpans {
  readonly text: string
  readonly tokens: readonly Span[]
  readonly words: readonly Span[]
  readonly segments: readonly Span[]
}

const sentenceEnds = new Set(['.', '?', '!'])

/**
 * Text, token, word and segment spans of a hypothesis.
 * @param gapFrames a pause of so many frames ends a segment; then punctuation ends none but an empty one
 * @throws RunbookError usage for a token that the vocabulary does not have
 */
export function spansOf(pieces: Pieces, heard: TimedTokens, { gapFrames }: { gapFrames?: number } = {}): SpokenSpans {
  const marks = punctuationOf(pieces)
  const tokens = tokenSpans(pieces, heard, marks)
  const words = wordSpans(pieces, heard.tokens, tokens)
  const spaced = textOf(pieces, heard.tokens)
  return { text: withoutSpaceBefore(spaced, marks), tokens, words, segments: segmentSpans(words, gapFrames) }
}

function withoutSpaceBefore(text: string, marks: ReadonlySet<string>): string {
  if (marks.size === 0) return text
  const set = [...marks].map(mark => mark.replace(/[\\\]^-]/, String.raw`\$&`)).join('')
  return text.replaceAll(new RegExp(`\\s+([${set}])`, 'gu'), '$1')
}

function tokenSpans(pieces: Pieces, heard: TimedTokens, marks: ReadonlySet<string>): Span[] {
  const spans: Span[] = []
  for (const [i, id] of heard.tokens.entries()) {
    const text = textOf(pieces, [id])
    const begin = heard.timestamps[i]!
    const before = spans.at(-1)
    const place = { text, first: i, last: i + 1 }
    if (before !== undefined && marks.has(text)) spans.push({ ...place, start: before.end, end: before.end })
    else spans.push({ ...place, start: begin, end: begin + heard.durations[i]! })
  }
  return spans
}

function wordSpans(pieces: Pieces, ids: readonly number[], tokens: readonly Span[]): Span[] {
  const begins = ids.flatMap((id, i) => (i === 0 || beginsWord(pieces, id) ? [i] : []))
  return begins.map((first, i) => {
    const last = begins[i + 1] ?? ids.length
    const text = textOf(pieces, ids.slice(first, last))
    return { text, start: tokens[first]!.start, end: tokens[last - 1]!.end, first, last }
  })
}

function segmentSpans(words: readonly Span[], gapFrames: number | undefined): Span[] {
  const segments: Span[] = []
  let open: Span[] = []
  const close = () => {
    if (open.length === 0) return
    const [head, tail] = [open[0]!, open.at(-1)!]
    const text = open.map(word => word.text).join(' ')
    segments.push({ text, start: head.start, end: tail.end, first: head.first, last: tail.last })
    open = []
  }
  for (const [i, word] of words.entries()) {
    const isInside = gapFrames !== undefined && open.length > 0
    if (isInside && word.start - words[i - 1]!.end >= gapFrames) close()
    open.push(word)
    if (!isInside && sentenceEnds.has(word.text.at(-1) ?? '')) close()
  }
  close()
  return segments
}
