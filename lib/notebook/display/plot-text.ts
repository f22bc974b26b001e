/**
 * Draws bars and sparklines of block characters for a terminal.
 *
 * Bars and sparklines of block characters, one line each. The shape is right; the numbers stand beside it.
 */
import { oneLine } from '../../base/text.ts'
import { cutToWidth, displayWidth, padToWidth } from './display.ts'
import { columnFormat } from './table.ts'

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']
const heights = [...'▁▂▃▄▅▆▇█']

/**
 * A value as a bar of at most `columns` characters, where `largest` fills them all; nothing for what is not a number.
 */
export function bar(value: number, o: { largest: number; columns: number }): string {
  if (!Number.isFinite(value) || !(o.largest > 0)) return ''
  const whole = Math.min(o.columns, (Math.abs(value) / o.largest) * o.columns)
  return '█'.repeat(Math.floor(whole)) + eighths[Math.floor((whole % 1) * 8)]!
}

/**
 * Values as a line of at most `columns` characters; a gap stands for what is not a number. Each column shows its mean.
 */
export function sparkline(values: ArrayLike<number>, o: { columns?: number; from?: number; to?: number } = {}): string {
  const columns = Math.min(o.columns ?? 60, values.length)
  const means = Array.from({ length: columns }, (_, i) =>
    meanOf(values, Math.floor((i * values.length) / columns), Math.floor(((i + 1) * values.length) / columns)),
  )
  const finite = means.filter(Number.isFinite)
  const from = o.from ?? Math.min(...finite)
  const span = (o.to ?? Math.max(...finite)) - from
  return means.map(mean => (Number.isFinite(mean) ? heightOf(mean - from, span) : ' ')).join('')
}

const heightOf = (above: number, span: number): string =>
  heights[span > 0 ? Math.min(7, Math.max(0, Math.floor((above / span) * 8))) : 0]!

function meanOf(values: ArrayLike<number>, from: number, to: number): number {
  let sum = 0
  let count = 0
  for (let i = from; i < to; i++) {
    if (!Number.isFinite(values[i]!)) continue
    sum += values[i]!
    count++
  }
  return count === 0 ? NaN : sum / count
}

/** One line per row: label, bar, value. At most 24 rows, and a note for the rest. */
export function barsText(
  rows: readonly { readonly label: string; readonly value: number; readonly note?: string }[],
): string {
  if (rows.length === 0) return '(no values)'
  const shown = rows.slice(0, 24)
  const labels = shown.map(row => cutToWidth(oneLine(row.label), 28))
  const width = Math.max(...labels.map(displayWidth))
  const largest = Math.max(0, ...rows.map(row => Math.abs(row.value)).filter(Number.isFinite))
  const format = columnFormat(
    '',
    rows.map(row => row.value),
  )
  const values = shown.map(row => format(row.value))
  const digits = Math.max(...values.map(value => value.length))
  const lines = shown.map(({ value, note }, i) => {
    const drawn = padToWidth(bar(value, { largest, columns: 30 }), 30)
    const remark = note ? `  ${oneLine(note)}` : ''
    return `${padToWidth(labels[i]!, width)}  ${drawn} ${values[i]!.padStart(digits)}${remark}`
  })
  return rows.length > shown.length ? [...lines, `… ${rows.length - shown.length} more`].join('\n') : lines.join('\n')
}
