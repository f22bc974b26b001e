/** How the stand-in speaks, and how it ends. */
/** One line on standard output. */
export const say = (line: string) => process.stdout.write(`${line}\n`)

/** Ends the program; the text goes to standard error, as Python's does. */
export class End extends Error {
  readonly exitCode: number

  constructor(exitCode: number, text = '') {
    super(text)
    this.exitCode = exitCode
  }
}
