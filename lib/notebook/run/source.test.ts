import assert from 'node:assert/strict'
import test from 'node:test'
import { callerLine, callSource, introOf } from './source.ts'

const text = [
  "import x from 'y'",
  '',
  "  const a = await cell('One (1)', () => {",
  '    // a bracket in a comment )',
  '    return `${f(`)`)} )` + ")"',
  '  })',
  "  await cell('Two', () => 2)",
  "  await cell('broken', () => {",
].join('\n')

test('callSource() takes a call to its own closing bracket, past quotes, templates and comments', () => {
  assert.equal(
    callSource(text, 3),
    [
      "const a = await cell('One (1)', () => {",
      '  // a bracket in a comment )',
      '  return `${f(`)`)} )` + ")"',
      '})',
    ].join('\n'),
  )
  assert.equal(callSource(text, 7), "await cell('Two', () => 2)")
})

test('callSource() is empty when the brackets do not close', () => {
  assert.equal(callSource(text, 8), '')
  assert.equal(callSource(text, 99), '')
})

test('callerLine() reads the line of the first frame in the file', () => {
  const stack =
    'Error: where\n    at cell (file:///a/lib/session.ts:10:3)\n' +
    '    at body (file:///a/run.ts:42:7)\n    at x (/a/run.ts:99:1)'
  assert.equal(callerLine(stack, '/a/run.ts'), 42)
  assert.equal(callerLine(stack, '/a/other.ts'), null)
  assert.equal(callerLine(undefined, '/a/run.ts'), null)
})

test('introOf() gives the opening comment without its stars, and nothing when there is none', () => {
  assert.equal(
    introOf('#!/usr/bin/env -S npx tsx\n/**\n * Title: what?\n *\n *   npx tsx a.ts\n */\nimport x'),
    'Title: what?\n\n  npx tsx a.ts',
  )
  assert.equal(introOf("import x from 'y'\n/** later */"), '')
})
