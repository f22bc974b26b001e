/**
 * The one class of operating error, and the exit codes of every runbook.
 *
 * A message reads `Cannot <act> "<thing>": <current state>`; its hint is a command or a flag. An operating error prints
 * no stack. Anything that is not a RunbookError is a bug and prints one. No code reads a message: a caller that must
 * decide looks at `exit` and `code`.
 */

/** Exit codes. `blocked` means that something outside is absent: it is never a pass and never a fail. */
export const exitCodes = { pass: 0, fail: 1, usage: 2, blocked: 3, bug: 70, interrupted: 130 } as const

/** A name of an exit code. */
export type ExitName = keyof typeof exitCodes

/** An operating error: what happened, and what to do about it. */
export class RunbookError extends Error {
  override readonly name = 'RunbookError'
  /** The exit code, by name, that a runbook leaves with when nobody handles the error. */
  readonly exit: 'fail' | 'usage' | 'blocked' | 'interrupted'
  /** A command or a flag that helps. */
  readonly hint: string
  /** What happened, as one word for callers that must decide, such as `ENOSPC`; undefined when none needs it. */
  readonly code: string | undefined

  /**
   * @param exit `usage`: the caller gave something wrong (a flag, a malformed file). `blocked`: a file, tool, library,
   *   device or room on the disk is absent. `fail`: the question was answered, and the answer is no. `interrupted`:
   *   somebody stopped it.
   * @param message one sentence without a full stop, `Cannot <act> "<thing>": <current state>`
   * @param hint a command or a flag that helps
   */
  constructor(
    exit: RunbookError['exit'],
    message: string,
    hint: string,
    { cause, code }: { cause?: unknown; code?: string | undefined } = {},
  ) {
    super(message, cause === undefined ? {} : { cause })
    this.exit = exit
    this.hint = hint
    this.code = code
  }
}

/** The caller gave something wrong: exit code 2. */
export const usageError = (message: string, hint: string, cause?: unknown) =>
  new RunbookError('usage', message, hint, { cause })

/** Something outside is absent: exit code 3. */
export const blockedError = (message: string, hint: string, cause?: unknown) =>
  new RunbookError('blocked', message, hint, { cause })

/** The exit name for anything thrown. */
export const exitNameOf = (error: unknown): ExitName => (error instanceof RunbookError ? error.exit : 'bug')

/** Whether a thrown value is an operating error with this code. */
export const hasCode = (thrown: unknown, code: string): thrown is RunbookError =>
  thrown instanceof RunbookError && thrown.code === code

/** A thrown value as an Error, whatever was thrown. */
export const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)))
