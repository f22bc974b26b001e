import assert from 'node:assert/strict'
import test from 'node:test'
import { durationText, Narrative } from './narrative.ts'

function narrative(o: { isTTY?: boolean; columns?: number; quiet?: boolean; env?: Record<string, string> } = {}) {
  const written: string[] = []
  const sink = { write: (text: string) => written.push(text), isTTY: o.isTTY, columns: o.columns }
  return {
    teller: new Narrative(sink, { quiet: o.quiet ?? false, env: o.env ?? {} }),
    written,
    text: () => written.join(''),
  }
}

test('Narrative says titles, words and endings, indented under their cell', () => {
  const { teller, text } = narrative()
  teller.open(1, 'Measure')
  teller.say(1, 'two\nlines')
  teller.close(1, 'ok', 1234)
  teller.say(null, 'between')
  assert.equal(text(), '[1] Measure\n  two\n  lines\n  ok 1.2 s\nbetween\n')
})

test('Narrative marks each line with its cell while several are open', () => {
  const { teller, text } = narrative()
  teller.open(1, 'a')
  teller.open(2, 'b')
  teller.say(1, 'x')
  teller.close(2, 'failed', 10)
  teller.say(1, 'y')
  assert.equal(text(), '[1] a\n[2] b\n  [1] x\n  [2] failed 10 ms\n  y\n')
})

test('Narrative draws one bar on a terminal, ends it before the next line, and cuts it to the width', () => {
  const { teller, text, written } = narrative({ isTTY: true, columns: 40, env: { NO_COLOR: '1' } })
  teller.open(1, 'a')
  teller.progress(1, { done: 1, total: 2, label: 'x'.repeat(80), durationMs: 5 })
  assert.ok(!written.at(-1)!.endsWith('\n'))
  assert.ok(written.at(-1)!.replace('\r\x1b[2K', '').length < 40)
  teller.say(1, 'words')
  assert.match(text(), /x\n {2}words\n$/)
  teller.progress(1, { done: 2, total: 2, label: '', durationMs: 5 })
  assert.match(text(), /█{24} 2\/2 \n$/)
})

test('Narrative prints a plain line per item where there is no terminal', () => {
  const { teller, text } = narrative()
  teller.open(1, 'a')
  teller.progress(1, { done: 1, total: 2, label: 'first', durationMs: 5 })
  assert.equal(text(), '[1] a\n  1/2 first 5 ms\n')
})

test('Narrative colours only a terminal, and NO_COLOR turns it off', () => {
  const coloured = (o: Parameters<typeof narrative>[0]) => {
    const { teller, text } = narrative(o)
    teller.gate('pass', 'pass  x')
    return text().includes('\x1b[')
  }
  assert.deepEqual(
    [coloured({ isTTY: true }), coloured({ isTTY: true, env: { NO_COLOR: '1' } }), coloured({})],
    [true, false, false],
  )
})

test('Narrative when quiet says errors and nothing else', () => {
  const { teller, text } = narrative({ quiet: true })
  teller.open(1, 'a')
  teller.say(1, 'b')
  teller.progress(1, { done: 1, total: 1, label: '', durationMs: 1 })
  teller.close(1, 'ok', 1)
  teller.error('error: x')
  assert.equal(text(), 'error: x\n')
})

test('durationText() keeps to three figures', () => {
  assert.deepEqual([0, 999.6, 1000, 59_949, 60_000, 3_725_000].map(durationText), [
    '0 ms',
    '1000 ms',
    '1.0 s',
    '59.9 s',
    '1 min 00 s',
    '62 min 05 s',
  ])
})
