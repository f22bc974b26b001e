import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { decimalText, float32Text } from './number-text.ts'

const values = (text: string) => (JSON.parse(`[${text}]`) as number[]).map(Math.fround)

test('float32Text gives text that is the same float32 again, for every size and sign', () => {
  const any = fc.float({ noNaN: true, noDefaultInfinity: true })
  fc.assert(
    fc.property(fc.array(any, { maxLength: 80 }), list => {
      const row = Float32Array.from(list)
      assert.deepEqual(values(float32Text(row)), [...row])
    }),
    { numRuns: 500 },
  )
  // Every exponent of float32, and the neighbours of every power of two and of ten.
  const edges: number[] = []
  const bits = new Uint32Array(1)
  const float = new Float32Array(bits.buffer)
  for (let exponent = 0; exponent < 255; exponent++)
    for (const fraction of [0, 1, 2, 0x40_0000, 0x7f_fffe, 0x7f_ffff]) {
      bits[0] = (exponent << 23) | fraction
      edges.push(float[0]!)
    }
  for (let power = -45; power <= 38; power++)
    for (const step of [-1, 0, 1]) {
      float[0] = 10 ** power
      bits[0]! += step
      if (Number.isFinite(float[0]!)) edges.push(float[0]!)
    }
  const row = Float32Array.from(edges)
  assert.deepEqual(values(float32Text(row)), [...row])
})

test('float32Text writes no digits that say nothing, and a sign of zero', () => {
  const text = float32Text(
    Float32Array.of(0, -0, 1, -0.5, 100, 1e8, 1e9, 0.1, 2e-5, 1e-5, 1.5e-7, 123_456_792, 3.4028235e38),
  )
  assert.equal(
    text,
    '0,-0,1,-0.5,100,100000000,1e9,0.100000001,0.0000199999995,9.99999975e-6,1.50000005e-7,123456792,3.40282347e38',
  )
  assert.equal(float32Text(new Float32Array(0)), '')
})

test('float32Text writes lists that are longer than any before', () => {
  const row = Float32Array.from({ length: 5000 }, (_, i) => Math.fround(-1.1754943508222875e-38 * (1 + i / 7)))
  assert.deepEqual(values(float32Text(row)), [...row])
})

test('decimalText rounds to the decimals, without zeros at the end and without a negative zero', () => {
  assert.equal(
    decimalText([0, 1, -1.5, 0.123456, -0.000001, 12.00001, 21_475.5, 1e21], 5),
    '0,1,-1.5,0.12346,0,12.00001,21475.5,1e+21',
  )
  assert.equal(decimalText([1.5, 2.4], 0), '2,2')
  fc.assert(
    fc.property(fc.array(fc.double({ min: -20_000, max: 20_000, noNaN: true }), { maxLength: 50 }), list => {
      const read = JSON.parse(`[${decimalText(list, 5)}]`) as number[]
      for (const [i, value] of list.entries()) assert.ok(Math.abs(read[i]! - value) <= 0.500001e-5, `${value}`)
    }),
  )
})
