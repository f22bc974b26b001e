/**
 * The one class of operating error of native code.
 *
 * It knows nothing of exit codes: whoever opens a backend turns it into an operating error of a runbook.
 */

/** Where a library was looked for, and what helps. */
export interface LibrarySearch {
  /** How many places were tried. */
  readonly places: number
  /** The places with what was wrong with each: first the files that are there, then those that are not. */
  readonly tried: readonly string[]
  /** The first file that is there and does not open, with what is wrong with it; null when there is none. */
  readonly broken: string | null
  /** The package that has the library, or the line that installs it. */
  readonly install: string
  /** The other way: the line that says where the library is. */
  readonly elsewhere: string
}

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
  /** Where a library was looked for, when none opened. */
  readonly search: LibrarySearch | undefined
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
    o: { cause?: unknown; said?: string; file?: string; code?: string; search?: LibrarySearch } = {},
  ) {
    super(message, o.cause === undefined ? {} : { cause: o.cause })
    this.kind = kind
    this.hint = hint
    this.said = o.said
    this.file = o.file
    this.code = o.code
    this.search = o.search
  }
}
