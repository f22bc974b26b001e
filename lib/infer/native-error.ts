/**
 * Turns failures of native code into operating errors.
 *
 * `ffi` knows nothing of exit codes; here its errors become operating errors, and keep the cause. A bug stays a bug.
 */
import { FfiError } from '../../ffi/errors.ts'
import { RunbookError } from '../base/errors.ts'

const exitOf = { absent: 'blocked', refused: 'blocked', usage: 'usage', status: 'fail' } as const

/**
 * An error from below as an operating error; anything else as it is.
 *
 * @param words what to say in place of the error's own message or hint
 */
export function operatingError(
  thrown: unknown,
  words: (error: FfiError) => { message?: string; hint?: string } = () => ({}),
): unknown {
  if (!(thrown instanceof FfiError)) return thrown
  const { message = thrown.message, hint = thrown.hint } = words(thrown)
  return new RunbookError(exitOf[thrown.kind], message, hint, { cause: thrown })
}
