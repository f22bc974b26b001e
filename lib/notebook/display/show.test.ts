import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { pathToFileURL } from 'node:url'
import * as show from './show.ts'
import type { OutputRecord } from '../views/report.ts'

const render = (display: show.Display) => display.render() as OutputRecord

test('show.ts offers every display from one import', () => {
  const names = ['audio', 'bars', 'histogram', 'json', 'lines', 'markdown', 'plot', 'spectrogram', 'table', 'text']
  for (const name of names) assert.equal(typeof (show as Record<string, unknown>)[name], 'function', name)
})

/** The addresses of every script that a process loads when it imports one file: V8 lists them for its coverage. */
function scriptsLoadedBy(file: string): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'loaded-'))
  const code = `await import(${JSON.stringify(pathToFileURL(join(import.meta.dirname, file)).href)})`
  const args = ['--import', 'tsx', '--input-type=module', '-e', code]
  const env = { ...process.env, NODE_V8_COVERAGE: folder }
  const child = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: import.meta.dirname, env })
  assert.equal(child.status, 0, child.stderr)
  const reports = readdirSync(folder).map(
    name => JSON.parse(readFileSync(join(folder, name), 'utf8')) as { result: { url: string }[] },
  )
  rmSync(folder, { recursive: true })
  return reports.flatMap(report => report.result.map(script => script.url))
}

test('show.ts loads no heavy package when it is imported', () => {
  const urls = scriptsLoadedBy('show.ts')
  assert.ok(
    urls.some(url => url.endsWith('lib/notebook/display/plot.ts')),
    'the list of scripts holds our own',
  )
  assert.deepEqual(
    urls.filter(url => /node_modules\/(?:vega|fflate|mathjs|zod|zx|onnxruntime|wavefile|koffi)/.test(url)),
    [],
  )
})

test('text() says plain words without terminal sequences', () => {
  const output = render(show.text('\x1b[32mok\x1b[0m', { title: 't' }))
  assert.deepEqual(output, {
    kind: 'text',
    title: 't',
    text: 'ok',
    mime: { 'text/plain': 'ok' },
    html: null,
    markdown: null,
  })
})

test('markdown() keeps its source and gives HTML', () => {
  const output = render(show.markdown('**a**\n'))
  assert.equal(output.markdown, '**a**')
  assert.equal(output.html, '<p><strong>a</strong></p>')
  assert.equal(output.mime['text/markdown'], '**a**')
})

test('json() shows what JSON alone would lose or refuse', () => {
  const circular: Record<string, unknown> = { a: 1 }
  circular.self = circular
  const value = {
    n: NaN,
    big: 2n ** 60n,
    small: 3n,
    map: new Map([['k', 1]]),
    set: new Set([1]),
    f: () => 1,
    error: new TypeError('x'),
    circular,
  }
  assert.deepEqual(render(show.json(value)).mime['application/json'], {
    n: 'NaN',
    big: '1152921504606846976',
    small: 3,
    map: { k: 1 },
    set: [1],
    f: undefined,
    error: { name: 'TypeError', message: 'x' },
    circular: { a: 1, self: '[circular]' },
  })
})

test('json() shows one object in two places twice, since that is no circle', () => {
  const shared = { a: 1 }
  assert.deepEqual(show.json([shared, shared]).title, null)
  assert.deepEqual(render(show.json([shared, shared])).mime['application/json'], [{ a: 1 }, { a: 1 }])
})

test('json() describes long typed arrays and writes short ones out', () => {
  const value = {
    long: new Float32Array(65),
    short: new Float32Array([1, NaN]),
    ids: new BigInt64Array([5n]),
    view: new DataView(new ArrayBuffer(4)),
  }
  assert.deepEqual(render(show.json(value)).mime['application/json'], {
    long: 'Float32Array(65)',
    short: [1, 'NaN'],
    ids: [5],
    view: 'DataView(4)',
  })
})

test('json() honours toJSON, and says null for undefined', () => {
  assert.equal(render(show.json(new Date(0))).text, '"1970-01-01T00:00:00.000Z"')
  assert.equal(render(show.json(undefined)).text, 'null')
})

test('json() cuts the text of a long value in the middle, but not the value', () => {
  const output = render(show.json(Array.from({ length: 500 }, (_, i) => i)))
  assert.match(output.text, /… 28\d more lines …/)
  assert.equal((output.mime['application/json'] as number[]).length, 500)
})
