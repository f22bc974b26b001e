/**
 * The interface of everything that a cell shows, and text made safe for terminal, HTML and Markdown.
 *
 * A Display is drawn once, by the recorder. The helpers here make text safe for a terminal, for HTML and for Markdown,
 * and measure it in terminal columns. Tables, plots, pictures and sound are in files of their own.
 */
import { usageError } from '../../base/errors.ts'
import { oneLine, plainText } from '../../base/text.ts'
import type { OutputRecord } from '../views/report.ts'

/** Something a cell may show. `render` is called once; heavy packages load inside it. */
export interface Display {
  readonly kind: OutputRecord['kind']
  readonly title: string | null
  render(): OutputRecord | Promise<OutputRecord>
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text as HTML, fit for elements and for quoted attributes. */
export const escapeHtml = (text: string): string => plainText(text).replace(/[&<>"']/g, char => entities[char] ?? '')

/**
 * Text as one line of Markdown that means itself, also inside a table. An underscore inside a word stays, for readers.
 */
export function escapeMarkdown(text: string): string {
  return oneLine(text)
    .replace(/[\\`*[\]|~]/g, '\\$&')
    .replace(/&(?=[#\w]+;)/g, '&amp;')
    .replace(/<(?=[A-Za-z/!?])/g, '&lt;')
    .replace(/(?<!\w)_|_(?!\w)/g, '\\_')
    .replace(/^([-+#>]|\d+[.)])(?=\s|$)/, char =>
      /\d/.test(char) ? `${char.slice(0, -1)}\\${char.slice(-1)}` : `\\${char}`,
    )
}

/** A fenced block; the fence is longer than any run of backticks inside. */
export function fence(text: string, language = ''): string {
  const clean = plainText(text).replace(/\n+$/, '')
  const longest = Math.max(2, ...[...clean.matchAll(/`+/g)].map(run => run[0].length))
  const marks = '`'.repeat(longest + 1)
  return `${marks}${language}\n${clean}\n${marks}`
}

/** Bytes as a `data:` address. */
export const dataUrl = (mime: string, bytes: Uint8Array): string => `data:${mime};base64,${base64(bytes)}`

/** Bytes as base64, with no copy. */
export const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')

/** `512 B`, `17.1 kB`, `1.24 MB`: decimal units, three significant digits. */
export function sizeText(bytes: number): string {
  if (!Number.isFinite(bytes) || Math.abs(bytes) < 1000) return `${bytes} B`
  const power = Math.min(4, Math.floor(Math.log10(Math.abs(bytes)) / 3 + 1e-9))
  const scaled = bytes / 1000 ** power
  return `${Number(scaled.toPrecision(3))} ${['B', 'kB', 'MB', 'GB', 'TB'][power]}`
}

/**
 * A relative path as a link's target: nothing in it can become a scheme, a query or an anchor.
 *
 * @throws RunbookError usage when absolute
 */
export function relativeHref(path: string): string {
  if (path.startsWith('/')) {
    throw usageError(`Cannot link to "${path}": the path is absolute`, 'give it relative to the run folder')
  }
  return path.split('/').map(encodeURIComponent).join('/')
}

// Hangul, CJK and kana, full-width forms, pictographs.
const wide = new RegExp(
  '^[\\u1100-\\u115f\\u2e80-\\u303e\\u3041-\\ua4cf\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe4f' +
    '\\uff00-\\uff60\\uffe0-\\uffe6\\u{1f300}-\\u{1faff}\\u{20000}-\\u{3fffd}]',
  'u',
)
const widthless = /^[\p{Mn}\p{Me}\p{Cf}]/u
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })

function graphemeWidth(grapheme: string): number {
  if (wide.test(grapheme) || grapheme.includes('\ufe0f')) return 2
  return widthless.test(grapheme) ? 0 : 1
}

/** How many terminal columns a line takes: 2 for East Asian wide characters and emoji, 0 for marks that combine. */
export function displayWidth(line: string): number {
  if (/^[\x20-\x7e]*$/.test(line)) return line.length
  let width = 0
  for (const { segment } of graphemes.segment(line)) width += graphemeWidth(segment)
  return width
}

/** A line cut to at most `columns` terminal columns, with `…` where something was lost. */
export function cutToWidth(line: string, columns: number): string {
  if (displayWidth(line) <= columns) return line
  let cut = ''
  let width = 0
  for (const { segment } of graphemes.segment(line)) {
    width += graphemeWidth(segment)
    if (width > columns - 1) break
    cut += segment
  }
  return `${cut}…`
}

/** A line filled with spaces to `columns` terminal columns, on the left when `align` is `right`. */
export function padToWidth(line: string, columns: number, align: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, columns - displayWidth(line)))
  return align === 'right' ? space + line : line + space
}

/** The first and the last lines of a long text, and how many were left out between them. */
export function cutLines(text: string, o: { head: number; tail: number }): string {
  const lines = text.split('\n')
  const lost = lines.length - o.head - o.tail
  if (lost <= 1) return text
  return [...lines.slice(0, o.head), `… ${lost} more lines …`, ...lines.slice(lines.length - o.tail)].join('\n')
}
