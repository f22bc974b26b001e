import assert from 'node:assert/strict'
import test from 'node:test'
import { RunbookError } from '../../base/errors.ts'
import { bars, histogram, lines, plot } from './plot.ts'
import { palette } from './plot-svg.ts'
import type { OutputRecord } from '../views/report.ts'

const spec = {
  data: {
    values: [
      { a: 'x', b: 2 },
      { a: 'y', b: 3 },
    ],
  },
  mark: 'bar',
  encoding: { x: { field: 'a' }, y: { field: 'b', type: 'quantitative' } },
}
const svgOf = (output: OutputRecord): string => /<svg.*<\/svg>/s.exec(output.html!)![0]
const marks = (svg: string): number => {
  const groups = [...svg.matchAll(/role-mark marks"[^>]*>(.*?)<\/g>/gs)].map(group => group[1]!)
  return groups.reduce((sum, group) => sum + group.match(/<(?:path|line|text)/g)!.length, 0)
}
const ids = (svg: string): string[] => [...svg.matchAll(/\bid="([^"]+)"/g)].map(match => match[1]!)
const isUsage = (error: unknown): boolean => error instanceof RunbookError && error.exit === 'usage'

test('plot() draws an SVG that takes the colour of its page', async () => {
  const output = await plot(spec, { title: 'two bars' }).render()
  const svg = svgOf(output)
  assert.match(svg, /^<svg role="img" aria-label="two bars" [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/)
  assert.match(svg, /fill="currentColor"/)
  assert.equal(marks(svg), 2)
  assert.match(output.text, /^\[plot: bar, x: a, y: b, 2 rows; see report.html\]$/)
})

test('plot() gives a notebook dark ink on white paper', async () => {
  const svg = (await plot(spec).render()).mime['image/svg+xml'] as string
  assert.match(svg, /<rect width="100%" height="100%" fill="#fff"\/>/)
  assert.equal(svg.includes('currentColor'), false)
})

test('plot() gives two plots no id in common', async () => {
  const clipped = { ...spec, mark: { type: 'bar', clip: true } }
  const [one, two] = [svgOf(await plot(clipped).render()), svgOf(await plot(clipped).render())]
  assert.ok(ids(one).length > 0)
  assert.deepEqual(
    ids(one).filter(id => ids(two).includes(id)),
    [],
  )
  for (const [, id] of one.matchAll(/url\(#([^)]+)\)/g)) assert.ok(ids(one).includes(id!), id)
})

test('plot() refuses to fetch, wherever the address stands', () => {
  const places = [
    { ...spec, data: { url: 'https://example.org/a.json' } },
    { ...spec, layer: [{ data: { url: 'file:///etc/passwd' } }] },
    { ...spec, encoding: { ...spec.encoding, url: { field: 'picture' } } },
    { ...spec, encoding: { ...spec.encoding, href: { field: 'b' } } },
    { ...spec, transform: [{ lookup: 'a', from: { data: { url: 'x.csv' }, key: 'a' } }] },
  ]
  for (const place of places) {
    assert.throws(() => plot(place), /may not name an address/)
    assert.throws(() => plot(place), isUsage)
  }
})

test('plot() takes a field called url for data, not for an address', async () => {
  const named = {
    data: { values: [{ url: 'a', n: 1 }] },
    mark: 'bar',
    encoding: { x: { field: 'url' }, y: { field: 'n', type: 'quantitative' } },
  }
  assert.match(svgOf(await plot(named).render()), />url</)
})

test('plot() says what is wrong with a specification', async () => {
  await assert.rejects(async () => plot({ data: { values: [] } }).render(), /Cannot plot the specification/)
  await assert.rejects(async () => plot({ ...spec, mark: 'no such mark' }).render(), isUsage)
})

test('plot() keeps what the specification configures', async () => {
  const svg = svgOf(await plot({ ...spec, config: { axis: { labelColor: '#123456' } } }).render())
  assert.match(svg, /fill="#123456"/)
  assert.match(svg, /fill="currentColor"/, 'the rest of the theme stays')
})

test('histogram() draws a bar per bin and a rule inside the axis', async () => {
  const output = await histogram([0.1, 0.2, 0.3, 0.95], { title: 'h', bins: 5, rule: 1.1, unit: 'dB' }).render()
  assert.match(
    output.text,
    /^0\.000 .{6} 1\.200\nn 4, min 0\.1000, median 0\.2000, max 0\.9500, line at 1\.1$|n 4, min/,
  )
  assert.match(svgOf(output), />dB</)
  assert.match(svgOf(output), /stroke-dasharray="5,3"/)
})

test('histogram() stays small when the values are many', async () => {
  const values = Float32Array.from({ length: 300_000 }, (_, i) => Math.sin(i))
  const output = await histogram(values).render()
  assert.ok(svgOf(output).length < 60_000, `${svgOf(output).length} characters`)
  assert.match(output.text, /n 300000/)
})

test('histogram() counts what is not finite, and stands no value at all', async () => {
  const some = await histogram([1, 2, NaN]).render()
  assert.match(some.text, /1 not finite/)
  assert.match(svgOf(some), /\(1 not finite\)/)
  assert.equal((await histogram([]).render()).text, '(no values)')
  assert.equal((await histogram([NaN, NaN]).render()).text, '(no values, 2 not finite)')
  assert.match(svgOf(await histogram([7, 7, 7]).render()), /<path/)
})

test('bars() keeps the order of the rows and survives awkward names', async () => {
  const rows = [
    { 'a.b[0]': 'zebra "x" <y>', 'n/s': 2 },
    { 'a.b[0]': 'ant', 'n/s': NaN },
  ]
  const output = await bars(rows, { title: 'b', x: 'a.b[0]', y: 'n/s' }).render()
  const svg = svgOf(output)
  assert.ok(svg.indexOf('zebra') < svg.indexOf('>ant<') && svg.indexOf('zebra') >= 0)
  assert.match(svg, /zebra "x" &lt;y&gt;|zebra &quot;x&quot; &lt;y&gt;/)
  assert.match(svg, />n\/s</)
  assert.match(output.text, /^zebra "x" <y> {2}█{30} +2\nant .* NaN$/)
})

test('bars() colours by series with a legend below, where it covers no label', async () => {
  const output = await bars(
    [
      { a: 'x', b: 1, c: 'one' },
      { a: 'y', b: 2, c: 'two' },
    ],
    { x: 'a', y: 'b', color: 'c' },
  ).render()
  for (const colour of palette.slice(0, 2)) assert.match(svgOf(output), new RegExp(`fill="${colour}"`))
  assert.match(svgOf(output), /role-legend/)
  assert.match(output.text, /1 {2}one$/m)
})

test('lines() draws one line per series and leaves a gap at NaN', async () => {
  const rows = [1, 2, NaN, 4].flatMap((y, x) => [
    { x, y, s: 'a' },
    { x, y: 2, s: 'b' },
  ])
  const output = await lines(rows, { x: 'x', y: 'y', color: 's' }).render()
  const paths = [...svgOf(output).matchAll(/role-mark marks"[^>]*><path [^>]*?d="([^"]+)"/g)].map(match => match[1]!)
  assert.equal(paths.length, 2)
  assert.equal(
    paths
      .map(d => [...d.matchAll(/M/g)].length)
      .toSorted()
      .join(),
    '1,2',
    'the gap begins the line anew',
  )
  assert.match(output.text, /^a {2}▁▃ █ {2}1 to 4\nb {2}▁▁▁▁ {2}2 to 2$/)
})

test('lines() thins a long series and takes words along the axis too', async () => {
  const long = await lines(
    Array.from({ length: 20_000 }, (_, i) => ({ i, v: Math.sin(i / 500) })),
    { x: 'i', y: 'v' },
  ).render()
  assert.ok(svgOf(long).length < 80_000, `${svgOf(long).length} characters`)
  const words = await lines(
    [
      { step: 'b', v: 1 },
      { step: 'a', v: 2 },
    ],
    { x: 'step', y: 'v' },
  ).render()
  assert.ok(svgOf(words).indexOf('>b<') < svgOf(words).indexOf('>a<'))
  assert.equal((await lines([], { x: 'x', y: 'y' }).render()).text, '(no values)')
})

/** Relative luminance (WCAG 2.2). */
function light(hex: string): number {
  const [r, g, b] = [1, 3, 5]
    .map(at => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
    .map(c => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
}

/** The contrast of two colours (WCAG 2.2), 1 to 21. */
const contrast = (a: string, b: string): number =>
  (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05)

test('palette differs from white and from near-black by a contrast of at least 3', () => {
  for (const colour of palette) {
    for (const ground of ['#ffffff', '#1a1d21']) {
      assert.ok(contrast(colour, ground) >= 3, `${colour} on ${ground}: ${contrast(colour, ground).toFixed(2)}`)
    }
  }
})
