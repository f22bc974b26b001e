/**
 * Whole logs as users bring them: several tools in one, causes above their consequences, successes with noise.
 *
 * Written for this project in the form that the tools print. Each row says the bucket, what the answer must name of the
 * log itself, and the log.
 */
import { compilerFieldTexts } from './texts-field-compiler.ts'
import { deviceFieldTexts } from './texts-field-device.ts'
import { onnxFieldTexts } from './texts-field-onnx.ts'
import { tensorrtFieldTexts } from './texts-field-tensorrt.ts'

/** A bucket, what cause and fix must say, and a log. */
export type FieldText = readonly [bucket: string, says: RegExp, log: string]

/** All of them. */
export const fieldTexts: readonly FieldText[] = [
  ...deviceFieldTexts,
  ...onnxFieldTexts,
  ...tensorrtFieldTexts,
  ...compilerFieldTexts,
]
