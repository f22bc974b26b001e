/**
 * What is known of one kind of failure: where it belongs, why it happens, what helps.
 *
 * The kinds themselves are in `buckets/`, one file for each origin; `buckets.ts` joins them.
 */

/** Where in the pipeline a failure belongs. `any` may strike anywhere; `build` is TensorRT's single step. */
export type FailureStage = 'parse' | 'optimize' | 'compile' | 'runtime' | 'build' | 'any'

/**
 * A more exact answer for some of a bucket's logs. `{name}` in `cause` and `fix` stands for a fact of `facts.ts`; an
 * advice whose facts are not all in the log is passed over.
 */
export interface Advice {
  /** What the line that matched, or else the log, must hold; any log when absent. */
  readonly when?: RegExp
  readonly cause: string
  /** Ends in a command where there is one. */
  readonly fix: string
}

/** What is known of one kind of failure. */
export interface Bucket {
  readonly stage: FailureStage
  /** One sentence: why it happens. */
  readonly cause: string
  /** One step that helps most often. */
  readonly nextKnob: string
  /**
   * True only when the failure says something about the network: an environment, a timeout or a full disk never does.
   */
  readonly isInfeasible: boolean
  /** The name for `exception_type` when the log shows none. */
  readonly exceptionType: string
  /** Tried in order; `cause` and `nextKnob` hold when none fits. */
  readonly advice: readonly Advice[]
}

/** A bucket of a stage: exception name, cause, next step, and what is known more exactly. */
export const bucketAt =
  (stage: FailureStage) =>
  (exceptionType: string, cause: string, nextKnob: string, advice: readonly Advice[] = []): Bucket => ({
    stage,
    exceptionType,
    cause,
    nextKnob,
    isInfeasible: false,
    advice,
  })

/** The same bucket, of a failure that says that this network does not fit. */
export const infeasible = (bucket: Bucket): Bucket => ({ ...bucket, isInfeasible: true })
