/**
 * What does a vendor's log say, in words, and how well does the classifier know such logs?
 *
 * The logic behind `runbooks/explain-log.ts`: one text explained, or a file of labelled texts scored.
 */
import { usageError } from '../base/errors.ts'
import { bucketOf } from './buckets.ts'
import { classifyFailure, type ExitContext, type Failure } from './classify.ts'

/** A log explained: the classified failure, why it happens, and one step to take. */
export interface Explanation {
  failure: Failure
  cause: string
  nextKnob: string
}

/** A text and the bucket that it belongs to. */
export interface LabelledText {
  text: string
  expected_bucket: string
}

/** A text that was put into another bucket than its label says; `text` is shortened to 200 characters on one line. */
export interface Miss {
  text: string
  expected: string
  got: string
}

/** Explain one log. Never throws. */
export function explainLog(text: string, context: ExitContext = {}): Explanation {
  const failure = classifyFailure(text, context)
  const { nextKnob } = bucketOf(failure.bucket)
  return { failure, cause: failure.cause, nextKnob }
}

/**
 * The text of a log file: UTF-8, or the UTF-16 that PowerShell writes.
 * @param name for messages
 * Errors: usage when it is empty or no text.
 */
export function logText(name: string, bytes: Buffer): string {
  const isWide = bytes[0] === 0xff && bytes[1] === 0xfe
  const text = bytes.toString(isWide ? 'utf16le' : 'utf8').replace(/^\uFEFF/, '')
  if (text.trim() === '')
    throw usageError(`Cannot explain "${name}": it is empty`, 'give the log of the case that failed')
  if (text.includes('\0'))
    throw usageError(`Cannot explain "${name}": it is no text`, 'give a log, not what the tool made')
  return text
}

/** How many labelled texts (`k` of `n`) the classifier puts where their label says, and those that it does not. */
export function scoreRows(rows: readonly LabelledText[]): { k: number; n: number; misses: Miss[] } {
  const misses = rows.flatMap(({ text, expected_bucket: expected }) => {
    const got = classifyFailure(text).bucket
    return got === expected ? [] : [{ text: text.replace(/\s+/g, ' ').trim().slice(0, 200), expected, got }]
  })
  return { k: rows.length - misses.length, n: rows.length, misses }
}
