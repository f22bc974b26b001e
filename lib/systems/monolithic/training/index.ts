/** What a runbook needs to train a network: the room's public names, loaded with the body and not with `--help`. */
export { findTorch, needPrograms, torchText } from './programs.ts'
export { prepareData, trainedIn, trainNetwork, voicesIn } from './train.ts'
export { cardOf, measure } from './measure.ts'
export { gateTraining } from './judge.ts'
export { ship } from './ship.ts'
export { downloadPackages, findPackages } from '../rebuild-recordings.ts'
