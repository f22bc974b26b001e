/**
 * Runs a command in a terminal of its own and counts the rows that it leaves on the screen.
 *
 * The terminal is that of util-linux's `script`; what was drawn over is not counted, and what wraps is.
 */
import { capture } from '../../host/exec.ts'
import { displayWidth } from '../../notebook/display/display.ts'
import { shellWord } from '../../base/text.ts'

/** What a command drew, and its exit code. */
export interface Drawn {
  readonly rows: readonly string[]
  readonly exitCode: number | null
}

/**
 * Run a command in a terminal of so many columns.
 *
 * @throws RunbookError blocked when `script` is not installed
 */
export async function drawnBy(
  command: readonly string[],
  o: { columns: number; cwd: string; env?: Readonly<Record<string, string | undefined>>; timeoutMs: number },
): Promise<Drawn> {
  const inside = `stty rows 24 cols ${o.columns} && exec ${command.map(shellWord).join(' ')}`
  const { stdout, exitCode } = await capture(['script', '-qefc', inside, '/dev/null'], o)
  return { rows: screenRows(stdout, o.columns), exitCode }
}

/** The rows of a screen of so many columns after a text was written to it, without empty ones at its end. */
export function screenRows(text: string, columns: number): string[] {
  const rows: string[] = ['']
  let row = 0
  let column = 0
  const down = () => {
    row++
    column = 0
    if (rows.length <= row) rows.push('')
  }
  for (const [piece] of text.matchAll(/\x1b\[[0-9;?]*[A-Za-z]|[\s\S]/gu)) {
    if (piece === '\r') column = 0
    else if (piece === '\n') down()
    else if (piece === '\x1b[2K') rows[row] = ''
    else if (piece >= ' ') {
      if (column >= columns) down()
      rows[row] = rows[row]!.slice(0, column).padEnd(column) + piece + rows[row]!.slice(column + 1)
      column += displayWidth(piece)
    }
  }
  while (rows.length > 0 && rows.at(-1)!.trim() === '') rows.pop()
  return rows
}
