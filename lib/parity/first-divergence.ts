/**
 * Finds the first step at which two traces of one decision process part.
 */

/** A step of a trace by field. */
export type Step = Readonly<Record<string, number | string | boolean | null>>

/** Where two traces part: which step, and what each says in every field that differs. */
export interface Divergence {
  readonly step: number
  readonly fields: readonly string[]
  readonly got: Step | null
  readonly want: Step | null
}

/**
 * The first step at which one of `fields` differs, or at which one trace ends before the other; null when they agree. A
 * number that is NaN differs from everything.
 */
export function firstDivergence(
  got: readonly Step[],
  want: readonly Step[],
  fields: readonly string[],
): Divergence | null {
  for (let step = 0; step < Math.max(got.length, want.length); step++) {
    const [a, b] = [got[step] ?? null, want[step] ?? null]
    const differing = fields.filter(
      field => a === null || b === null || a[field] === undefined || a[field] !== b[field],
    )
    if (differing.length > 0) return { step, fields: differing, got: a, want: b }
  }
  return null
}
