/**
 * Writes down why a case failed: `<tag>_compile_failure.txt` for a person, and the same as JSON for a program.
 */
import { join } from 'node:path'
import { writeFileAtomic } from '../host/files.ts'
import type { Failure } from '../failure/classify.ts'
import type { CaseFiles, CaseResult } from './types.ts'

/** What a failure adds to its case's result. */
type FailedPart = Pick<CaseResult, 'exceptionType' | 'failureHead' | 'failure' | 'files'>

/**
 * Write both files into the case's folder.
 * @returns what the case's result says of the failure
 * @throws RunbookError blocked when the folder cannot be written
 */
export function writeFailure(tag: string, folder: string, failure: Failure, files: CaseFiles): FailedPart {
  const failureLog = `${tag}_compile_failure.txt`
  const head = [`exception_type: ${failure.exceptionType}`, `bucket: ${failure.bucket}`, `cause: ${failure.cause}`]
  writeFileAtomic(join(folder, failureLog), `${head.join('\n')}\n\n${failure.evidence}\n`)
  writeFileAtomic(join(folder, `${failureLog}.json`), `${JSON.stringify(failureRecord(failure), null, 2)}\n`)
  return {
    exceptionType: failure.exceptionType,
    failureHead: failure.evidence.slice(0, 500),
    failure,
    files: { ...files, failureLog },
  }
}

function failureRecord(failure: Failure): Record<string, unknown> {
  const { negativeExponent: slope } = failure
  return {
    exception_type: failure.exceptionType,
    exception_message: failure.evidence,
    signature: failure.bucket,
    negexp: slope ? { layer: slope.layer, desired_shift: slope.desiredShift, data_bits: slope.dataBits } : null,
    reshape_layers: failure.reshapeLayers,
    counters: failure.counters,
    layers: failure.layers,
    layer_family: failure.layerFamily,
    milestone: failure.milestone,
    cause: failure.cause,
  }
}
