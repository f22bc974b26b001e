/**
 * Finds which signature a log shows, and on which line.
 *
 * Either the first in the order of precedence, or the one whose line stands first in the log. What a stage said before
 * it was completed does not count.
 */
import type { FailureStage } from './bucket.ts'
import { isFrame } from './log-reading.ts'
import { wholeSuccess } from './log/success.ts'
import type { Signature } from './signature.ts'

/** A bucket and the line that names it. */
export interface Match {
  readonly bucket: string
  readonly line: string
  /** Only a warning or an information names it. */
  readonly isQuiet?: boolean
}

/** Past these lines, what their stage said before is over and done with: a retry succeeded, or another run began. */
const completed: Partial<Record<FailureStage, RegExp>> = {
  parse: /Translation completed on ONNX model|Saved HAR to/i,
  optimize: /Model Optimization is done|Optimization complete\b/i,
  compile: /Successful (?:Mapping|Partition and Allocation|Compilation)/i,
}

/** Whether a line counts in a search. */
export type Counts = (line: string) => boolean

/** Every signature that holds among the lines that count, after the last completion of its stage, in their order. */
function* matches(signatures: readonly Signature[], meant: readonly string[], counts: Counts): Generator<Match> {
  const done = meant.findLastIndex(line => wholeSuccess.test(line))
  const parts = new Map<FailureStage, { part: string; whole: string }>()
  const partOf = (stage: FailureStage) => {
    const known = parts.get(stage)
    if (known !== undefined) return known
    const completion = completed[stage]
    const last = Math.max(done, completion ? meant.findLastIndex(line => completion.test(line)) : -1)
    const rest = meant.slice(last + 1)
    const found = { part: rest.filter(counts).join('\n'), whole: rest.join('\n') }
    parts.set(stage, found)
    return found
  }
  for (const signature of signatures) {
    const { part, whole } = partOf(signature.stage)
    const line = part === '' ? null : matchingLine(part, signature)
    if (line === null || (signature.and && !signature.and.test(whole)) || signature.andNot?.test(whole)) continue
    yield { bucket: signature.bucket, line }
  }
}

/** The first signature in their order of precedence. */
export const search = (signatures: readonly Signature[], meant: readonly string[], counts: Counts): Match | null =>
  matches(signatures, meant, counts).next().value ?? null

/** The signature whose line stands first in the log; of two on one line, the one of precedence. */
export function earliest(signatures: readonly Signature[], meant: readonly string[], counts: Counts): Match | null {
  let best: (Match & { at: number }) | null = null
  for (const match of matches(signatures, meant, counts)) {
    const at = meant.indexOf(match.line)
    if (best === null || at < best.at) best = { ...match, at }
  }
  return best && { bucket: best.bucket, line: best.line }
}

/** The first line that holds every pattern of the signature and not the one that it excludes. */
function matchingLine(text: string, { match, unless, settledBy }: Signature): string | null {
  const [first, ...others] = match instanceof RegExp ? [match] : match
  const isSettled = (from: number) => settledBy !== undefined && settledBy.test(text.slice(from))
  const every = new RegExp(first!.source, `${first!.flags}g`)
  for (let found = every.exec(text); found; found = every.exec(text)) {
    const index = found.index + Math.max(0, found[0].search(/\S/))
    const end = text.indexOf('\n', index)
    const line = text.slice(text.lastIndexOf('\n', index) + 1, end < 0 ? text.length : end)
    const isMeant = others.every(other => other.test(line)) && !unless?.test(line) && !isFrame(line)
    if (isMeant && !isSettled(index)) return line
    if (end < 0) return null
    every.lastIndex = end
  }
  return null
}
