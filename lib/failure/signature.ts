/**
 * One way to know a kind of failure in a log.
 *
 * A signature is the stable core of a message (an identifier, or two to five words), never its whole line, so that
 * other names, numbers and versions match too. The signatures are in `signatures/`, one file for each origin.
 */
import type { FailureStage } from './bucket.ts'

/** One way to know a bucket. */
export interface Signature {
  readonly bucket: string
  /** Which part of the log may show it: what a stage says counts only after the last time that stage was completed. */
  readonly stage: FailureStage
  /** One pattern, or several that must all be on one line, in any order. */
  readonly match: RegExp | readonly RegExp[]
  /** Something that the same line must not hold. */
  readonly unless?: RegExp
  /** Something else that the text must hold, anywhere since that completion, information and warnings included. */
  readonly and?: RegExp
  /** Something that settles the matter where it stands behind the match: a later try went well. */
  readonly settledBy?: RegExp
  /** Something that the text must not hold, anywhere. */
  readonly andNot?: RegExp
  /**
   * `cascade`: only follows from an earlier failure. `notice`: a tool says it in successful runs too. Both name the
   * failure only when no cause is in the log.
   */
  readonly rank?: 'cascade' | 'notice'
}

type More = Pick<Signature, 'and' | 'andNot' | 'settledBy' | 'unless' | 'rank'>

/** A signature of a stage. */
export const at =
  (stage: FailureStage) =>
  (bucket: string, match: Signature['match'], more: More = {}): Signature => ({ bucket, stage, match, ...more })
