import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import fc from 'fast-check'
import { Problem } from '../../../serve/http.ts'
import { dataPath, needsData } from '../../../testing/needs.ts'
import { parseWindow, windowFromBytes } from './parse.ts'

const rows = (value = 0) => Array.from({ length: 100 }, () => Array.from({ length: 9 }, () => value as unknown))
const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
const parsed = (value: unknown) => parseWindow(bytes(value))
const refused = (value: unknown, code: string, message: RegExp) =>
  assert.throws(
    () => parsed(value),
    (error: unknown) => {
      assert.ok(error instanceof Problem, String(error))
      assert.equal(error.status, 400)
      assert.equal(error.code, code)
      assert.match(error.message, message)
      assert.match(String(error.details.schema_hint), /ax, ay, az/)
      return true
    },
  )
const withValue = (t: number, c: number, value: unknown) => {
  const x = rows()
  x[t]![c] = value
  return { x }
}

test('parseWindow gives the float32 that JSON.parse gives, for any number a client writes', () => {
  const number = fc.oneof(
    fc.double({ min: -34, max: 34, noNaN: true }),
    fc.float({ min: -34, max: 34, noNaN: true }),
    fc.integer({ min: -34, max: 34 }),
    // Halfway between two float32, where the last of many digits decides.
    fc.float({ min: 1, max: 30, noNaN: true }).map(n => n * (1 + 2 ** -24)),
  )
  const text = fc
    .tuple(number, fc.constantFrom('plain', 'exponent', 'fixed', 'padded'))
    .map(([n, form]) =>
      form === 'exponent'
        ? n.toExponential()
        : form === 'fixed'
          ? n.toFixed(12)
          : form === 'padded'
            ? ` ${n} `
            : `${n}`,
    )
    // JSON has no "-0" problem and no "1e+30"; JavaScript's own words for numbers are all JSON.
    .filter(word => Number.isFinite(Number(word)))
  fc.assert(
    fc.property(fc.array(text, { minLength: 9, maxLength: 60 }), words => {
      const body = `{"x":[${rows()
        .map((row, t) => `[${row.map((_, c) => words[(t * 9 + c) % words.length]).join(',')}]`)
        .join(',')}]}`
      const want = (JSON.parse(body) as { x: number[][] }).x.flat().map(Math.fround)
      assert.deepEqual([...parsed(body)], want)
    }),
    { numRuns: 40 },
  )
})

test('parseWindow takes spaces, other keys, escapes and a key that comes twice', () => {
  const x = JSON.stringify(rows(1))
  for (const body of [
    ` {\n "x" : ${x} \t}\r\n`,
    `{"x":${x},"id":7}`,
    `{"id":"a","x":${x}}`,
    String.raw`{"\u0078":${x}}`,
    `{"x":null,"x":${x}}`,
    `{"__proto__":{"polluted":1},"x":${x}}`,
  ])
    assert.deepEqual(
      [...parsed(body)],
      Array.from({ length: 900 }, () => 1),
      body.slice(0, 30),
    )
  assert.equal(({} as Record<string, unknown>).polluted, undefined)
})

test('parseWindow says which place is wrong when the shape is', () => {
  refused({ x: rows().slice(1) }, 'invalid_shape', /^x has 99 rows, and 100 are wanted$/)
  refused({ x: [...rows(), ...rows().slice(0, 5)] }, 'invalid_shape', /^x has 105 rows/)
  refused({ x: rows().map((row, t) => (t === 7 ? row.slice(1) : row)) }, 'invalid_shape', /^x\[7\] has 8 numbers/)
  refused({ x: rows().map((row, t) => (t === 99 ? [...row, 0] : row)) }, 'invalid_shape', /^x\[99\] has 10 numbers/)
  refused({ x: rows().map((row, t) => (t === 3 ? null : row)) }, 'invalid_shape', /^x\[3\] is null/)
  refused({ x: [] }, 'invalid_shape', /^x has 0 rows/)
  refused({ x: 'window' }, 'invalid_shape', /^x is a string/)
  refused({ x: rows().flat() }, 'invalid_shape', /^x has 900 rows/)
})

test('parseWindow coerces nothing when a value is no number', () => {
  refused(withValue(0, 0, '1.5'), 'invalid_value', /^x\[0\]\[0\] is a string/)
  refused(withValue(5, 8, null), 'invalid_value', /^x\[5\]\[8\] is null/)
  refused(withValue(5, 8, true), 'invalid_value', /is a boolean/)
  refused(withValue(5, 8, [1]), 'invalid_value', /is a list/)
})

test('parseWindow refuses what is no finite float32, after rounding', () => {
  const text = (word: string) => JSON.stringify(withValue(2, 1, 12345)).replace('12345', word)
  for (const word of ['1e999', '1e300', '-1e39']) refused(text(word), 'non_finite', /^x\[2\]\[1\] \(ay\)/)
  for (const word of ['NaN', 'Infinity', '-', '.5', '1.', '01', '+1', '1e', '0x1'])
    refused(text(word), 'invalid_json', /./)
})

test('parseWindow refuses what no sensor gives, and takes the bound itself', () => {
  for (const [channel, bound] of [
    [0, 500],
    [4, 35],
    [8, 2000],
  ] as const) {
    for (const sign of [1, -1]) {
      parsed(withValue(0, channel, sign * bound))
      refused(withValue(0, channel, sign * (bound + 0.01)), 'out_of_range', /beyond ±/)
    }
  }
})

test('parseWindow refuses bodies that are no JSON object with x', () => {
  for (const body of ['', '{', '{"x":', '[1', 'x', '\u0000', '{"x":[[0,0]]']) refused(body, 'invalid_json', /no JSON/)
  refused(Buffer.from([0x7b, 0xff, 0x7d]).toString('latin1'), 'invalid_json', /no JSON/)
  for (const body of ['{}', '[]', 'null', '7', '{"X":[]}', '{"__proto__":{"x":[]}}']) refused(body, 'missing_x', /"x"/)
})

test('parseWindow never throws anything but a refusal, whatever the bytes', () => {
  const plain = bytes({ x: rows(1.25) })
  fc.assert(
    fc.property(fc.nat(plain.length - 1), fc.uint8Array({ maxLength: 4 }), (at, wedge) => {
      const body = Buffer.concat([plain.subarray(0, at), wedge, plain.subarray(at + 1)])
      try {
        assert.equal(parseWindow(body).length, 900)
      } catch (thrown) {
        assert.ok(thrown instanceof Problem, String(thrown))
      }
    }),
    { numRuns: 500 },
  )
})

test('windowFromBytes reads little-endian float32 at any offset, and refuses other lengths and odd values', () => {
  const window = Float32Array.from({ length: 900 }, (_, i) => Math.sin(i))
  const shifted = Buffer.concat([Buffer.alloc(3), Buffer.from(window.buffer)]).subarray(3)
  assert.deepEqual(windowFromBytes(shifted), window)
  assert.throws(() => windowFromBytes(Buffer.alloc(3599)), { code: 'invalid_shape' })
  window[899] = NaN
  assert.throws(() => windowFromBytes(Buffer.from(window.buffer)), { code: 'non_finite' })
})

test(
  "parseWindow takes the original's samples of 100 rows and refuses the one of 105",
  { skip: needsData('encoder') },
  () => {
    for (const name of ['random', 'realistic', 'static']) {
      const { x } = JSON.parse(readFileSync(dataPath(`encoder/${name}_imu_sample.json`), 'utf8')) as { x: number[][] }
      if (name === 'static') refused({ x }, 'invalid_shape', /^x has 105 rows, and 100 are wanted$/)
      else assert.equal(parsed({ x }).length, 900, name)
    }
  },
)
