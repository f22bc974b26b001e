import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { displayWidth } from './display.ts'
import { columnFormat, markdownTable, table, valueText, type TableOptions } from './table.ts'
import type { OutputRecord } from '../views/report.ts'

const render = (rows: readonly object[], o: TableOptions = {}) => table(rows, o).render() as OutputRecord

test('table() lines up columns: text left, numbers right by their decimals', () => {
  const { text } = render([
    { tag: 'a', siSdrDb: 15.234 },
    { tag: 'longer', siSdrDb: -1 },
  ])
  assert.equal(text, 'tag     siSdrDb\n──────  ───────\na         15.23\nlonger    -1.00')
})

test('table() says that there are no rows', () => {
  const output = render([], { title: 'nothing' })
  assert.equal(output.text, '(no rows)')
  assert.equal(output.markdown, '(no rows)')
  assert.match(output.html!, /\(no rows\)/)
  assert.equal(output.title, 'nothing')
})

test('table() shows NaN as NaN and the infinities as themselves, and still as numbers', () => {
  const { text } = render([{ x: NaN }, { x: 1.5 }, { x: -Infinity }])
  assert.deepEqual(
    text
      .split('\n')
      .slice(2)
      .map(line => line.trim()),
    ['NaN', '1.500', '-Infinity'],
  )
})

test('table() takes columns from every row, in order of first appearance, and leaves gaps empty', () => {
  const { markdown } = render([{ a: 1 }, { b: null, a: undefined, c: 'x' }])
  assert.equal(markdown, '|   a | b   | c   |\n| --: | --- | --- |\n|   1 |     |     |\n|     |     | x   |')
})

test('table() shows only the columns that are asked for', () => {
  assert.equal(render([{ a: 1, b: 2 }], { columns: ['b'] }).text, 'b\n─\n2')
})

test('table() aligns a column as it is told', () => {
  assert.match(
    render([{ a: 'x', b: 'wide' }], { align: { a: 'right' }, columns: ['a'] }).html!,
    /<td data-label="a" style="text-align:right">x</,
  )
})

test('table() cuts long text in the terminal alone', () => {
  const long = 'word '.repeat(40).trim()
  const output = render([{ long }])
  assert.equal(displayWidth(output.text.split('\n')[2]!) <= 48, true)
  assert.match(output.text, /…$/)
  assert.equal(output.html!.includes(long), true)
  assert.equal(output.markdown!.includes(long), true)
})

test('table() says how many rows it left out', () => {
  const rows = Array.from({ length: 5 }, (_, i) => ({ i }))
  const output = render(rows, { maxRows: 3 })
  assert.match(output.text, /\n2\n… 2 more rows$/)
  assert.match(output.html!, /… 2 more rows/)
  assert.match(output.markdown!, /\n\n… 2 more rows$/)
  assert.match(render(rows, { maxRows: 4 }).text, /… 1 more row$/)
})

test('table() escapes pipes and line ends in Markdown, and markup in HTML', () => {
  const output = render([{ 'a|b': '<b>x</b>\n| y' }])
  assert.match(output.markdown!, /\| a\\\|b +\|/)
  assert.equal(output.markdown!.split('\n').length, 3)
  assert.match(output.markdown!, /&lt;b>x&lt;\/b> \\\| y/)
  assert.match(output.html!, /&lt;b&gt;x&lt;\/b&gt; \| y/)
  assert.equal(output.mime['text/html'], output.html)
})

test('table() keeps columns aligned after East Asian characters', () => {
  const lines = render([
    { name: '日本語', n: 1 },
    { name: 'abc', n: 2 },
  ]).text.split('\n')
  assert.equal(displayWidth(lines[2]!), displayWidth(lines[3]!))
})

test('columnFormat() gives a column one number of decimals, four digits for its largest value', () => {
  const format = columnFormat('cosine', [0.99951234, 0.5])
  assert.deepEqual([0.99951234, 0.5, 0].map(format), ['0.9995', '0.5000', '0.0000'])
  const large = columnFormat('latencyMs', [1234.5678, 0.25])
  assert.deepEqual([1234.5678, 0.25].map(large), ['1234.6', '0.3'])
})

test('columnFormat() writes a value that would vanish in the column with an exponent', () => {
  const format = columnFormat('drift', [0.5, 1.2e-9])
  assert.equal(format(1.2e-9), '1.20e-9')
  assert.equal(format(-1.2e-9), '-1.20e-9')
})

test('columnFormat() keeps whole numbers whole and groups large ones, but never a seed or an id', () => {
  assert.equal(columnFormat('parameters', [17_122, 404_482])(404_482), '404,482')
  assert.equal(columnFormat('frames', [2001])(2001), '2001')
  assert.equal(columnFormat('seed', [20_260_223])(20_260_223), '20260223')
})

test('columnFormat() reads bytes by the name of the column', () => {
  assert.equal(columnFormat('weightBytes', [17_122])(17_122), '17.1 kB')
  assert.equal(columnFormat('bytes', [5])(5), '5 B')
  assert.equal(columnFormat('kilobytesish', [17_122])(17_122), '17,122')
})

test('valueText() describes what is neither a number nor text', () => {
  const circular: Record<string, unknown> = {}
  circular.self = circular
  const values = [
    null,
    undefined,
    true,
    12n,
    [1, 2],
    { a: 1n },
    new Float32Array(3),
    new Date(0),
    new Date(NaN),
    circular,
  ]
  assert.deepEqual(values.map(valueText), [
    '',
    '',
    'true',
    '12',
    '1, 2',
    '{"a":"1"}',
    'Float32Array(3)',
    '1970-01-01T00:00:00.000Z',
    'invalid date',
    '[circular]',
  ])
})

test('markdownTable() lines up in the source and marks right columns', () => {
  assert.equal(
    markdownTable(['', 'n'], [['✓', '1,000']], ['left', 'right']),
    '|     |     n |\n| --- | ----: |\n| ✓   | 1,000 |',
  )
})

const anyCell = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.string(),
  fc.constant(null),
  fc.constantFrom('a|b', '日本', '<i>', 'x\ny', '`'),
)

test('table() keeps its shape in every rendition, for any values', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ tag: anyCell, value: anyCell }), { minLength: 1, maxLength: 8 }), rows => {
      const output = render(rows)
      const bars = output
        .markdown!.split('\n')
        .map(line => line.replaceAll('\\\\', '').replaceAll('\\|', '').split('|').length)
      assert.deepEqual(new Set(bars), new Set([4]))
      assert.equal(output.text.split('\n').length, rows.length + 2)
      assert.equal([...output.html!.matchAll(/<td/g)].length, rows.length * 2)
    }),
    { numRuns: 200 },
  )
})

test('table() draws ten thousand rows without showing them all', () => {
  const output = render(Array.from({ length: 10_000 }, (_, i) => ({ i, square: i * i })))
  assert.equal([...output.html!.matchAll(/<tr>/g)].length, 101)
  assert.match(output.text, /… 9900 more rows$/)
})

test('table() stands rows without any key', () => {
  assert.equal(render([{}, {}]).html!.includes('<tr></tr>'), true)
})
