/**
 * Says why ONNX Runtime refuses a model, and what helps, in the words that the log reader has for the same refusal.
 */
import { existsSync, realpathSync } from 'node:fs'
import { dirname } from 'node:path'
import { blockedError, usageError, type RunbookError } from '../../base/errors.ts'
import { classifyFailure } from '../../failure/classify.ts'

/** Where in its own source the library stood, with the whole signature of a function. */
const place = /(?<=:)\/\S{1,200}\.(?:cc|h):\d{1,6} [^()]{1,200}\((?:[^()]|\([^()]{0,300}\)){0,1000}\)(?: const)? /

/** What helps in this program, which runs a library and no Python package. */
const hints: Readonly<Record<string, string>> = {
  onnx_too_new:
    'export again with a lower opset and IR version, or name a newer libonnxruntime.so with ONNXRUNTIME_LIB',
  onnx_unknown_operator: 'export again without that operator, or name a newer libonnxruntime.so with ONNXRUNTIME_LIB',
}

/** Without the folder of the model, by either of its names. */
function besideOf(path: string, fix: string): string {
  const real = existsSync(path) ? realpathSync(path) : path
  return fix.replaceAll(`${dirname(real)}/`, '').replaceAll(`${dirname(path)}/`, '')
}

/**
 * The error for a model that was refused: blocked when its weights lie in a file that is not there, else usage.
 *
 * @param words what the library said
 */
export function refusal(path: string, words: string, thrown: unknown): RunbookError {
  const said = words.replaceAll(/\s+/g, ' ').replace(place, ' ').trim()
  const { bucket, cause, fix } = classifyFailure(`onnxruntime: ${said}`)
  const isKnown = bucket.startsWith('onnx_')
  const why = isKnown ? `${cause}: ${said}` : said
  const message = `Cannot open "${path}": ONNX Runtime refuses it: ${why.slice(0, 700)}`
  const isBeside = bucket === 'onnx_external_data'
  const here = hints[bucket] ?? (isBeside ? besideOf(path, fix) : fix)
  const hint = isKnown ? here : 'check the file: it may be cut short, or not be ONNX'
  return isBeside ? blockedError(message, hint, thrown) : usageError(message, hint, thrown)
}
