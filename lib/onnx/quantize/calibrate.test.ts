import assert from 'node:assert/strict'
import test from 'node:test'
import { float32, type Tensor } from '../../formats/tensors/tensor.ts'
import { GraphBuilder } from '../builder.ts'
import { calibrate, type Feeds } from './calibrate.ts'
import { convStack, ints, stackBatches, stackFrames } from '../../testing/onnx/graphs.ts'

/** x -> y = 2x, z = Relu(y), s = Shape(z). */
function doubled(shape: readonly (number | string)[] = [1, 3]) {
  const builder = new GraphBuilder({ name: 'doubled' })
  const y = builder.node('Mul', [builder.input('x', 'float32', shape), builder.weight('two', float32([1], [2]))], {
    output: 'y',
  })
  const z = builder.node('Relu', [y], { output: 'z' })
  builder.node('Shape', [z], { output: 's' })
  builder.output(z, 'float32', shape)
  return builder.build()
}

const feed = (...values: number[]): Feeds => ({ x: float32([1, values.length], values) })
const refused = (message: RegExp) => ({ name: 'RunbookError', exit: 'usage', message })

test('calibrate() finds the range of inputs and of every float value over all batches', async () => {
  const ranges = await calibrate(doubled(), [feed(1, -2, 0), feed(0, 0, 3)], { method: 'minmax' })
  assert.deepEqual([...ranges].toSorted(), [
    ['x', { min: -2, max: 3 }],
    ['y', { min: -4, max: 6 }],
    ['z', { min: 0, max: 6 }],
  ])
})

test('calibrate() gives the same ranges when the values are exposed in many small groups', async () => {
  const model = convStack()
  const batches = stackBatches(3)
  const whole = await calibrate(model, batches, { method: 'mse' })
  assert.deepEqual(await calibrate(model, batches, { method: 'mse', budgetBytes: 4 * 16 * stackFrames }), whole)
  assert.deepEqual(await calibrate(model, batches, { method: 'mse', budgetBytes: 1 }), whole)
  assert.equal(whole.size, 15)
})

test('calibrate() clips a rare outlier unless told to keep the extremes', async () => {
  const values = Array.from({ length: 5000 }, (_, i) => Math.sin(i))
  const batches = [feed(...values, 1000)]
  const model = doubled([1, 5001])
  assert.equal((await calibrate(model, batches, { method: 'minmax' })).get('z')!.max, 2000)
  assert.ok((await calibrate(model, batches, { method: 'percentile', tail: 1e-3 })).get('z')!.max < 4)
})

test('calibrate() leaves the model as it was', async () => {
  const model = doubled()
  const before = structuredClone(model)
  await calibrate(model, [feed(1, 2, 3)])
  assert.deepEqual(model, before)
})

test('calibrate() takes batches of different sizes where the model names the dimension', async () => {
  const ranges = await calibrate(doubled([1, 'n']), [feed(1), feed(1, 2, 5)], { method: 'minmax' })
  assert.deepEqual(ranges.get('y'), { min: 0, max: 10 })
})

test('calibrate() refuses no batch at all', () =>
  assert.rejects(calibrate(doubled(), []), refused(/no batch is given/)))

test('calibrate() names the value that becomes NaN or infinite', async () => {
  await assert.rejects(calibrate(doubled(), [feed(1, 2, 3), feed(1, NaN, 3)]), refused(/on "x": batch 1 gives NaN/))
  await assert.rejects(calibrate(doubled(), [feed(1, 3e38, 3)]), refused(/on "y": batch 0 gives Infinity/))
})

test('calibrate() refuses a batch that does not fit the inputs, and says what fits', async () => {
  const wrong: [Feeds, RegExp][] = [
    [feed(1, 2), /batch 0 gives "x" as float32\[1, 2\] \(2 values\), the model takes float32\[1, 3\]/],
    [{ y: float32([1, 3], [1, 2, 3]) }, /batch 0 lacks the input "x" float32\[1, 3\]/],
    [{ x: { ...ints([1, 2, 3]), shape: [1, 3] } as Tensor }, /gives "x" as int64\[1, 3\]/],
    [{ x: { dtype: 'float32', shape: [1, 3], data: new Float32Array(2) } }, /float32\[1, 3\] \(2 values\)/],
  ]
  for (const [feeds, message] of wrong) await assert.rejects(calibrate(doubled(), [feeds]), refused(message))
})

test('calibrate() passes on what ONNX Runtime says of a model that it does not load', async () => {
  const builder = new GraphBuilder({ name: 'strange' })
  builder.output(builder.node('Conjure', [builder.input('x', 'float32', [1, 3])], { output: 'y' }), 'float32', [1, 3])
  await assert.rejects(
    calibrate(builder.build(), [feed(1, 2, 3)]),
    refused(/"strange": ONNX Runtime does not load it: .*Conjure/s),
  )
})

test('calibrate() says which batch does not run', async () => {
  const builder = new GraphBuilder({ name: 'g', opset: 13 })
  const x = builder.input('x', 'float32', [1, 'n'])
  builder.output(builder.node('Reshape', [x, builder.weight('shape', ints([3]))], { output: 'y' }), 'float32', [3])
  await assert.rejects(calibrate(builder.build(), [feed(1, 2, 3), feed(1, 2)]), refused(/batch 1 does not run/))
})
