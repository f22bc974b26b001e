/**
 * What does a runbook need to look into a graph? The room's public names, loaded with the body and not with `--help`.
 */
export { decodeModel } from '../formats/onnx/index.ts'
export { checkModel } from './check/check.ts'
export { inspect } from './inspect.ts'
