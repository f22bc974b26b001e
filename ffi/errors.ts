/**
 * What may go wrong where native code begins?
 *
 * `ffi` stands below `lib` and knows nothing of exit codes: whoever opens a backend turns these into operating errors.
 */

/** An operating error of native code, without an exit code. */
export class FfiError extends Error {
  override readonly name = 'FfiError'
  /**
   * `absent`: a library, symbol or device is not there. `refused`: it is there and must not be used. `status`: a call
   * failed. `usage`: the caller erred.
   */
  readonly kind: 'absent' | 'refused' | 'status' | 'usage'
  readonly hint: string
  /** What the library answered, without what was being done: `RunWithBinding() answers FAIL: …`. */
  readonly said: string | undefined

  /** @param message one sentence without a full stop. @param hint a command or a flag that helps. */
  constructor(kind: FfiError['kind'], message: string, hint: string, o: { cause?: unknown; said?: string } = {}) {
    super(message, o)
    this.kind = kind
    this.hint = hint
    this.said = o.said
  }
}
