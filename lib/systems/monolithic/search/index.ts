/**
 * The room's public names: what a runbook needs to search for a graph that compiles, loaded with the body and not with
 * `--help`.
 */
export { chooseKnob, outcomesOf } from '../knob/choose-knob.ts'
export { convTasNetCase } from './convtasnet-case.ts'
export { closeCompileOnly, closeSweep, hasTrainedWeights } from './closing.ts'
export { knobCommand } from '../knob/knob-command.ts'
export { runLadder } from '../../../ladder/ladder.ts'
export { caseTeller, milestoneTeller, searchRows } from '../../../ladder/report.ts'
export { sliceCases } from '../../../ladder/select.ts'
export { sweepModels } from '../given/sweep-models.ts'
export { printWeights } from './print-weights.ts'
export { openSearch } from './search.ts'
export { sweepSummary } from './summary.ts'
export { promisesOf } from './promises.ts'
