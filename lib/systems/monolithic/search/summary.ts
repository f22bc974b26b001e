/**
 * The 17 columns of the monolithic summary, and the rungs that they describe.
 *
 * The names of the columns are the plan's, also on the host: there `har_success` and `hef_success` say `host` where the
 * graph was checked and where it was compiled for this CPU, and the table has a name of its own.
 */
import { shownPath } from '../../../host/files.ts'
import type { TsvValue } from '../../../host/tsv.ts'
import type { LadderSummary } from '../../../ladder/ladder.ts'
import { hasPassed, isCompiled, type CaseResult } from '../../../ladder/types.ts'
import type { Toolchain } from '../../../compile/toolchain.ts'
import { monolithicContract } from '../contract.ts'
import type { Sizes } from '../../../models/convtasnet/options.ts'

/** One rung: channels, blocks, the input length in samples, and the encoder's kernel and stride. */
export type CaseConfig = Sizes

/** How one ConvTasNet went. */
export type ConvTasNetResult = CaseResult<CaseConfig>

/** The summary of a sweep, written to `path`. */
export const sweepSummary = (path: string, toolchain: Toolchain['name']): LadderSummary<CaseConfig> => ({
  path,
  columns: monolithicContract().tsv.sweepColumns,
  row: (result, at) => summaryRow(result, at, toolchain),
})

/**
 * A row of the summary.
 * @param at where a file of the case lies
 */
export function summaryRow(
  result: ConvTasNetResult,
  at: (name: string) => string,
  toolchain: Toolchain['name'],
): Record<string, TsvValue> {
  const { config, files } = result
  // On the host no HAR and no HEF is made: what passed there passed on the host.
  const yes = toolchain === 'dfc' ? true : toolchain
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
    har_success: hasPassed(result, 'parsed') && yes,
    hef_success: isCompiled(result) && yes,
    exception_type: result.exceptionType,
    failure_head: result.failureHead.replaceAll(/\s+/g, ' ').slice(0, monolithicContract().limits.failureHeadMaxChars),
    har_path: path(files.parsed),
    hef_path: path(files.compiled),
    har_log: path(files.parseLog),
    hef_log: path(files.compileLog),
    failure_log: path(files.failureLog),
  }
}
