import assert from 'node:assert/strict'
import test from 'node:test'
import { RunbookError } from '../base/errors.ts'
import { keepsTo, valueOf } from './expression.ts'

const isUsage = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof RunbookError, String(error))
  assert.equal(error.exit, 'usage')
  assert.match(error.message, pattern)
  return true
}

test('keepsTo() joins comparisons of metrics', () => {
  const metrics = { cosine: 0.9995, max_abs: 5e-4 }
  assert.equal(keepsTo('cosine >= 0.999 and max_abs <= 1e-3', metrics), true)
  assert.equal(keepsTo('cosine >= 0.9999 and max_abs <= 1e-3', metrics), false)
  assert.equal(keepsTo('cosine >= 0.9999 or max_abs <= 1e-3', metrics), true)
  assert.equal(keepsTo('not (cosine < 0.999)', metrics), true)
  assert.equal(keepsTo('abs(-max_abs) * 2 == 1e-3', metrics), true)
})

test('keepsTo() compares exactly, with no tolerance of its own', () => {
  assert.equal(keepsTo('x >= 0.9990000000000001', { x: 0.999 }), false)
  assert.equal(keepsTo('x > 0', { x: 1e-17 }), true)
})

test('keepsTo() fails on NaN and infinity, also behind a not and beside a comparison that holds', () => {
  for (const x of [Number.NaN, Infinity, -Infinity]) {
    const gates = [
      'x >= 0.999',
      'x < 1',
      'not (x < 0.999)',
      'y >= 0 or x >= 0',
      'x != 1',
      'max(x, 0) >= 0',
      'min(y, x) <= 1',
    ]
    for (const gate of gates) {
      assert.equal(keepsTo(gate, { x, y: 1 }), false, `${gate} with ${x}`)
    }
  }
})

test('keepsTo() fails on NaN and infinity that it computes itself', () => {
  for (const gate of ['not (x / x < 1)', 'not (log10(x) > 0)', 'sqrt(-1 - x) <= 1', '1 / x > 0', '10 ^ 400 > x']) {
    assert.equal(keepsTo(gate, { x: 0 }), false, gate)
  }
})

test('keepsTo() takes a missing metric for an error, not for a failure', () => {
  assert.throws(() => keepsTo('cosine >= 0.999 and max_abs <= 1', { cosine: 1 }), isUsage(/no "max_abs" among cosine/))
  assert.throws(() => keepsTo('toString >= 0', {}), isUsage(/no "toString" among no names/))
})

test('keepsTo() refuses what is no comparison of numbers', () => {
  assert.throws(() => keepsTo('cosine', { cosine: 1 }), isUsage(/a number, not a comparison/))
  assert.throws(() => keepsTo('(x > 0) > 0', { x: 1 }), isUsage(/a comparison stands where a number must/))
  assert.throws(() => keepsTo('x and x > 0', { x: 1 }), isUsage(/a number stands where a comparison must/))
  assert.throws(() => keepsTo('x >=', { x: 1 }), isUsage(/Cannot evaluate "x >="/))
  assert.throws(() => keepsTo('', {}), isUsage(/Cannot evaluate ""/))
})

test('keepsTo() refuses every way out of arithmetic', () => {
  const hostile = [
    'import("fs")',
    'createUnit("x")',
    'evaluate("1 > 0")',
    'parse("1")',
    'simplify("1")',
    'derivative("x", "x")',
    'x.constructor',
    'x["constructor"]',
    'x = 1',
    'f(a) = a',
    '1; 2',
    '1:9',
    '[1, 2]',
    '{a: 1}',
    'ones(100000, 100000)',
    'toString()',
    '__proto__ > 0',
    'constructor > 0',
    '"text" == 0',
    'true',
    'null',
    'x > 0 ? 1 : 2',
    '2 x > 1',
    '5 cm > 1',
    '5 % > 1',
    '5!',
    'i > 0',
    'pi > 3',
    'x to y',
    '1 < x < 2',
    'x mod 2',
    'x | 1',
    'x > 0 xor x > 0',
    'abs()',
    'constructor(1)',
    'abs.constructor("return 1")()',
    '(abs)(1)',
    "x' > 0",
  ]
  for (const text of hostile) {
    assert.throws(() => keepsTo(text, { x: 1, y: 2 }), isUsage(/^Cannot evaluate/), text)
  }
})

test('keepsTo() refuses an expression that is too long to have been written by hand', () => {
  assert.throws(
    () => keepsTo(`${'('.repeat(600)}x > 0${')'.repeat(600)}`, { x: 1 }),
    isUsage(/more than 500 characters/),
  )
})

test('valueOf() computes a derived number', () => {
  assert.equal(valueOf('inputLen / stride + 1', { inputLen: 16000, stride: 8 }), 2001)
  assert.equal(valueOf('floor(0.025 * rate)', { rate: 16000 }), 400)
  assert.equal(valueOf('-2 ^ 2 + +1', {}), -3)
})

test('valueOf() refuses comparisons, missing names and results that are no number', () => {
  assert.throws(() => valueOf('a > 1', { a: 2 }), isUsage(/a comparison, not a number/))
  assert.throws(() => valueOf('a + b', { a: 2 }), isUsage(/no "b" among a/))
  assert.throws(() => valueOf('1 / a', { a: 0 }), isUsage(/NaN or infinity/))
})
