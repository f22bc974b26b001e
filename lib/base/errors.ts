/**
 * What may go wrong on purpose, and which exit code does it leave with?
 *
 * One class. Its message reads `Cannot <act> "<thing>": <current state>`, and its hint is a command or a flag. An
 * operating
 * error prints no stack; anything that is not a RunbookError is a bug and prints one.
 */

/**
 * Exit codes of every runbook. `blocked` means that something outside is absent: it is never a pass and never a fail.
 */
export const exitCodes = { pass: 0, fail: 1, usage: 2, blocked: 3, bug: 70, interrupted: 130 } as const
export type ExitName = keyof typeof exitCodes

/** An operating error: what happened, and what to do about it. */
export class RunbookError extends Error {
  override readonly name = 'RunbookError'
  readonly exit: 'fail' | 'usage' | 'blocked' | 'interrupted'
  readonly hint: string

  /**
   * @param exit `usage`: the caller gave something wrong (a flag, a malformed file). `blocked`: a file, tool, library,
   * device or
   *   room on the disk is absent. `fail`: the question was answered, and the answer is no. `interrupted`: somebody
   * stopped it.
   * @param message one sentence without a full stop, `Cannot <act> "<thing>": <current state>`
   * @param hint a command or a flag that helps
   */
  constructor(exit: RunbookError['exit'], message: string, hint: string, options?: { cause?: unknown }) {
    super(message, options)
    this.exit = exit
    this.hint = hint
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

/** A thrown value as an Error, whatever was thrown. */
export const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)))
