/**
 * Draws vega-lite plots as SVG without a browser.
 *
 * A vega-lite specification with inline values, drawn by vega with no DOM. Nothing is fetched: a specification that
 * names an address is refused. Axes and text take the colour of the page around them, so one SVG reads well in light
 * and in dark.
 */
import { quantile } from '../../base/statistics.ts'
import type { Display } from './display.ts'
import { labelled, onPaper, refuseAddresses, svgOf, type VegaLiteSpec } from './plot-svg.ts'
import { binned, thinned, type Point } from './plot-data.ts'
import { barsText, sparkline } from './plot-text.ts'
import { columnFormat } from './table.ts'
import type { OutputRecord } from '../views/report.ts'

/**
 * Any vega-lite plot.
 *
 * @throws RunbookError usage when the specification is malformed or would fetch something
 */
export function plot(spec: VegaLiteSpec, o: { title?: string } = {}): Display {
  return drawing(spec, o.title ?? null, () => describe(spec))
}

interface HistogramOptions {
  readonly title?: string
  /** How many bins about; a round bin width is chosen near it. */
  readonly bins?: number
  readonly unit?: string
  /** Where to draw a line, such as the bound of a gate. */
  readonly rule?: number
}

/** How values are spread. Values that are not finite are left out and counted. */
export function histogram(values: ArrayLike<number>, o: HistogramOptions = {}): Display {
  const { bins, finite, lost } = binned(values, { bins: o.bins, include: o.rule })
  const xTitle = [o.unit ?? 'value', lost > 0 ? `(${lost} not finite)` : ''].filter(Boolean).join(' ')
  const layers: object[] = [
    {
      data: { values: bins },
      mark: { type: 'bar', binSpacing: 1 },
      encoding: {
        x: { field: 'from', type: 'quantitative', bin: { binned: true }, title: xTitle, scale: { zero: false } },
        x2: { field: 'to' },
        y: { field: 'count', type: 'quantitative', title: 'count', axis: { tickMinStep: 1 } },
      },
    },
  ]
  if (o.rule !== undefined) {
    layers.push({
      data: { values: [{ at: o.rule }] },
      mark: { type: 'rule', strokeWidth: 2, strokeDash: [5, 3] },
      encoding: { x: { field: 'at', type: 'quantitative' } },
    })
  }
  return drawing({ width: 640, height: 200, layer: layers }, o.title ?? null, () => {
    if (finite.length === 0) return `(no values${lost > 0 ? `, ${lost} not finite` : ''})`
    const say = columnFormat('', finite)
    const spark = sparkline(
      bins.map(bin => bin.count),
      { from: 0 },
    )
    const [low, middle, high] = [0, 0.5, 1].map(q => say(quantile(finite, q)))
    const facts = [`n ${finite.length}`, `min ${low}`, `median ${middle}`, `max ${high}`]
    if (lost > 0) facts.push(`${lost} not finite`)
    if (o.rule !== undefined) facts.push(`line at ${o.rule}`)
    return `${say(bins[0]!.from)} ${spark} ${say(bins.at(-1)!.to)}\n${facts.join(', ')}`
  })
}

interface Axes {
  readonly title?: string
  /** The field of the categories (`bars`), or of the horizontal axis (`lines`). */
  readonly x: string
  /** The field of the values. */
  readonly y: string
  /** The field that chooses the colour: one series for each of its values. */
  readonly color?: string
}

/**
 * One horizontal bar per row, in the order given, so that long labels have room. A value that is not finite has no bar.
 */
export function bars(rows: readonly object[], o: Axes): Display {
  const points = pointsOf(rows, o)
  const labels = [...new Set(points.map(point => String(point.x)))]
  const spec = {
    width: 520,
    height: { step: labels.length > 40 ? 12 : 22 },
    data: { values: points.map(point => ({ ...point, x: String(point.x) })) },
    mark: { type: 'bar', cornerRadiusEnd: 2 },
    encoding: {
      // Named in full, because vega-lite drops a category whose only value is null.
      y: { field: 'x', type: 'nominal', sort: null, title: null, scale: { domain: labels } },
      x: { field: 'y', type: 'quantitative', title: o.y },
      ...seriesColour(o),
    },
  }
  const said = points.map(point => ({ label: String(point.x), value: point.y ?? NaN, note: point.series }))
  return drawing(spec, o.title ?? null, () => barsText(said))
}

/** Values along an axis, one line per series. A long series is thinned to the extremes of each of 750 stretches. */
export function lines(rows: readonly object[], o: Axes): Display {
  const series = grouped(pointsOf(rows, o))
  const isNumeric = rows.every(row => typeof (row as Row)[o.x] === 'number')
  const spec = {
    width: 640,
    height: 220,
    data: { values: [...series.values()].flatMap(points => thinned(points, 1500)) },
    mark: { type: 'line', strokeWidth: 1.75 },
    encoding: {
      x: { field: 'x', type: isNumeric ? 'quantitative' : 'ordinal', title: o.x, sort: null, scale: { zero: false } },
      y: { field: 'y', type: 'quantitative', title: o.y, scale: { zero: false } },
      ...seriesColour(o),
    },
  }
  const said = () => [...series].map(([name, points]) => seriesText(name || o.y, points)).join('\n') || '(no values)'
  return drawing(spec, o.title ?? null, said)
}

type Row = Readonly<Record<string, unknown>>

/** Rows under fixed names, because vega-lite reads a dot or a bracket in a field's name as a path. */
const pointsOf = (rows: readonly object[], o: Axes): Point[] =>
  (rows as readonly Row[]).map(row => ({
    x: typeof row[o.x] === 'number' ? (row[o.x] as number) : String(row[o.x] ?? ''),
    y: typeof row[o.y] === 'number' && Number.isFinite(row[o.y]) ? (row[o.y] as number) : null,
    series: o.color === undefined ? '' : String(row[o.color] ?? ''),
  }))

function grouped(points: readonly Point[]): Map<string, Point[]> {
  const series = new Map<string, Point[]>()
  for (const point of points) {
    const name = point.series
    const known = series.get(name)
    if (known) known.push(point)
    else series.set(name, [point])
  }
  return series
}

const seriesColour = (o: Axes) =>
  o.color === undefined ? {} : { color: { field: 'series', type: 'nominal', sort: null, title: o.color } }

function seriesText(name: string, points: readonly Point[]): string {
  const values = points.map(point => point.y ?? NaN)
  const finite = values.filter(Number.isFinite)
  if (finite.length === 0) return `${name}  (no values)`
  const say = columnFormat('', finite)
  const [low, high] = [finite.reduce((a, b) => Math.min(a, b)), finite.reduce((a, b) => Math.max(a, b))]
  return `${name}  ${sparkline(values)}  ${say(low)} to ${say(high)}`
}

function describe(spec: VegaLiteSpec): string {
  const mark = typeof spec.mark === 'object' && spec.mark !== null ? (spec.mark as Row).type : spec.mark
  const values = (spec.data as Row | undefined)?.values
  const fields = Object.entries((spec.encoding ?? {}) as Record<string, Row>).flatMap(([channel, { field }]) =>
    typeof field === 'string' ? [`${channel}: ${field}`] : [],
  )
  const facts = [mark ?? 'layers', ...fields, Array.isArray(values) ? `${values.length} rows` : ''].filter(Boolean)
  return `[plot: ${facts.join(', ')}; see report.html]`
}

function drawing(spec: VegaLiteSpec, title: string | null, say: () => string): Display {
  refuseAddresses(spec)
  return {
    kind: 'plot',
    title,
    async render(): Promise<OutputRecord> {
      const text = say()
      const svg = labelled(await svgOf(spec), title ?? text.split('\n')[0]!)
      const mime = { 'text/plain': text, 'image/svg+xml': onPaper(svg) }
      return { kind: 'plot', title, text, mime, html: `<div class="scroll plot">${svg}</div>`, markdown: null }
    },
  }
}
