/**
 * Everything that a runbook can show, from one import.
 *
 * A display is only a description until the recorder draws it: `show(table(rows), plot(spec))`. Nothing heavy loads
 * before that.
 */
import { plainText } from '../../base/text.ts'
import { cutLines, type Display } from './display.ts'
import { proseHtml } from './prose.ts'

export { type Display } from './display.ts'
export { table, type TableOptions } from './table.ts'
export { bars, histogram, lines, plot } from './plot.ts'
export { type VegaLiteSpec } from './plot-svg.ts'
export { image, spectrogram, type SpectrogramResult } from './heat.ts'
export { audio, type AudioOptions } from './audio.ts'

interface Titled {
  readonly title?: string
}

/** Plain text, as `print` would say it. */
export function text(words: string, o: Titled = {}): Display {
  const clean = plainText(words)
  const title = o.title ?? null
  const record = {
    kind: 'text',
    title,
    text: clean,
    mime: { 'text/plain': clean },
    html: null,
    markdown: null,
  } as const
  return { kind: 'text', title, render: () => record }
}

/** Markdown prose. HTML inside it is shown as text in the HTML report. */
export function markdown(prose: string, o: Titled = {}): Display {
  const title = o.title ?? null
  const clean = plainText(prose).trim()
  return {
    kind: 'markdown',
    title,
    render: () => {
      const mime = { 'text/plain': clean, 'text/markdown': clean }
      return { kind: 'markdown', title, text: clean, mime, html: proseHtml(clean), markdown: clean }
    },
  }
}

/** A plain value as JSON. NaN and the infinities become text, long typed arrays are described, a circle is named. */
export function json(value: unknown, o: Titled = {}): Display {
  const title = o.title ?? null
  return {
    kind: 'json',
    title,
    render: () => {
      const plain = jsonValue(value) ?? null
      const words = cutLines(JSON.stringify(plain, null, 2), { head: 200, tail: 20 })
      const mime = { 'text/plain': words, 'application/json': plain }
      return { kind: 'json', title, text: words, mime, html: null, markdown: null }
    },
  }
}

/** The longest typed array that is written out. */
const writtenOut = 64

/** A value that JSON can say without loss of meaning; undefined for functions and symbols. */
export function jsonValue(value: unknown, above: readonly object[] = []): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString()
  if (typeof value === 'function' || typeof value === 'symbol') return undefined
  if (value === null || typeof value !== 'object') return value
  if (above.includes(value)) return '[circular]'
  const inside = [...above, value]
  if (ArrayBuffer.isView(value)) return typedArrayValue(value)
  if (Array.isArray(value)) return value.map(item => jsonValue(item, inside) ?? null)
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, item]) => [String(key), jsonValue(item, inside)]))
  if (value instanceof Set) return [...value].map(item => jsonValue(item, inside) ?? null)
  if (value instanceof Error) return { name: value.name, message: value.message }
  if ('toJSON' in value && typeof value.toJSON === 'function') return jsonValue(value.toJSON(), inside)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, jsonValue(item, inside)]))
}

function typedArrayValue(view: ArrayBufferView): unknown {
  if (view instanceof DataView) return `DataView(${view.byteLength})`
  const items = view as unknown as Iterable<unknown> & { readonly length: number }
  return items.length > writtenOut
    ? `${view.constructor.name}(${items.length})`
    : [...items].map(item => jsonValue(item))
}
