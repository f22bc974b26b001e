import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { normal } from '../../testing/onnx/graphs.ts'
import {
  leastWeightScales,
  quantizationOf,
  quantizeBias,
  quantizeConstant,
  quantizeWeight,
  roundHalfEven,
} from './values.ts'

test('roundHalfEven() goes to the even neighbour at a half', () => {
  assert.deepEqual([0.5, 1.5, 2.5, -0.5, -1.5, 2.4, 2.6, -2.6, 7].map(roundHalfEven), [0, 2, 2, 0, -2, 2, 3, -3, 7])
})

test('quantizationOf() represents zero exactly and covers the range to within half a step', () => {
  const value = fc.double({ min: -1e6, max: 1e6, noNaN: true })
  fc.assert(
    fc.property(value, value, fc.constantFrom('uint8' as const, 'int8' as const), (a, b, type) => {
      const range = { min: Math.min(a, b), max: Math.max(a, b) }
      const { scale, zeroPoint } = quantizationOf(range, type)
      const lowest = type === 'uint8' ? 0 : -128
      assert.ok(Number.isInteger(zeroPoint) && zeroPoint >= lowest && zeroPoint <= lowest + 255)
      assert.ok(scale > 0 && scale === Math.fround(scale))
      const [low, high] = [(lowest - zeroPoint) * scale, (lowest + 255 - zeroPoint) * scale]
      assert.ok(low <= 0 && high >= 0)
      assert.ok(
        low - range.min <= 0.501 * scale && range.max - high <= 0.501 * scale,
        `${low} ${high} for ${range.min} ${range.max}`,
      )
    }),
  )
})

test('quantizationOf() puts the zero point at the end of a one-sided range', () => {
  assert.deepEqual(quantizationOf({ min: 0, max: 1 }, 'uint8'), { scale: Math.fround(1 / 255), zeroPoint: 0 })
  assert.deepEqual(quantizationOf({ min: 2, max: 5 }, 'uint8').zeroPoint, 0)
  assert.deepEqual(quantizationOf({ min: -5, max: -2 }, 'uint8').zeroPoint, 255)
  assert.deepEqual(quantizationOf({ min: 0, max: 1 }, 'int8').zeroPoint, -128)
})

test('quantizationOf() gives scale 1 to a tensor of zeros, and never a scale of 0', () => {
  assert.deepEqual(quantizationOf({ min: 0, max: 0 }, 'uint8'), { scale: 1, zeroPoint: 0 })
  assert.deepEqual(quantizationOf({ min: 0, max: 0 }, 'int8'), { scale: 1, zeroPoint: -128 })
  assert.ok(quantizationOf({ min: 0, max: 1e-45 }, 'uint8').scale > 1e-30)
})

/** The worst error of each channel, in steps of that channel. */
function stepsOff(
  values: Float32Array,
  { data, scales }: { data: Int8Array; scales: Float32Array },
  channelAt: (i: number) => number,
): number {
  return Math.max(
    ...values.map((value, i) => Math.abs(value - data[i]! * scales[channelAt(i)]!) / scales[channelAt(i)]!),
  )
}

test('quantizeWeight() is off by at most half a step of each channel, along any axis', () => {
  const { data } = normal([4, 6, 5], { seed: 1 })
  const scaled = data.map((value, i) => value * 10 ** (Math.floor(i / 5) % 6))
  for (const [axis, channelAt] of [
    [0, (i: number) => Math.floor(i / 30)],
    [1, (i: number) => Math.floor(i / 5) % 6],
    [2, (i: number) => i % 5],
  ] as const) {
    const quantized = quantizeWeight(scaled, { shape: [4, 6, 5], axis })
    assert.equal(quantized.scales.length, [4, 6, 5][axis])
    assert.ok(stepsOff(scaled, quantized, channelAt) <= 0.501)
  }
  assert.equal(quantizeWeight(scaled, { shape: [4, 6, 5], axis: null }).scales.length, 1)
})

test('quantizeWeight() is exact where a channel holds one value, and uses the symmetric range', () => {
  const values = Float32Array.of(3, -0.001, 7e5)
  const { data, scales } = quantizeWeight(values, { shape: [3, 1, 1, 1], axis: 0 })
  assert.deepEqual([...data], [127, -127, 127])
  for (const [i, value] of values.entries())
    assert.ok(Math.abs(data[i]! * scales[i]! - value) <= Math.abs(value) * 1e-7)
})

test('quantizeWeight() gives scale 1 to a channel of zeros, and zeros to a channel below all scales', () => {
  const { data, scales } = quantizeWeight(Float32Array.of(0, 0, 1e-40, 1e-42), { shape: [2, 2], axis: 0 })
  assert.equal(scales[0], 1)
  assert.ok(scales[1]! > 1e-30)
  assert.deepEqual([...data], [0, 0, 0, 0])
})

test('quantizeWeight() widens a scale to what a bias needs', () => {
  const { data, scales } = quantizeWeight(Float32Array.of(1, 1), { shape: [2, 1], axis: 0, leastScales: [0, 0.5] })
  assert.deepEqual([...data], [127, 2])
  assert.equal(scales[1], 0.5)
})

test('quantizeBias() stays within int32 and precise when the weights of a channel are tiny or none', () => {
  const bias = Float32Array.of(0.25, -3, 1e4)
  const inputScale = 0.01
  const { scales } = quantizeWeight(Float32Array.of(1, 1e-20, 0), {
    shape: [3, 1],
    axis: 0,
    leastScales: leastWeightScales(bias, inputScale),
  })
  const { data, scales: biasScales } = quantizeBias(bias, { inputScale, weightScales: scales })
  for (const [i, b] of bias.entries()) {
    assert.ok(Math.abs(data[i]!) < 2 ** 31 - 1)
    assert.ok(Math.abs(data[i]! * biasScales[i]! - b) <= Math.max(Math.abs(b) * 1e-6, biasScales[i]!), `${i}`)
  }
})

test('quantizeBias() repeats the weight scales over groups', () => {
  const { scales } = quantizeBias(Float32Array.of(1, 1, 1, 1), { inputScale: 2, weightScales: Float32Array.of(3, 5) })
  assert.deepEqual([...scales], [6, 10, 6, 10])
})

test('quantizeConstant() keeps a scalar exact, of either sign', () => {
  for (const value of [4, -0.125, 0]) {
    const { scale, zeroPoint, data } = quantizeConstant(Float32Array.of(value), 'uint8')
    assert.ok(Math.abs((data[0]! - zeroPoint) * scale - value) <= Math.abs(value) * 1e-6, `${value}`)
  }
})
