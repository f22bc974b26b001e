/**
 * Reads and writes tables in Python's `excel-tab` dialect: tabs, CRLF, minimal quotes.
 *
 * Values are text; booleans are `true` and `false`. Reading gives rows of text keyed by the header.
 */
import Papa from 'papaparse'
import { readFile, writeFileAtomic } from './files.ts'
import { usageError } from '../base/errors.ts'
import { plainText } from '../base/text.ts'

/** What a cell of a table may hold; null and undefined are empty. */
export type TsvValue = string | number | boolean | null | undefined

/** A table as TSV text, one line per row and a header, each ended by CRLF. */
export function formatTsv(columns: readonly string[], rows: readonly Readonly<Record<string, TsvValue>>[]): string {
  const data = rows.map(row => columns.map(column => plainCell(row[column] ?? '')))
  return Papa.unparse({ fields: [...columns], data }, { delimiter: '\t', newline: '\r\n' }) + '\r\n'
}

/** Text that a spreadsheet would run as a formula; a number with its sign is none. */
const formula = /^'*[=+@\t\r]|^'*-(?![\d.]|inf\b)/i

/** Text that no spreadsheet runs, by a quote before it which `readTsv` takes away again, and no terminal obeys. */
function plainCell(value: TsvValue): TsvValue {
  if (typeof value !== 'string') return value
  const plain = plainText(value)
  return formula.test(plain) ? `'${plain}` : plain
}

/** Write a table whole or not at all. */
export function writeTsv(
  path: string,
  columns: readonly string[],
  rows: readonly Readonly<Record<string, TsvValue>>[],
): void {
  writeFileAtomic(path, formatTsv(columns, rows))
}

/**
 * Read a table.
 *
 * @throws RunbookError blocked when absent, usage when a row has another number of columns than the header
 */
export function readTsv(path: string): Record<string, string>[] {
  const parsed = Papa.parse<Record<string, string>>(readFile(path).toString('utf8'), {
    delimiter: '\t',
    header: true,
    skipEmptyLines: true,
  })
  const first = parsed.errors[0]
  if (first)
    throw usageError(
      `Cannot read "${path}": row ${(first.row ?? 0) + 1}: ${first.message}`,
      'compare the row with the header',
    )
  for (const row of parsed.data)
    for (const [column, value] of Object.entries(row))
      if (value?.startsWith("'") && formula.test(value.slice(1))) row[column] = value.slice(1)
  return parsed.data
}
