/**
 * Draws a field of decibels, such as a spectrogram, as a picture.
 *
 * A palette PNG with low frequencies at the bottom, its axes in HTML around it so that they stay legible at every
 * width, and a coarse version in shades for the terminal. A vector plot of as many rectangles would weigh fifty times
 * as much.
 */
import { base64, dataUrl, escapeHtml, type Display } from './display.ts'
import { usageError } from '../../base/errors.ts'
import { encodePng } from './png.ts'
import type { OutputRecord } from '../views/report.ts'

/** What `Spectrogram.result()` of `lib/signal/spectrogram.ts` gives. */
export interface SpectrogramResult {
  readonly columns: number
  readonly rows: number
  /** Row-major [rows][columns]; row 0 is the lowest frequency. */
  readonly db: Float32Array
  readonly secondsPerColumn: number
  readonly hzPerRow: number
}

// Near-black over violet and rose to pale yellow; the lightness rises steadily, so that it also reads in grey.
const anchors = ['#050310', '#1f1147', '#4c147b', '#7d2482', '#b03a78', '#de5561', '#f68a55', '#fdc27e', '#fcf7c2']

/** 256 colours from silent to loud, three bytes each. */
export const heatPalette: Uint8Array = Uint8Array.from({ length: 768 }, (_, i) => {
  const place = (Math.floor(i / 3) / 255) * (anchors.length - 1)
  const left = Math.min(anchors.length - 2, Math.floor(place))
  const channel = (hex: string) => Number.parseInt(hex.slice(1 + (i % 3) * 2, 3 + (i % 3) * 2), 16)
  return Math.round(channel(anchors[left]!) + (place - left) * (channel(anchors[left + 1]!) - channel(anchors[left]!)))
})

/** Decibels as palette indices: `top` and above give 255, `floor` and below, and NaN, give 0. */
export function indicesFromDb(db: Float32Array, o: { floor: number; top: number }): Uint8Array {
  const scale = 255 / (o.top - o.floor)
  return Uint8Array.from(db, value => (value > o.floor ? Math.min(255, Math.round((value - o.floor) * scale)) : 0))
}

/** How far below the loudest point a spectrogram still shows something, in dB. */
const rangeDb = 80
/** What 16 bits cannot hold. Measured against itself, silence would be the brightest picture of all. */
const silenceDb = -100

/**
 * A spectrogram, 80 dB deep below its loudest point.
 *
 * @throws RunbookError usage when the values do not fit the shape
 */
export function spectrogram(result: SpectrogramResult, o: { title?: string } = {}): Display {
  const { columns, rows, db } = result
  if (db.length !== columns * rows || db.length === 0) {
    const hint = 'give it the result of a Spectrogram that has heard something'
    throw usageError(`Cannot show a spectrogram of ${rows} x ${columns}: it holds ${db.length} values`, hint)
  }
  return { kind: 'image', title: o.title ?? null, render: () => renderSpectrogram(result, o.title ?? null) }
}

function renderSpectrogram(result: SpectrogramResult, title: string | null): OutputRecord {
  const { columns, rows } = result
  const loudest = result.db.reduce((top, value) => (Number.isFinite(value) ? Math.max(top, value) : top), -Infinity)
  const isSilent = !(loudest > silenceDb)
  const top = isSilent ? 0 : loudest
  const rising = indicesFromDb(result.db, { floor: top - rangeDb, top })
  const pixels = new Uint8Array(rising.length)
  for (let row = 0; row < rows; row++)
    pixels.set(rising.subarray(row * columns, (row + 1) * columns), (rows - 1 - row) * columns)
  const png = encodePng({ width: columns, height: rows, pixels, palette: heatPalette })
  const seconds = columns * result.secondsPerColumn
  const hz = rows * result.hzPerRow
  const facts = !isSilent
    ? `0 to ${round(seconds)} s, 0 to ${round(hz / 1000)} kHz, loudest ${round(top)} dB, ${rangeDb} dB deep`
    : `0 to ${round(seconds)} s, 0 to ${round(hz / 1000)} kHz, silent`
  const text = `${shades(pixels, { columns, rows })}\n${facts}`
  const html = spectrogramHtml(dataUrl('image/png', png), { seconds, hz, top, facts, title })
  return { kind: 'image', title, text, mime: { 'text/plain': text, 'image/png': base64(png) }, html, markdown: null }
}

const round = (value: number): number => Number(value.toPrecision(3))

interface Scale {
  readonly seconds: number
  readonly hz: number
  readonly top: number
  readonly facts: string
  readonly title: string | null
}

function spectrogramHtml(src: string, o: Scale): string {
  const up = ticks(o.hz / 1000, 4).map(at => {
    const part = (at * 1000) / o.hz
    const place = `right:.4em;bottom:${percent(part)};transform:translateY(${inward(part)}%)`
    return `<span style="position:absolute;${place}">${at}</span>`
  })
  const along = ticks(o.seconds, 6).map(at => {
    const part = at / o.seconds
    return `<span style="position:absolute;left:${percent(part)};transform:translateX(-${inward(part)}%)">${at}</span>`
  })
  const stops = Array.from({ length: 9 }, (_, i) => {
    const at = Math.round((i / 8) * 255) * 3
    return `rgb(${heatPalette.subarray(at, at + 3).join(' ')})`
  })
  const gradient = `linear-gradient(90deg,${stops.join(',')})`
  const swatch = `display:inline-block;width:8em;height:.7em;margin:0 .4em;background:${gradient}`
  const alt = escapeHtml(`spectrogram${o.title ? ` of ${o.title}` : ''}: ${o.facts}`)
  return [
    '<div class="heat" style="display:grid;grid-template-columns:2.6em 1fr;font-size:.75rem">',
    `<div style="position:relative">${up.join('')}</div>`,
    `<img src="${src}" alt="${alt}" style="display:block;width:100%;height:13rem">`,
    `<div></div><div style="position:relative;height:1.5em;overflow:hidden">${along.join('')}</div>`,
    `<div></div><div>kHz over seconds; ${round(o.top - rangeDb)} dB`,
    `<span style="${swatch}"></span>${round(o.top)} dB</div>`,
    '</div>',
  ].join('')
}

const percent = (part: number): string => `${Number((part * 100).toFixed(2))}%`
/** How far a label moves, in percent of itself, so that the first and the last stay inside. */
const inward = (part: number): number => (part < 0.02 ? 0 : part > 0.98 ? 100 : 50)

/** Round numbers from 0 to `end`, about `count` of them. */
export function ticks(end: number, count: number): number[] {
  if (!(end > 0) || !Number.isFinite(end)) return [0]
  const power = 10 ** Math.floor(Math.log10(end / count))
  const step = [1, 2, 5, 10].find(factor => factor * power >= end / count)! * power
  return Array.from({ length: Math.floor(end / step + 1e-9) + 1 }, (_, i) => Number((i * step).toPrecision(12)))
}

const shade = [...' ░▒▓█']

/** The picture in at most 64 x 8 characters; each shows the mean of its pixels. */
function shades(pixels: Uint8Array, { columns, rows }: { columns: number; rows: number }): string {
  const across = stretches(columns, 64)
  const line = ([top, bottom]: Stretch) =>
    across.map(([left, right]) => {
      const parts = Array.from({ length: bottom - top }, (_, y) =>
        pixels.subarray((top + y) * columns).subarray(left, right),
      )
      const sum = parts.reduce((all, part) => all + part.reduce((a, b) => a + b, 0), 0)
      return shade[Math.floor((sum / ((bottom - top) * (right - left)) / 256) * shade.length)]
    })
  return stretches(rows, 8)
    .map(stretch => line(stretch).join('').trimEnd())
    .join('\n')
}

type Stretch = readonly [from: number, to: number]

/** `all` in at most `most` stretches that follow each other, as [from, to). */
function stretches(all: number, most: number): Stretch[] {
  const count = Math.min(all, most)
  return Array.from({ length: count }, (_, i) => [Math.floor((i * all) / count), Math.floor(((i + 1) * all) / count)])
}
