import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { formatTsv, readTsv, writeTsv } from './tsv.ts'

const folder = mkdtempSync(join(tmpdir(), 'tsv-'))

test('formatTsv() writes the excel-tab dialect: tabs, CRLF, minimal quotes', () => {
  const text = formatTsv(
    ['tag', 'ok', 'head'],
    [
      { tag: 'a', ok: true, head: 'two\nlines, one "quote"' },
      { tag: 'b', ok: false },
    ],
  )
  assert.equal(text, 'tag\tok\thead\r\na\ttrue\t"two\nlines, one ""quote"""\r\nb\tfalse\t\r\n')
})

test('readTsv() gives back what writeTsv() wrote', () => {
  const path = join(folder, 'a.tsv')
  writeTsv(path, ['tag', 'head'], [{ tag: 'a', head: 'tab\there' }])
  assert.deepEqual(readTsv(path), [{ tag: 'a', head: 'tab\there' }])
})

test('readTsv() refuses a row that was cut short', () => {
  const path = join(folder, 'cut.tsv')
  writeFileSync(path, 'a\tb\tc\r\n1\t2\r\n')
  assert.throws(() => readTsv(path), /row 1/)
})

test('formatTsv() disarms text that a spreadsheet runs as a formula, and readTsv() gives it back', () => {
  const texts = ['=1+1', '+cmd', '-cmd|x', '@SUM(A1)', '\t=x', "'=x", '-3.5', '-inf', "it's", '']
  const path = join(folder, 'formula.tsv')
  writeTsv(
    path,
    ['a'],
    texts.map(a => ({ a })),
  )
  const written = formatTsv(
    ['a'],
    texts.map(a => ({ a })),
  ).split('\r\n')
  assert.deepEqual([written[1], written[7], written[8]], ["'=1+1", '-3.5', '-inf'])
  assert.deepEqual(
    readTsv(path).map(({ a }) => a),
    texts.filter(text => text !== ''),
  )
})

test('formatTsv() lets no terminal sequence and no control character through', () => {
  const text = formatTsv(['a'], [{ a: '\u001b[31mred\u001b]0;title\u0007.onnx' }, { a: 'b\u0000\u0008c' }])
  assert.equal(text, 'a\r\nred.onnx\r\nbc\r\n')
})
