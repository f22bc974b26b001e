import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { RunbookError } from '../../base/errors.ts'
import {
  decodeHefModel,
  encodeHefModel,
  quantizedLayer,
  runHefModel,
  type HefModel,
  type HefModelLayer,
} from './model.ts'
import { halfModel } from './samples.ts'

const even = { zeroPoint: 0, scale: 1 }
const layer = (more: Partial<HefModelLayer> = {}): HefModelLayer => ({
  source: 0,
  target: 1,
  height: 1,
  width: 4,
  sourceFeatures: 1,
  targetFeatures: 1,
  taps: 1,
  sourceZeroPoint: 0,
  targetZeroPoint: 0,
  low: 0,
  high: 255,
  multiplier: Float32Array.of(1),
  offset: Float32Array.of(0),
  weights: Int8Array.of(1),
  ...more,
})
const model = (...layers: readonly HefModelLayer[]): HefModel => ({ inputs: 1, outputs: 1, layers })
const run = (one: HefModelLayer, ...values: readonly number[]) => [
  ...runHefModel(model(one), [Uint8Array.from(values)])[0]!,
]
const refuses = (act: () => unknown, why: RegExp) =>
  assert.throws(
    act,
    (error: unknown) => error instanceof RunbookError && error.exit === 'usage' && why.test(error.message),
  )

test('encodeHefModel() lays the bytes as the format says', () => {
  const bytes = Buffer.from(
    encodeHefModel(model(layer({ weights: Int8Array.of(-2), multiplier: Float32Array.of(0.5), sourceZeroPoint: -1 }))),
  )
  assert.equal(bytes.toString('latin1', 0, 4), 'RBM1')
  assert.deepEqual(
    [4, 8, 12].map(at => bytes.readUInt32LE(at)),
    [1, 1, 1],
  )
  assert.deepEqual(
    [16, 20, 24, 28, 32, 36, 40].map(at => bytes.readUInt32LE(at)),
    [0, 1, 1, 4, 1, 1, 1],
  )
  assert.deepEqual(
    [44, 48, 52, 56].map(at => bytes.readInt32LE(at)),
    [-1, 0, 0, 255],
  )
  assert.deepEqual([bytes.readFloatLE(60), bytes.readFloatLE(64), bytes.readInt8(68), bytes.length], [0.5, 0, -2, 69])
})

test('decodeHefModel() gives back what encodeHefModel() wrote', () => {
  const chain = model(
    layer({
      target: 2,
      targetFeatures: 3,
      taps: 3,
      weights: Int8Array.from({ length: 9 }, (_, i) => i - 4),
      multiplier: Float32Array.of(1, 2, 3),
      offset: Float32Array.of(4, 5, 6),
    }),
    layer({ source: 2, sourceFeatures: 3, weights: Int8Array.of(1, -1, 127), low: 3, high: 250 }),
  )
  for (const one of [halfModel(), chain]) assert.deepEqual(decodeHefModel(encodeHefModel(one)), one)
})

test('decodeHefModel() refuses every cut and a byte too many', () => {
  const bytes = encodeHefModel(halfModel())
  for (let length = 0; length < bytes.length; length++)
    refuses(() => decodeHefModel(bytes.subarray(0, length)), /it ends at byte|does not begin with "RBM1"/)
  refuses(() => decodeHefModel(Buffer.concat([bytes, Buffer.alloc(1)])), /1 bytes follow its last layer/)
  refuses(() => decodeHefModel(Buffer.from('RBM2'.padEnd(100))), /does not begin with "RBM1"/)
})

test('decodeHefModel() survives mutations with a sound model or one clear error', () => {
  const whole = encodeHefModel(halfModel())
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, value) => {
      const bytes = Uint8Array.from(whole)
      bytes[at] = value
      try {
        assert.deepEqual(encodeHefModel(decodeHefModel(bytes)), bytes)
      } catch (error) {
        assert.ok(error instanceof RunbookError, String(error))
      }
    }),
    { numRuns: 500 },
  )
})

test('encodeHefModel() refuses layers that contradict themselves', () => {
  const bad = (one: Partial<HefModelLayer>, why: RegExp) => refuses(() => encodeHefModel(model(layer(one))), why)
  bad({ width: 0 }, /impossible shape/)
  bad({ taps: 2, weights: new Int8Array(2) }, /2 taps/)
  bad({ low: 7, high: 3 }, /between 7 and 3/)
  bad({ high: 256 }, /between 0 and 256/)
  bad({ weights: new Int8Array(2) }, /wants 1, 1, 1 multipliers, offsets and weights, and has 1, 1, 2/)
  bad({ multiplier: Float32Array.of(Number.NaN) }, /is no number/)
  bad({ source: 5 }, /reads tensor 5, which nothing has written/)
  bad({ target: 0 }, /writes over input 0/)
  bad({ target: 2 }, /nothing writes output 0/)
  refuses(
    () => encodeHefModel(model(layer({ target: 2 }), layer({ source: 2, width: 5 }))),
    /takes tensor 2 for 5 bytes, an earlier one for 4/,
  )
  refuses(() => encodeHefModel({ ...model(), inputs: 0, outputs: 0 }), /0 inputs and 0 outputs/)
})

test('runHefModel() multiplies, rounds half up and saturates', () => {
  assert.deepEqual(run(layer(), 0, 1, 254, 255), [0, 1, 254, 255])
  assert.deepEqual(run(layer({ multiplier: Float32Array.of(0.5) }), 1, 2, 3, 5), [1, 1, 2, 3])
  assert.deepEqual(run(layer({ weights: Int8Array.of(2) }), 1, 100, 128, 255), [2, 200, 255, 255])
  assert.deepEqual(run(layer({ weights: Int8Array.of(-1), targetZeroPoint: 10 }), 0, 3, 10, 11), [10, 7, 0, 0])
  assert.deepEqual(
    run(layer({ sourceZeroPoint: 128, targetZeroPoint: 100, low: 100 }), 0, 128, 130, 255),
    [100, 100, 102, 227],
  )
})

test('runHefModel() takes source zero points beyond the edges of a row', () => {
  const sum = layer({ taps: 3, weights: Int8Array.of(1, 1, 1) })
  assert.deepEqual(run(sum, 1, 2, 3, 4), [3, 6, 9, 7])
  assert.deepEqual(run({ ...sum, sourceZeroPoint: 1, targetZeroPoint: 1 }, 1, 2, 3, 4), [2, 4, 7, 6])
  const rows = layer({ height: 2, width: 2, taps: 3, weights: Int8Array.of(1, 0, 0) })
  assert.deepEqual(run(rows, 1, 2, 3, 4), [0, 1, 0, 3])
})

test('runHefModel() runs layers in order through hidden tensors to several outputs', () => {
  const two: HefModel = {
    inputs: 1,
    outputs: 2,
    layers: [
      layer({ target: 3, offset: Float32Array.of(1) }),
      layer({ source: 3, target: 1 }),
      layer({ source: 3, target: 2, offset: Float32Array.of(10) }),
    ],
  }
  assert.deepEqual(
    runHefModel(two, [Uint8Array.of(1, 2, 3, 4)]).map(frame => [...frame]),
    [
      [2, 3, 4, 5],
      [12, 13, 14, 15],
    ],
  )
  refuses(() => runHefModel(two, [new Uint8Array(3)]), /tensor 0 has 3 bytes, and the layer takes 4/)
  refuses(() => runHefModel(two, []), /tensor 0 has 0 bytes/)
})

test('quantizedLayer() stays within a step of the real arithmetic', () => {
  const numbers = (length: number) =>
    fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: length, maxLength: length })
  const from = { zeroPoint: 128, scale: 1 / 100 }
  const to = { zeroPoint: 120, scale: 1 / 20 }
  fc.assert(
    fc.property(numbers(12), numbers(2), numbers(20), (weights, bias, values) => {
      const one = quantizedLayer({
        source: 0,
        target: 1,
        height: 1,
        width: 10,
        taps: 3,
        weights: Float32Array.from(weights),
        bias: Float32Array.from(bias),
        from,
        to,
      })
      const frame = Uint8Array.from(values, value => Math.round(value / from.scale) + from.zeroPoint)
      const [out] = runHefModel(model(one), [frame])
      for (let x = 0; x < 10; x++) {
        for (let feature = 0; feature < 2; feature++) {
          let real = bias[feature]!
          for (let tap = 0; tap < 3; tap++) {
            for (let i = 0; i < 2; i++) {
              const byte = frame[(x + tap - 1) * 2 + i] ?? from.zeroPoint
              real += weights[(feature * 3 + tap) * 2 + i]! * (byte - from.zeroPoint) * from.scale
            }
          }
          // Half a step by rounding, and weights that are off by half of 1/127 each.
          assert.ok(
            Math.abs((out![x * 2 + feature]! - to.zeroPoint) * to.scale - real) <= to.scale * 0.51 + (6 * 1.28) / 254,
          )
        }
      }
    }),
    { numRuns: 40 },
  )
})

test('quantizedLayer() survives weights of zero, and a ReLU ends at its zero point', () => {
  const zero = quantizedLayer({
    source: 0,
    target: 1,
    height: 1,
    width: 4,
    weights: new Float32Array(1),
    bias: Float32Array.of(7),
    from: even,
    to: even,
  })
  assert.deepEqual(run(zero, 1, 2, 3, 4), [7, 7, 7, 7])
  const relu = quantizedLayer({
    source: 0,
    target: 1,
    height: 1,
    width: 4,
    weights: Float32Array.of(-1),
    bias: Float32Array.of(2),
    from: even,
    to: { zeroPoint: 5, scale: 1 },
    isRelu: true,
  })
  assert.deepEqual(run(relu, 0, 1, 2, 9), [7, 6, 5, 5])
})
