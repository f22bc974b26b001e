import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import {
  base64,
  cutLines,
  cutToWidth,
  dataUrl,
  displayWidth,
  escapeHtml,
  escapeMarkdown,
  fence,
  padToWidth,
  relativeHref,
  sizeText,
} from './display.ts'
import { oneLine } from '../../base/text.ts'

test('escapeHtml() leaves no character that opens a tag, an entity or an attribute', () => {
  assert.equal(escapeHtml(`<a href="x" title='y'>&amp;`), '&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;amp;')
  assert.equal(escapeHtml('\x1b[1mx'), 'x')
})

test('escapeMarkdown() makes one line that means itself', () => {
  assert.equal(escapeMarkdown('a|b `c` *d* [e](f) <g> ~h~ \\'), 'a\\|b \\`c\\` \\*d\\* \\[e\\](f) &lt;g> \\~h\\~ \\\\')
  assert.equal(escapeMarkdown('two\n  lines'), 'two lines')
  assert.equal(escapeMarkdown('&lt; & x'), '&amp;lt; & x')
})

test('escapeMarkdown() keeps names with underscores readable, and stops emphasis by underscore', () => {
  assert.equal(escapeMarkdown('full_N64_B64'), 'full_N64_B64')
  assert.equal(escapeMarkdown('_loud_'), '\\_loud\\_')
})

test('escapeMarkdown() stops a heading, a list, a quote and a number at the beginning', () => {
  assert.deepEqual(['# a', '- a', '+ a', '> a', '1. a', '2) a', '-a'].map(escapeMarkdown), [
    '\\# a',
    '\\- a',
    '\\+ a',
    '\\> a',
    '1\\. a',
    '2\\) a',
    '-a',
  ])
})

test('fence() is longer than any run of backticks inside', () => {
  assert.equal(fence('a'), '```\na\n```')
  assert.equal(fence('```ts\nx\n```\n', 'md'), '````md\n```ts\nx\n```\n````')
})

test('base64() encodes a view and not the whole buffer under it', () => {
  const view = new Uint8Array([1, 2, 3, 4]).subarray(1, 3)
  assert.equal(base64(view), Buffer.from([2, 3]).toString('base64'))
  assert.equal(dataUrl('image/png', view), 'data:image/png;base64,AgM=')
})

test('sizeText() says three digits in decimal units', () => {
  assert.deepEqual([0, 999, 1000, 17_122, 1_204_044, 5e9, NaN].map(sizeText), [
    '0 B',
    '999 B',
    '1 kB',
    '17.1 kB',
    '1.2 MB',
    '5 GB',
    'NaN B',
  ])
})

test('relativeHref() lets no part of a path become a scheme, a query or an anchor', () => {
  assert.equal(relativeHref('cases/full N64/a.wav'), 'cases/full%20N64/a.wav')
  assert.equal(relativeHref('javascript:alert(1)'), 'javascript%3Aalert(1)')
  assert.equal(relativeHref('a?b#c"d'), 'a%3Fb%23c%22d')
})

test('relativeHref() refuses an absolute path', () => {
  assert.throws(() => relativeHref('/etc/passwd'), /the path is absolute/)
})

test('displayWidth() counts two columns for wide characters and none for combining marks', () => {
  assert.equal(displayWidth('abc'), 3)
  assert.equal(displayWidth('日本'), 4)
  assert.equal(displayWidth('e\u0301'), 1)
  assert.equal(displayWidth('👍🏽'), 2)
  assert.equal(displayWidth('✓ é …'), 5)
})

test('cutToWidth() cuts between characters, never inside one, and says that it did', () => {
  assert.equal(cutToWidth('abcdef', 6), 'abcdef')
  assert.equal(cutToWidth('abcdefg', 6), 'abcde…')
  assert.equal(cutToWidth('日本語', 4), '日…')
  assert.equal(displayWidth(cutToWidth('日本語日本語', 6)) <= 6, true)
})

test('padToWidth() fills to terminal columns, not to characters', () => {
  assert.equal(padToWidth('日', 4), '日  ')
  assert.equal(padToWidth('7', 3, 'right'), '  7')
  assert.equal(padToWidth('long', 2), 'long')
})

test('cutLines() keeps the beginning and the end, and counts what it left out', () => {
  const text = Array.from({ length: 10 }, (_, i) => `line ${i}`).join('\n')
  assert.equal(cutLines(text, { head: 2, tail: 1 }), 'line 0\nline 1\n… 7 more lines …\nline 9')
  assert.equal(cutLines(text, { head: 5, tail: 5 }), text)
  assert.equal(cutLines(text, { head: 9, tail: 0 }), text, 'one line is not worth a note')
})

/** Text that is likely to break something: markup, controls, wide characters, halves of surrogate pairs. */
const awkward = fc.string({
  unit: fc.constantFrom(...'ab <>&"\'`|*_[]()#-.\\\n\t\r', '\x1b[31m', '\0', '日', '👍🏽', 'e\u0301', '\ud800'),
  maxLength: 40,
})

test('cutToWidth() never gives more columns than it is allowed, for any text', () => {
  fc.assert(
    fc.property(
      awkward,
      fc.integer({ min: 1, max: 30 }),
      (text, columns) => displayWidth(cutToWidth(oneLine(text), columns)) <= columns,
    ),
  )
})

test('padToWidth() fills every line to the same width, for any text that fits', () => {
  fc.assert(fc.property(awkward, text => displayWidth(padToWidth(cutToWidth(oneLine(text), 20), 20)) === 20))
})

test('escapeHtml() gives text that holds no markup, for any text', () => {
  fc.assert(fc.property(awkward, text => !/[<>"']|&(?!amp;|lt;|gt;|quot;|#39;)/.test(escapeHtml(text))))
})

test('escapeMarkdown() gives one line in which every bar and backtick is escaped, for any text', () => {
  fc.assert(fc.property(awkward, text => !/\n|(?<!\\)(?:\\\\)*[|`*]|<[A-Za-z/!?]/.test(escapeMarkdown(text))))
})

test('fence() always closes itself, for any text', () => {
  fc.assert(
    fc.property(awkward, text => {
      const lines = fence(text).split('\n')
      return (
        lines.length >= 3 && lines[0] === lines.at(-1) && !lines.slice(1, -1).some(line => line.includes(lines[0]!))
      )
    }),
  )
})
