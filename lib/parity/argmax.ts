/**
 * Asks whether two sets of scores choose the same class in every row, and how close the choice was.
 *
 * A flip is excusable only where the reference itself was undecided: its best score leads by less than twice the error
 * that a contract allows. The error that was measured is no bound: any flip's lead is below twice that, whatever broke.
 * The first class of the highest score is chosen, as numpy.argmax does.
 */
import { usageError } from '../base/errors.ts'
import type { Numbers } from './compare.ts'

/** Where rows lie in a row-major [rows, width] array, and which columns compete. */
export interface Columns {
  readonly width: number
  readonly from?: number
  readonly to?: number
}

/** How often the choice changed; `excusable` flips lie within twice the allowed error. Margins are the reference's. */
export interface ArgmaxAgreement {
  readonly rows: number
  readonly flips: number
  readonly excusable: number
  readonly marginMin: number
  readonly maxAbs: number
  readonly firstFlip: { row: number; got: number; want: number; margin: number } | null
}

/** Index of the highest of `scores[from..to)`, counted from `from`; the lowest of equals. */
export function argmax(scores: Numbers, from = 0, to = scores.length): number {
  let best = from
  for (let i = from + 1; i < to; i++) if (scores[i]! > scores[best]!) best = i
  return best - from
}

/** By how much the highest of `scores[from..to)` leads the second; Infinity when there is only one. */
export function margin(scores: Numbers, from = 0, to = scores.length): number {
  let [first, second] = [-Infinity, -Infinity]
  for (let i = from; i < to; i++) {
    const score = scores[i]!
    if (score > first) [first, second] = [score, first]
    else if (score > second) second = score
  }
  return first - second
}

/**
 * Compare the choices of `got` with those of the reference `want`, row by row.
 * @param allowed the columns that compete, and the largest error of one score that the contract allows
 * @throws RunbookError usage when the lengths differ, are no multiple of the width, or a score is not finite
 */
export function compareArgmax(
  got: Numbers,
  want: Numbers,
  { width, from = 0, to = width, atol }: Columns & { readonly atol: number },
): ArgmaxAgreement {
  if (got.length !== want.length || width < 1 || want.length % width !== 0 || from < 0 || to > width || from >= to)
    throw usageError(
      `Cannot compare choices of ${got.length} and ${want.length} scores: rows have ${width}, columns ${from}..${to}`,
      'compare equal shapes',
    )
  const rows = want.length / width
  const seen: { row: number; got: number; want: number; margin: number }[] = []
  let [marginMin, maxAbs] = [Infinity, 0]
  for (let row = 0; row < rows; row++) {
    const [first, last] = [row * width + from, row * width + to]
    for (let i = first; i < last; i++) {
      const abs = Math.abs(got[i]! - want[i]!)
      if (!(abs < Infinity))
        throw usageError(`Cannot compare choices: score ${i} is not finite`, 'compare the logits first')
      maxAbs = Math.max(maxAbs, abs)
    }
    const rowMargin = margin(want, first, last)
    marginMin = Math.min(marginMin, rowMargin)
    const [a, b] = [argmax(got, first, last), argmax(want, first, last)]
    if (a !== b) seen.push({ row, got: a, want: b, margin: rowMargin })
  }
  const excusable = seen.filter(flip => flip.margin < 2 * atol).length
  return { rows, flips: seen.length, excusable, marginMin, maxAbs, firstFlip: seen[0] ?? null }
}
