/**
 * The public names of this folder. A runbook imports them inside its body, so that `--help` does not load them.
 */
export { decodeModel } from '../formats/onnx/index.ts'
export { checkModel } from './check/check.ts'
export { inspect } from './inspect.ts'
