/**
 * Renders rows as a table for a terminal, Markdown and HTML.
 *
 * One table, three renditions. Columns line up by their decimal point, `…Bytes` reads as kB and MB, NaN stays NaN, and
 * long text is cut in the terminal alone. The numbers themselves belong in a TSV or JSON artifact, not here.
 */
import { oneLine } from '../../base/text.ts'
import { cutToWidth, displayWidth, escapeHtml, escapeMarkdown, padToWidth, sizeText, type Display } from './display.ts'
import { jsonValue } from './plain-value.ts'
import type { OutputRecord } from '../views/report.ts'

/** On which side a column stands. */
export type Align = 'left' | 'right'

/** How a table is titled, ordered and cut. */
export interface TableOptions {
  readonly title?: string
  /** Which columns, in which order; all keys in order of first appearance unless given. */
  readonly columns?: readonly string[]
  /** Overrides by column: numbers stand right, all else left. */
  readonly align?: Readonly<Record<string, Align>>
  /** Rows shown at most, 100 unless given; a note says how many more there are. */
  readonly maxRows?: number
}

const widestCell = 48

/**
 * Rows as a table. An empty one says `(no rows)`.
 *
 * @example
 * ```ts
 * const shown = await table([
 *   { rung: 'large', snrDb: 31.4 },
 *   { rung: 'small', snrDb: 9.8 },
 * ]).render()
 * assert.match(shown.text, /large +31\.4/)
 * ```
 */
export function table(rows: readonly object[], o: TableOptions = {}): Display {
  return { kind: 'table', title: o.title ?? null, render: () => renderTable(rows as readonly Row[], o) }
}

type Row = Readonly<Record<string, unknown>>

function renderTable(rows: readonly Row[], o: TableOptions): OutputRecord {
  const title = o.title ?? null
  if (rows.length === 0) return output(title, '(no rows)', '<p class="note">(no rows)</p>', '(no rows)')
  const columns = o.columns ?? [...new Set(rows.flatMap(row => Object.keys(row)))]
  const shown = rows.slice(0, o.maxRows ?? 100)
  const format = columns.map(column =>
    columnFormat(
      column,
      rows.map(row => row[column]),
    ),
  )
  const cells = shown.map(row => columns.map((column, i) => format[i]!(row[column])))
  const align = columns.map(column => o.align?.[column] ?? (isNumeric(rows, column) ? 'right' : 'left'))
  const lost = rows.length - shown.length
  const note = lost > 0 ? `… ${lost} more ${lost === 1 ? 'row' : 'rows'}` : ''
  const record = output(
    title,
    [textTable(columns, cells, align), note].filter(Boolean).join('\n'),
    htmlTable(
      columns.map(escapeHtml),
      cells.map(row => row.map(escapeHtml)),
      align,
    ) + (note && `<p class="note">${note}</p>`),
    [
      markdownTable(
        columns.map(escapeMarkdown),
        cells.map(row => row.map(escapeMarkdown)),
        align,
      ),
      note,
    ]
      .filter(Boolean)
      .join('\n\n'),
  )
  return { ...record, data: jsonValue(shown) }
}

const output = (title: string | null, text: string, html: string, markdown: string): OutputRecord => ({
  kind: 'table',
  title,
  text,
  mime: { 'text/plain': text, 'text/html': html },
  html,
  markdown,
})

/** Cells as lines of text; `rows` hold one text per column. */
export function textTable(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  align: readonly Align[],
): string {
  const cut = [columns, ...rows].map(row => row.map(cell => cutToWidth(oneLine(cell), widestCell)))
  const lines = padColumns(cut, align).map(cells => cells.join('  ').trimEnd())
  const rule = widthsOf(cut)
    .map(width => '─'.repeat(width))
    .join('  ')
  return [lines[0], rule, ...lines.slice(1)].join('\n')
}

/** Cells, already Markdown, as a table that also lines up for whoever reads the source. */
export function markdownTable(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  align: readonly Align[],
): string {
  const least = columns.map(() => '---')
  const [, head, ...rest] = padColumns([least, columns, ...rows], align)
  const widths = widthsOf([least, columns, ...rows])
  const dashes = widths.map((width, i) => (align[i] === 'right' ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)))
  return [head!, dashes, ...rest].map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

/** Cells, already HTML, as a table that scrolls sideways by itself when it is too wide. */
export function htmlTable(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  align: readonly Align[],
): string {
  const style = (i: number) => (align[i] === 'right' ? ' style="text-align:right"' : '')
  const head = columns.map((html, i) => `<th${style(i)}>${html}</th>`).join('')
  // A narrow page stacks the cells of a row and shows each with its column.
  const label = columns.map(html => ` data-label="${html.replaceAll(/<[^>]*>/g, '')}"`)
  const cell = (html: string, i: number) => `<td${label[i] ?? ''}${style(i)}>${html}</td>`
  const body = rows.map(row => `<tr>${row.map(cell).join('')}</tr>`).join('\n')
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead>\n<tbody>${body}</tbody></table></div>`
}

const widthsOf = (rows: readonly (readonly string[])[]): number[] =>
  (rows[0] ?? []).map((_, i) => rows.reduce((widest, row) => Math.max(widest, displayWidth(row[i] ?? '')), 0))

function padColumns(rows: readonly (readonly string[])[], align: readonly Align[]): string[][] {
  const widths = widthsOf(rows)
  return rows.map(row => row.map((cell, i) => padToWidth(cell, widths[i]!, align[i])))
}

const isNumeric = (rows: readonly Row[], column: string): boolean => {
  const values = rows.map(row => row[column]).filter(value => value !== null && value !== undefined)
  return values.length > 0 && values.every(value => typeof value === 'number' || typeof value === 'bigint')
}

/** How one column prints its values: the same number of decimals throughout, so that they can be compared by eye. */
export function columnFormat(column: string, values: readonly unknown[]): (value: unknown) => string {
  const numbers = values.filter(value => typeof value === 'number').filter(Number.isFinite)
  const isSize = /(?:^b|B|_b)ytes$/.test(column)
  const largest = numbers.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  const whole = numbers.every(Number.isInteger)
  const grouped = whole && largest >= 10_000 && !/(?:id|seed|port|year|exit|pid)$/i.test(column)
  const decimals = whole || largest === 0 ? 0 : Math.min(8, Math.max(1, 3 - Math.floor(Math.log10(largest))))
  return value => {
    if (typeof value !== 'number') return valueText(value)
    if (!Number.isFinite(value)) return String(value)
    if (isSize) return sizeText(value)
    if (whole) return grouped ? value.toLocaleString('en-US') : String(value)
    const vanishes = value !== 0 && Math.abs(value) < 0.5 * 10 ** -decimals
    return vanishes || largest >= 1e9 ? value.toExponential(2) : value.toFixed(decimals)
  }
}

/** One value that is no number, as text: nothing for null, JSON for objects, a description for typed arrays. */
export function valueText(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'string') return oneLine(value)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString()
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${(value as Uint8Array).length ?? value.byteLength})`
  if (Array.isArray(value))
    return value.map(item => (typeof item === 'object' ? valueText(item) : String(item))).join(', ')
  if (typeof value !== 'object') return String(value)
  try {
    return JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? item.toString() : item))
  } catch {
    return '[circular]'
  }
}
