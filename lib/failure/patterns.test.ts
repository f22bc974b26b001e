import assert from 'node:assert/strict'
import test from 'node:test'
import { every, exact, exactLines, lines, phrase } from './patterns.ts'

test('phrase() leaves out line breaks and indentation and keeps every other character', () => {
  const pattern = phrase`no space \w+
    |a\.b
    |(?:c|d) e`
  assert.equal(pattern.source, 'no space \\w+|a\\.b|(?:c|d) e')
  assert.ok(pattern.test('NO SPACE left') && pattern.test('a.b') && !pattern.test('axb'))
})

test('exact(), lines(), exactLines() and every() differ only in their flags', () => {
  assert.deepEqual(
    [phrase`a`, exact`a`, lines`a`, exactLines`a`, every`a`].map(({ flags }) => flags),
    ['i', '', 'im', 'm', 'g'],
  )
  assert.ok(lines`^B$`.test('a\nb\nc') && !exactLines`^B$`.test('a\nb\nc'))
  assert.deepEqual(
    [...'a1a2'.matchAll(every`a(\d)`)].map(found => found[1]),
    ['1', '2'],
  )
})
