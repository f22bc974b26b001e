/**
 * Makes a failure of what a tool did not report itself: it ended well, and what it made says otherwise.
 */
import { bucketOf } from '../failure/buckets.ts'
import type { Failure } from '../failure/classify.ts'
import { lastMilestone, readLog } from '../failure/log-reading.ts'

/** A failure that the tool did not report itself. `evidence` is ours; the last milestone is the log's. */
export function failureFrom(bucket: string, o: { evidence: string; log: string }): Failure {
  const { cause, exceptionType, isInfeasible, nextKnob } = bucketOf(bucket)
  return {
    bucket,
    exceptionType,
    cause,
    fix: nextKnob,
    isInfeasible,
    evidence: o.evidence.replaceAll(/\s+/g, ' ').slice(0, 500),
    milestone: lastMilestone(readLog(o.log).lines),
    layerFamily: null,
    layers: [],
    counters: [],
    reshapeLayers: [],
  }
}
