import assert from 'node:assert/strict'
import test from 'node:test'
import { bar, barsText, sparkline } from './plot-text.ts'

test('bar() fills in eighths of a character', () => {
  assert.equal(bar(8, { largest: 8, columns: 4 }), '████')
  assert.equal(bar(1, { largest: 8, columns: 4 }), '▌')
  assert.equal(bar(-8, { largest: 8, columns: 2 }), '██')
})

test('bar() draws nothing for NaN, for the infinities and beside no largest value', () => {
  assert.deepEqual(
    [
      bar(NaN, { largest: 1, columns: 4 }),
      bar(Infinity, { largest: 1, columns: 4 }),
      bar(0, { largest: 0, columns: 4 }),
    ],
    ['', '', ''],
  )
})

test('sparkline() goes from the lowest to the highest block', () => {
  assert.equal(sparkline([0, 1, 2, 3, 4, 5, 6, 7]), '▁▂▃▄▅▆▇█')
})

test('sparkline() leaves a gap for NaN and stays flat for equal values', () => {
  assert.equal(sparkline([1, NaN, 1]), '▁ ▁')
  assert.equal(sparkline([NaN]), ' ')
  assert.equal(sparkline([]), '')
})

test('sparkline() averages many values into few columns, within the bounds it is given', () => {
  assert.equal(sparkline([0, 0, 1, 1], { columns: 2, from: 0, to: 2 }), '▁▅')
  assert.equal(sparkline(new Float32Array(6000)).length, 60)
  assert.equal(sparkline([-5, 50], { from: 0, to: 1 }), '▁█')
})

test('barsText() lines up labels, bars and values', () => {
  const text = barsText([
    { label: 'a', value: 1 },
    { label: 'longer', value: 10, note: 'hef' },
    { label: 'c', value: NaN },
  ])
  const lines = text.split('\n')
  assert.equal(lines[0], `a       ███${' '.repeat(27)}   1`)
  assert.equal(lines[1], `longer  ${'█'.repeat(30)}  10  hef`)
  assert.equal(lines[2], `c       ${' '.repeat(30)} NaN`)
})

test('barsText() says what it left out, and that there is nothing', () => {
  assert.match(barsText(Array.from({ length: 30 }, (_, i) => ({ label: `${i}`, value: i }))), /\n… 6 more$/)
  assert.equal(barsText([]), '(no values)')
})
