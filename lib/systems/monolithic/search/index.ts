/**
 * What does a runbook need to search for a graph that compiles? The room's public names, loaded with the body and not
 * with `--help`.
 */
export { convTasNetCase } from './convtasnet-case.ts'
export { closeSweep } from './closing.ts'
export { knobCommand } from './knob-command.ts'
export { outcomesOf, runLadder, sliceCases } from '../../../ladder/ladder.ts'
export { caseTeller, chooseKnob, milestoneTeller, searchRows } from '../../../ladder/report.ts'
export { openSearch } from './search.ts'
