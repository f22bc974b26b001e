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

test('Narrative gives a cell one line, and more only when it says something', () => {
  const { teller, text } = narrative()
  teller.open(1, 'Read')
  teller.close(1, 'ok', 12)
  teller.open(2, 'Measure')
  teller.say(2, 'two\nlines')
  teller.close(2, 'ok', 12_345)
  teller.say(null, 'between')
  assert.equal(text(), '[1] Read  ok 12 ms\n[2] Measure\n  two\n  lines\n  ok 12.3 s\nbetween\n')
})

test('Narrative shows the title of a cell that takes long where there is no terminal', t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { teller, text } = narrative()
  teller.open(1, 'Compile')
  assert.equal(text(), '')
  t.mock.timers.tick(1000)
  assert.equal(text(), '[1] Compile\n')
})

test('Narrative marks each line with its cell while several are open', () => {
  const { teller, text } = narrative()
  teller.open(1, 'a')
  teller.open(2, 'b')
  teller.say(1, 'x')
  teller.close(2, 'failed', 10)
  teller.say(1, 'y')
  assert.equal(text(), '[1] a\n  [1] x\n[2] b  failed 10 ms\n  y\n')
})

test('Narrative draws title and bar over each other on a terminal, cut to its width', () => {
  const { teller, text, written } = narrative({ isTTY: true, columns: 40, env: { NO_COLOR: '1' } })
  teller.open(1, 'a')
  teller.progress(1, { done: 1, total: 2, label: 'x'.repeat(80), durationMs: 5 })
  assert.ok(written.every(piece => piece.startsWith('\r\x1b[2K') && !piece.endsWith('\n') && piece.length < 45))
  teller.close(1, 'ok', 5)
  assert.equal(text().split('\r\x1b[2K').at(-1), '[1] a  ok 5 ms\n')
  teller.say(null, 'w'.repeat(200))
  assert.equal(written.at(-1), `${'w'.repeat(39)}…\n`)
})

test('Narrative prints a plain line per item where there is no terminal, and tenths of many', () => {
  const { teller, text } = narrative()
  teller.open(1, 'a')
  teller.progress(1, { done: 1, total: 2, label: 'first', durationMs: 5 })
  assert.equal(text(), '[1] a\n  1/2 first 5 ms\n')
  const many = narrative()
  for (let done = 1; done <= 100; done++) many.teller.progress(null, { done, total: 100, label: '', durationMs: 1 })
  assert.equal(many.text().split('\n').length, 11)
})

test('Narrative cuts a long output, and lets no terminal sequence through', () => {
  const { teller, text } = narrative()
  teller.say(null, Array.from({ length: 40 }, (_, i) => `\x1b]0;title\x07row ${i}`).join('\n'))
  assert.match(text(), /^row 0\n[^]*row 11\n… 28 more lines in the report\n$/)
  teller.open(1, 'a\x1b[2J')
  teller.gate('pass', 'pass \x1b[8mhidden')
  teller.error('error: \x9b31mred')
  teller.close(1, 'ok', 1)
  assert.ok(![...text()].some(char => char === '\x1b' || char === '\x9b'))
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
