/** Reads newline-delimited JSON: one document a line; empty lines do not count. */
import { readFile } from './files.ts'
import { usageError } from '../base/errors.ts'

/**
 * Read every row.
 *
 * @throws RunbookError blocked when absent; usage naming the line that is not JSON, or when there is no row
 */
export function readNdjson(path: string): unknown[] {
  const rows = readFile(path)
    .toString('utf8')
    .split('\n')
    .map((text, i) => ({ text: text.trim(), n: i + 1 }))
    .filter(({ text }) => text !== '')
  if (rows.length === 0) throw usageError(`Cannot read "${path}": it holds no row`, 'one JSON document a line')
  return rows.map(({ text, n }) => {
    try {
      return JSON.parse(text) as unknown
    } catch (thrown) {
      throw usageError(
        `Cannot read "${path}": line ${n} is not JSON (${(thrown as Error).message})`,
        'one JSON document a line',
        thrown,
      )
    }
  })
}
