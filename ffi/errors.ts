/**
 * The one class of operating error of native code.
 *
 * It knows nothing of exit codes: whoever opens a backend turns it into an operating error of a runbook.
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
  /** What is wrong, without what was being done: `RunWithBinding() answers FAIL: …`. */
  readonly said: string | undefined
  /** The file that the message names, so that nobody names it twice. */
  readonly file: string | undefined
  /** What happened, as one word for callers that must decide: `library-absent`. */
  readonly code: string | undefined

  /**
   * @param kind what it is to the caller
   * @param message one sentence without a full stop
   * @param hint a command or a flag that helps
   */
  constructor(
    kind: FfiError['kind'],
    message: string,
    hint: string,
    o: { cause?: unknown; said?: string; file?: string; code?: string } = {},
  ) {
    super(message, o.cause === undefined ? {} : { cause: o.cause })
    this.kind = kind
    this.hint = hint
    this.said = o.said
    this.file = o.file
    this.code = o.code
  }
}
