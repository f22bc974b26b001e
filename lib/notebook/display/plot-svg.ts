/** Draws a vega-lite specification as SVG with vega, without a DOM and without fetching anything. */
import { escapeHtml } from './display.ts'
import { sha256 } from '../../host/digest.ts'
import { RunbookError, usageError } from '../../base/errors.ts'

/** A vega-lite 6 specification, `data.values` inline. */
export type VegaLiteSpec = Readonly<Record<string, unknown>>

type Row = Readonly<Record<string, unknown>>

/**
 * Colours that differ for the colour-blind too; each has a contrast of at least 3 against white and against near-black.
 */
export const palette = ['#0b7bc1', '#d55e00', '#00916a', '#b8629a', '#8a7400', '#7a6fd0', '#6f7780'] as const

const themed = {
  background: null,
  aria: false,
  font: 'sans-serif',
  padding: 4,
  view: { stroke: null },
  axis: {
    labelColor: 'currentColor',
    titleColor: 'currentColor',
    domainColor: 'currentColor',
    tickColor: 'currentColor',
    gridColor: 'currentColor',
    gridOpacity: 0.14,
    domainOpacity: 0.5,
    tickOpacity: 0.5,
    labelFontSize: 11,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    labelLimit: 220,
  },
  legend: {
    labelColor: 'currentColor',
    titleColor: 'currentColor',
    labelFontSize: 11,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    orient: 'bottom',
  },
  title: { color: 'currentColor' },
  text: { color: 'currentColor' },
  header: { labelColor: 'currentColor', titleColor: 'currentColor' },
  range: { category: palette },
  bar: { color: palette[0] },
  line: { color: palette[0] },
  point: { color: palette[0] },
  rule: { color: palette[1] },
}

/** Names of properties by which vega-lite would fetch, or link to, something. */
const addresses = new Set(['url', 'href'])

/**
 * Refuse a specification that names an address anywhere.
 *
 * @throws RunbookError usage
 */
export function refuseAddresses(part: unknown, path = ''): void {
  if (part === null || typeof part !== 'object') return
  for (const [key, value] of Object.entries(part)) {
    if (addresses.has(key)) {
      throw usageError(
        `Cannot plot "${path}/${key}": a plot may not name an address`,
        'read the data, and give it as values',
      )
    }
    if (key !== 'values' && key !== 'datasets') refuseAddresses(value, `${path}/${key}`)
  }
}

const refusal = () => Promise.reject(new Error('a plot may not fetch anything'))

/**
 * A specification as SVG.
 *
 * @throws RunbookError usage when vega or vega-lite will not have it
 */
export async function svgOf(spec: VegaLiteSpec): Promise<string> {
  const [vega, vegaLite] = await Promise.all([import('vega'), import('vega-lite')])
  const failures: string[] = []
  const logger = {
    level: () => logger,
    error: (...words: readonly unknown[]) => (failures.push(words.map(String).join(' ')), logger),
    warn: () => logger,
    info: () => logger,
    debug: () => logger,
  }
  try {
    const config = merged(themed, (spec.config ?? {}) as Row)
    const whole = { ...spec, config } as unknown as Parameters<typeof vegaLite.compile>[0]
    const compiled = vegaLite.compile(whole, { logger: logger as never })
    const loader = { load: refusal, sanitize: refusal, http: refusal, file: refusal, options: {} }
    const view = new vega.View(vega.parse(compiled.spec), {
      renderer: 'none',
      loader: loader as never,
      logger: logger as never,
    })
    const svg = await view.toSVG()
    view.finalize()
    if (failures.length > 0) throw new Error(failures.join('; '))
    return svg
  } catch (thrown) {
    if (thrown instanceof RunbookError) throw thrown
    const why = (thrown as Error).message
    throw usageError(
      `Cannot plot the specification: ${why}`,
      'compare it with https://vega.github.io/vega-lite/docs/',
      thrown,
    )
  }
}

const isPlain = (value: unknown): value is Row => typeof value === 'object' && value !== null && !Array.isArray(value)

function merged(base: Row, over: Row): Row {
  const entries = Object.entries(over).map(([key, value]) => [
    key,
    isPlain(value) && isPlain(base[key]) ? merged(base[key], value) : value,
  ])
  return { ...base, ...Object.fromEntries(entries) }
}

let drawn = 0

/** An SVG with a name for those who cannot see it, and with ids that no other plot of the same page has. */
export function labelled(svg: string, name: string): string {
  const scope = `p${sha256(svg).slice(0, 8)}-${++drawn}-`
  return svg
    .replace(/\bid="/g, `id="${scope}`)
    .replace(/url\(#/g, `url(#${scope}`)
    .replace(/\bhref="#/g, `href="#${scope}`)
    .replace('<svg ', `<svg role="img" aria-label="${escapeHtml(name)}" `)
}

/** The same SVG for a notebook, which shows it as a picture: dark on white, whatever the theme. */
export const onPaper = (svg: string): string =>
  svg
    .replaceAll('="currentColor"', '="#24292f"')
    .replace(/(<svg [^>]*>)/, '$1<rect width="100%" height="100%" fill="#fff"/>')
