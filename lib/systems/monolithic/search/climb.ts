/**
 * Compiles the rungs of a sweep in their order, and shows how each one went.
 */
import { shownPath } from '../../../host/files.ts'
import { runLadder } from '../../../ladder/ladder.ts'
import { caseTeller, milestoneTeller, searchRows } from '../../../ladder/report.ts'
import { sliceCases } from '../../../ladder/select.ts'
import type { ConvTasNetOptions } from '../../../models/convtasnet/options.ts'
import { bars, table } from '../../../notebook/display/show.ts'
import type { CellTools } from '../../../notebook/run/cells.ts'
import type { Run } from '../../../notebook/run/session.ts'
import { monolithicContract } from '../contract.ts'
import { convTasNetCase } from './convtasnet-case.ts'
import type { Search } from './search.ts'
import { sweepSummary } from './summary.ts'

/** What is compiled, as the inputs of a sweep say. */
export interface Climb {
  readonly rungs: readonly ConvTasNetOptions[]
  readonly inputs: {
    readonly profile: 'focused' | 'extended'
    readonly from: string | undefined
    readonly until: string | undefined
  }
  readonly run: Run
}

/**
 * Compile the rungs between `from` and `until`; gives a result for each, and the first that compiled.
 * @throws RunbookError usage when there is no such rung; blocked when the folder cannot be written
 */
export async function climbRungs(search: Search, { rungs, inputs, run }: Climb, tools: CellTools) {
  const { toolchain, setting } = search
  const cases = sliceCases(
    rungs.map(rung => convTasNetCase(rung, setting)),
    inputs,
  )
  const { files } = monolithicContract()
  const name = { dfc: files.summary, host: files.hostSummary, trtexec: files.trtexecSummary }[toolchain.name]
  const path = run.path(name)
  const climbed = await runLadder({
    ...search.ladder,
    cases,
    profile: inputs.profile,
    summary: sweepSummary(path, toolchain.name),
    onCase: caseTeller(tools, cases.length),
    onLine: milestoneTeller(tools.note),
  })
  const rows = searchRows(climbed.results)
  const ran = rows.filter(row => row.s > 0)
  tools.show(
    table(rows, { title: shownPath(path) }),
    bars(ran, { title: 'seconds per case', x: 'tag', y: 's', color: 'status' }),
  )
  return climbed
}
