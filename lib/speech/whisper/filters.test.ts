import assert from 'node:assert/strict'
import test from 'node:test'
import { scriptedTokenizer } from '../../testing/whisper/scripted.ts'
import { argmax, logSumExp, makeFilter, type FilterOptions } from './filters.ts'

const tokenizer = scriptedTokenizer()
const { endOfText, noTimestamps, firstTimestamp: t0, noSpeech, startOfPrevious } = tokenizer.special
const options: FilterOptions = {
  suppress: [],
  suppressBlank: true,
  timestamps: true,
  maxInitialTimestamp: 50,
}
const allowed = (said: readonly number[], o: Partial<FilterOptions> = {}, favoured: Record<number, number> = {}) => {
  const logits = new Float32Array(51_864).fill(-5)
  for (const [token, logit] of Object.entries(favoured)) logits[Number(token)] = logit
  makeFilter(tokenizer, { ...options, ...o })(logits, said)
  return (token: number) => logits[token] !== -Infinity
}

test('makeFilter wants a time first, and none later than one second', () => {
  const may = allowed([])
  assert.ok(may(t0) && may(t0 + 50))
  assert.ok(!may(t0 + 51) && !may(300) && !may(endOfText))
  assert.ok(allowed([], { maxInitialTimestamp: undefined })(t0 + 1500))
})

test('makeFilter pairs times: after the end of a segment comes a time or the end, after its start comes text', () => {
  const text = { 300: 20, [endOfText]: 20 }
  const closed = allowed([t0, 300, t0 + 9], {}, { [t0 + 9]: 20, [endOfText]: 20 })
  assert.ok(closed(t0 + 9) && closed(t0 + 10) && !closed(t0 + 8) && !closed(300))
  const opened = allowed([t0, 300, t0 + 9, t0 + 9], {}, text)
  assert.ok(opened(300) && !opened(t0 + 10))
  const first = allowed([t0], {}, text)
  assert.ok(first(300) && !first(t0 + 1))
})

test('makeFilter lets times never go back, and gives a segment some length', () => {
  const may = allowed([t0 + 5, 300], {}, { 300: 20 })
  assert.ok(!may(t0 + 5) && may(t0 + 6))
})

test('makeFilter says a time when all times together outweigh every word', () => {
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [t0 + 6 + i, 0]))
  assert.ok(!allowed([t0 + 5, 300], {}, { ...many, 301: 4 })(301))
  assert.ok(allowed([t0 + 5, 300], {}, { ...many, 301: 8 })(301))
})

test('makeFilter forbids special tokens always, blanks at first, and what it is told', () => {
  const may = allowed([], { timestamps: false, suppress: [400] })
  for (const token of [noSpeech, startOfPrevious, 400, endOfText, 32]) assert.ok(!may(token), String(token))
  assert.ok(may(300) && may(noTimestamps))
  assert.ok(allowed([300], { timestamps: false })(endOfText))
  assert.ok(allowed([], { timestamps: false, suppressBlank: false })(endOfText))
  assert.ok(!allowed([300], { timestamps: false, suppress: 'default' })('('.codePointAt(0)!))
})

test('makeFilter allows no time behind the end of a shorter window', () => {
  const may = allowed([t0, 300], { lastTimestamp: 500 })
  assert.ok(may(t0 + 500) && !may(t0 + 501))
})

test('logSumExp and argmax pass over -Infinity and tell when there is nothing', () => {
  const logits = Float32Array.of(-Infinity, 0, 0, -Infinity)
  assert.ok(Math.abs(logSumExp(logits) - Math.log(2)) < 1e-7)
  assert.equal(argmax(logits), 1)
  assert.equal(logSumExp(Float32Array.of(-Infinity)), -Infinity)
  assert.equal(argmax(Float32Array.of(-Infinity)), -1)
  assert.equal(argmax(Float32Array.of(Number.NaN)), -1)
  assert.ok(Math.abs(logSumExp(Float32Array.of(1000, 999)) - 1000.3132617) < 1e-4)
})
