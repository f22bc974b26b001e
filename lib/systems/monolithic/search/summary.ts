/**
 * The 17 columns of the monolithic summary, and the rungs that they describe.
 *
 * The names of the columns are the plan's, also on the host: there `har` stands for the parsed graph and `hef` for the
 * compiled one, and the table has a name of its own.
 */
import { shownPath } from '../../../host/files.ts'
import type { TsvValue } from '../../../host/tsv.ts'
import type { LadderSummary } from '../../../ladder/ladder.ts'
import { hasPassed, isCompiled, type CaseResult } from '../../../ladder/types.ts'
import { monolithicContract } from '../contract.ts'
import type { Sizes } from '../../../models/convtasnet/options.ts'

/** One rung: channels, blocks, the input length in samples, and the encoder's kernel and stride. */
export type CaseConfig = Sizes

/** How one ConvTasNet went. */
export type ConvTasNetResult = CaseResult<CaseConfig>

/** The summary of a sweep, written to `path`. */
export const sweepSummary = (path: string): LadderSummary<CaseConfig> => ({
  path,
  columns: monolithicContract().tsv.sweepColumns,
  row: summaryRow,
})

/**
 * A row of the summary.
 * @param at where a file of the case lies
 */
export function summaryRow(result: ConvTasNetResult, at: (name: string) => string): Record<string, TsvValue> {
  const { config, files } = result
  const path = (name: string) => (name === '' ? '' : shownPath(at(name)))
  return {
    run_tag: result.tag,
    n_filters: config.nFilters,
    bn_chan: config.bnChan,
    hid_chan: config.hidChan,
    skip_chan: config.skipChan,
    n_blocks: config.nBlocks,
    n_repeats: config.nRepeats,
    input_len: config.inputLen,
    har_success: hasPassed(result, 'parsed'),
    hef_success: isCompiled(result),
    exception_type: result.exceptionType,
    failure_head: result.failureHead.replaceAll(/\s+/g, ' ').slice(0, monolithicContract().limits.failureHeadMaxChars),
    har_path: path(files.parsed),
    hef_path: path(files.compiled),
    har_log: path(files.parseLog),
    hef_log: path(files.compileLog),
    failure_log: path(files.failureLog),
  }
}
