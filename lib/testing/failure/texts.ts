/**
 * Reads the logs that the classifier is tested on.
 *
 * Each `.ndjson` file beside this one holds a row for each log: the bucket it belongs to, the log, and in some a
 * pattern (`says`) that cause and fix must match. All were written for this project in the form that the tools print:
 * names, numbers and wording vary on purpose, only the identifiers are those of the tools. Recorded logs lie in the
 * data folder and are scored apart.
 */
import { join } from 'node:path'
import { readNdjson } from '../../host/ndjson.ts'

/** A bucket, a log of that kind, and what cause and fix must say. */
export interface FailureText {
  readonly bucket: string
  readonly log: string
  readonly says: RegExp
}

/** The rows of a file of this folder, named without its ending. */
export const failureTexts = (name: string): FailureText[] =>
  (readNdjson(join(import.meta.dirname, `${name}.ndjson`)) as { bucket: string; log: string; says?: string }[]).map(
    ({ bucket, log, says = '' }) => ({ bucket, log, says: new RegExp(says) }),
  )
