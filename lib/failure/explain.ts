/**
 * Explains a vendor's log in words, and scores the classifier on labelled logs.
 *
 * The logic behind `runbooks/explain-log.ts`: one text explained, or a file of labelled texts scored.
 */
import { classifyFailure, type ExitContext, type Failure } from './classify.ts'

/** Lines that answer why a log failed: the answer first, then what it rests on. */
export interface Explanation {
  readonly failure: Failure
  /** At most five, each on one line of at most 500 characters. */
  readonly lines: readonly string[]
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

/**
 * Explain one log. Never throws.
 *
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 *
 * const { explainLog } = await import('./explain.ts')
 * const { failure, lines } = explainLog("No successful assignments: dw6 errors:")
 * assert.equal(failure.bucket, 'allocator_infeasible')
 * assert.equal(lines[0], 'bucket: allocator_infeasible')
 * ```
 */
export function explainLog(text: string, context: ExitContext = {}): Explanation {
  const failure = classifyFailure(text, context)
  const rows = {
    bucket: failure.bucket,
    cause: failure.cause,
    'next knob': failure.fix,
    evidence: failure.evidence,
    reached: failure.milestone ?? '',
  }
  const lines = Object.entries(rows).flatMap(([name, said]) => {
    const line = `${name}: ${said.replaceAll(/\s+/g, ' ').trim()}`
    return said === '' ? [] : [line.length <= 500 ? line : `${line.slice(0, 499)}…`]
  })
  return { failure, lines }
}

/** How many labelled texts (`k` of `n`) the classifier puts where their label says, and those that it does not. */
export function scoreRows(rows: readonly LabelledText[]): { k: number; n: number; misses: Miss[] } {
  const misses = rows.flatMap(({ text, expected_bucket: expected }) => {
    const got = classifyFailure(text).bucket
    return got === expected ? [] : [{ text: text.replace(/\s+/g, ' ').trim().slice(0, 200), expected, got }]
  })
  return { k: rows.length - misses.length, n: rows.length, misses }
}
