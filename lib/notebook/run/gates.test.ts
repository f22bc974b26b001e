import assert from 'node:assert/strict'
import test from 'node:test'
import { blockedGate, formatValue, gateText, judge } from './gates.ts'
import { exitNameOfGates, verdictLine, verdictOf } from './verdict.ts'
import { blockedError } from '../../base/errors.ts'

test('judge() passes a value that keeps its bound, and fails one that does not', () => {
  assert.equal(judge('snr', 15, { atLeast: 15 }).status, 'pass')
  assert.equal(judge('snr', 14.99, { atLeast: 15 }).status, 'fail')
  assert.equal(judge('rtf', 0.2, { atMost: 0.2 }).status, 'pass')
  assert.equal(judge('rtf', 0.2, { below: 0.2 }).status, 'fail')
  assert.equal(judge('n', 1, { above: 0 }).status, 'pass')
  assert.equal(judge('tag', 'a', { equals: 'a' }).status, 'pass')
  assert.equal(judge('ok', false, { equals: true }).status, 'fail')
})

test('judge() never passes NaN, an infinity, a missing value, or the minimum of nothing', () => {
  for (const value of [Number.NaN, Infinity, -Infinity, undefined, null, [], Math.min(), Math.max()]) {
    for (const bound of [{ atLeast: 0 }, { atMost: 0 }, { above: -1 }, { below: 1 }]) {
      assert.equal(judge('x', value, bound).status, 'fail', `${String(value)} ${JSON.stringify(bound)}`)
    }
  }
  assert.equal(judge('x', Number.NaN, { equals: Number.NaN }).status, 'fail')
})

test('judge() does not compare text with numbers', () => {
  assert.equal(judge('x', '5', { atLeast: 1 }).status, 'fail')
  assert.equal(judge('x', true, { atLeast: 0 }).status, 'fail')
})

test('gateText() says value, unit and bound', () => {
  assert.equal(gateText(judge('snr', 17.23456, { atLeast: 15 }, { unit: 'dB' })), 'pass  snr: 17.23 dB (>= 15 dB)')
  assert.equal(gateText(blockedGate('device', 'no /dev/hailo0')), 'blocked  device: no /dev/hailo0')
  assert.equal(formatValue(Number.NaN), 'NaN')
})

test('exitNameOfGates() fails on one failure, is blocked by one blocked gate and by none at all', () => {
  const [pass, fail, blocked] = [judge('a', 1, { equals: 1 }), judge('a', 0, { equals: 1 }), blockedGate('a', 'why')]
  assert.equal(exitNameOfGates([]), 'blocked')
  assert.equal(exitNameOfGates([pass]), 'pass')
  assert.equal(exitNameOfGates([pass, blocked]), 'blocked')
  assert.equal(exitNameOfGates([pass, blocked, fail]), 'fail')
})

test('verdictOf() lets an error decide before the gates', () => {
  assert.deepEqual(verdictOf([judge('a', 1, { equals: 1 })], blockedError('x', 'y')), { verdict: 'BLOCKED', exit: 3 })
  assert.deepEqual(verdictOf([], new TypeError('x')), { verdict: 'BUG', exit: 70 })
})

test('verdictLine() is one line whatever the next step holds', () => {
  const line = verdictLine({
    verdict: 'FAIL',
    runbook: 'x',
    gates: [],
    marks: { toolchain: 'host', note: 'a b' },
    run: 'module_runs/a',
    next: 'say "a"\nand b',
    hint: null,
  })
  assert.equal(line, String.raw`FAIL x gates=0/0 toolchain=host note="a b" run=module_runs/a next="say \"a\"\nand b"`)
})

test('judge() throws for a bound that is none, two or not a number, instead of judging by half of it', () => {
  for (const bound of [{}, { min: 10 }, { atLeast: 1, atMost: 2 }, { atLeast: Number.NaN }, { atMost: undefined }])
    assert.throws(() => judge('x', 5, bound as never), TypeError, JSON.stringify(bound))
})
