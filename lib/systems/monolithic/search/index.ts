/**
 * The room's public names: what a runbook needs to search for a graph that compiles, loaded with the body and not with
 * `--help`.
 */
export { chooseKnob, outcomesOf } from '../knob/choose-knob.ts'
export { climbRungs } from './climb.ts'
export { closeCompileOnly, closeSweep, hasTrainedWeights } from './closing.ts'
export { knobCommand } from '../knob/knob-command.ts'
export { soundSource, stockModel } from '../given/stock-model.ts'
export { sweepModels } from '../given/sweep-models.ts'
export { printWeights } from './print-weights.ts'
export { openSearch } from './search.ts'
export { promisesOf } from './promises.ts'
export { gateLikeness, separateWinner } from './winner.ts'
