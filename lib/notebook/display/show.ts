/**
 * Everything that a runbook can show, from one import.
 *
 * A display is only a description until the recorder draws it: `show(table(rows), plot(spec))`. Nothing heavy loads
 * before that.
 */
import { plainText } from '../../base/text.ts'
import { cutLines, type Display } from './display.ts'
import { jsonValue } from './plain-value.ts'
import { proseHtml } from './prose.ts'

export { type Display } from './display.ts'
export { table, type TableOptions } from './table.ts'
export { bars, histogram, lines, plot } from './plot.ts'
export { type VegaLiteSpec } from './plot-svg.ts'
export { spectrogram, type SpectrogramResult } from './heat.ts'
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
      return { kind: 'json', title, text: words, mime, html: null, markdown: null, data: plain }
    },
  }
}
