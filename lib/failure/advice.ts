/**
 * Says why the failure in a log happened and what helps, with the log's own versions, nodes and paths.
 *
 * A bucket has general words and some more exact ones with places for facts. The first advice that fits the log and
 * whose facts the log holds is filled in.
 */
import type { Advice, Bucket } from './bucket.ts'
import { adviceFor, hailortStatusName } from '../contract/hailort-status.ts'
import { factsIn, type Facts } from './facts.ts'

/** Cause and fix in words. */
export interface Answer {
  readonly cause: string
  readonly fix: string
}

/**
 * The most exact answer that a log allows.
 *
 * @param line the line that named the failure; '' when none did
 * @param text what the tools meant as errors
 */
export function answerFor(bucket: Bucket, { line, text }: { line: string; text: string }): Answer {
  const facts = factsIn(line, text)
  // What the line itself says goes first; then what stands anywhere in the log; then what needs no words.
  return (
    filled(bucket.advice, facts, ({ when }) => when !== undefined && when.test(line)) ??
    filled(bucket.advice, facts, ({ when }) => when !== undefined && when.test(text)) ??
    filled(bucket.advice, facts, ({ when }) => when === undefined) ??
    statusAnswer(line) ?? { cause: bucket.cause, fix: bucket.nextKnob }
  )
}

/** What the table of HailoRT's statuses says of the one in a line. */
function statusAnswer(line: string): Answer | undefined {
  const number = /libhailort failed with error:? (\d{1,3})\b|\bstatus ?[=:]? ?(\d{1,3})\b/i.exec(line)
  const name =
    /\bHAILO_(?!SUCCESS\b)[A-Z0-9_]{4,60}\b/.exec(line)?.[0] ??
    (number && hailortStatusName(Number(number[1] ?? number[2])))
  const known = name ? adviceFor(undefined, name) : undefined
  return known && { cause: known.cause, fix: known.fix }
}

function filled(all: readonly Advice[], facts: Facts, fits: (advice: Advice) => boolean): Answer | undefined {
  for (const advice of all) {
    if (!fits(advice)) continue
    const cause = fill(advice.cause, facts)
    const fix = fill(advice.fix, facts)
    if (cause !== null && fix !== null) return { cause, fix }
  }
  return undefined
}

/** A template with its facts, or null when one is absent. */
function fill(template: string, facts: Facts): string | null {
  let isWhole = true
  const text = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const fact = facts[name]
    if (fact === undefined) isWhole = false
    return fact ?? ''
  })
  return isWhole ? text : null
}
