import assert from 'node:assert/strict'
import test from 'node:test'
import { attributeInt, opsetOf, type ModelProto } from '../formats/onnx/index.ts'
import type { Tensor } from '../formats/tensors/tensor.ts'
import { GraphBuilder, type AttributeValue } from './builder.ts'
import { normal, oneNode, runOnnx } from '../testing/onnx/graphs.ts'
import { raiseOpset } from './opset.ts'

const x = normal([2, 3, 4], { seed: 3 })
const old = (op: string, opset: number, attributes: Record<string, AttributeValue>, input: Tensor = x): ModelProto =>
  oneNode(op, { x: [input.dtype, input.shape] }, { opset, attributes, outputs: op === 'Split' ? 2 : 1 })

test('raiseOpset() keeps the meaning of every operator whose attributes became inputs', async () => {
  const wide = normal([2, 1, 4], { seed: 4 })
  const cases: [ModelProto, Tensor][] = [
    [old('Squeeze', 12, { axes: [1] }, wide), wide],
    [old('Squeeze', 12, {}, wide), wide],
    [old('Unsqueeze', 11, { axes: [0, 2] }), x],
    [old('ReduceSum', 12, { axes: [-1], keepdims: 0 }), x],
    [old('Split', 12, { axis: 2, split: [1, 3] }), x],
    [old('Clip', 10, { min: { float: -0.5 }, max: { float: 0.25 } }), x],
    [old('Clip', 10, { max: { float: 0.25 } }), x],
    [old('Pad', 10, { pads: [0, 1, 0, 0, 2, 1], value: { float: 1.5 } }), x],
    [old('Slice', 9, { starts: [1, -2], ends: [3, 9], axes: [1, 2] }), x],
    [old('Dropout', 11, { ratio: 0.5 }), x],
    [old('Softmax', 12, { axis: 2 }), x],
    [old('Relu', 12, {}), x],
  ]
  for (const [model, input] of cases) {
    const raised = raiseOpset(model, 13)
    assert.equal(opsetOf(raised), 13)
    assert.deepEqual(
      await runOnnx(raised, [{ x: input }]),
      await runOnnx(model, [{ x: input }]),
      model.graph.node[0]!.opType,
    )
  }
})

test('raiseOpset() gives back a model that is new enough, and leaves an old one unchanged', () => {
  const fresh = oneNode('Relu', { x: ['float32', [2]] }, { opset: 17 })
  assert.equal(raiseOpset(fresh, 13), fresh)
  const model = old('Squeeze', 12, { axes: [] })
  const before = structuredClone(model)
  raiseOpset(model, 13)
  assert.deepEqual(model, before)
})

test('raiseOpset() makes names that are free', () => {
  const builder = new GraphBuilder({ name: 'g', opset: 12 })
  const value = builder.input('it_axes', 'float32', [1, 2, 1])
  const y = builder.node('Squeeze', [value], { name: 'it', attributes: { axes: [0] } })
  builder.output(y, 'float32', [2, 1])
  const { graph } = raiseOpset(builder.build(), 13)
  assert.deepEqual(graph.node[0]!.input, ['it_axes', 'it_axes_2'])
})

test('raiseOpset() keeps Softmax where trailing dimensions are 1, and refuses it where they are not', async () => {
  const flat = normal([3, 5, 1, 1], { seed: 9 })
  const model = old('Softmax', 12, {}, flat)
  const raised = raiseOpset(model, 13)
  assert.equal(attributeInt(raised.graph.node[0]!, 'axis'), 1)
  assert.deepEqual(await runOnnx(raised, [{ x: flat }]), await runOnnx(model, [{ x: flat }]))
  assert.throws(() => raiseOpset(old('Softmax', 12, { axis: 1 }), 13), {
    exit: 'usage',
    message: /"it" \(Softmax\).*over all axes from 1 on/,
  })
})

test('raiseOpset() refuses operators that changed their meaning, and sets too old', () => {
  assert.throws(() => raiseOpset(old('Upsample', 9, {}), 13), {
    exit: 'usage',
    message: /"it" \(Upsample\) from operator set 9: its meaning changed/,
  })
  assert.throws(() => raiseOpset(old('Relu', 6, {}), 13), { exit: 'usage', message: /it has 6/ })
})
