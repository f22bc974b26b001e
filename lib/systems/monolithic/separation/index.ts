/**
 * What a runbook needs to run a model on a recording.
 *
 * The room's public names, loaded with the body and not with `--help`.
 */
export { modelFacts } from './model-facts.ts'
export { openRecording, pickRecording } from '../pick-recording.ts'
export { orFailedMetrics } from './runtime-metrics.ts'
export { separateRecording } from './separate-recording.ts'
export { failureHint, gateSeparation, showSeparation } from './report.ts'
