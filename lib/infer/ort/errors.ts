/** Turns what ONNX Runtime's C API answers into operating errors. */
import { FfiError } from '../../../ffi/errors.ts'
import { RunbookError, usageError } from '../../base/errors.ts'
import { refusal } from './refusal.ts'

/** What failed when a model was opened: as `refusal` for a file that the library refuses. Others are given back. */
export function openError(path: string, thrown: unknown): unknown {
  if (!(thrown instanceof FfiError)) return thrown
  if (thrown.kind !== 'status') return usageError(thrown.message, thrown.hint, thrown)
  return refusal(path, thrown.said ?? thrown.message, thrown)
}

/** What failed when a model was run: fail in the library's words, usage for what the caller gave. */
export function inferError(path: string, thrown: unknown): unknown {
  if (!(thrown instanceof FfiError)) return thrown
  if (thrown.kind !== 'status') return usageError(thrown.message, thrown.hint, thrown)
  const hint = 'check the numbers that are fed, and the graph'
  return new RunbookError('fail', `Cannot infer with "${path}": ${said(thrown)}`, hint, { cause: thrown })
}

// The library puts the place in its own source first, so that the point comes late.
const said = ({ message, said: words = message }: FfiError) => words.replaceAll(/\s+/g, ' ').slice(0, 600)
