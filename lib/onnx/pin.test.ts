import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { dimsOf, tensorFromProto } from '../formats/onnx/index.ts'
import { float32 } from '../formats/tensors/tensor.ts'
import { GraphBuilder } from './builder.ts'
import { modelInputs, pinShapes, withWeights } from './pin.ts'

const folder = mkdtempSync(join(tmpdir(), 'pin-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** x[batch, 1, T] -> Relu -> y[batch, 1, T], and a state. */
function open() {
  const graph = new GraphBuilder({ name: 'open' })
  graph.node('Relu', [graph.input('x', 'float32', ['batch', 1, 'T'])], { name: 'relu', output: 'y' })
  graph.output('y', 'float32', ['batch', 1, 'T'])
  return graph.build()
}

test('pinShapes() fixes what is given, takes a leading axis for a batch of one, and infers the outputs again', () => {
  const { model, inputs, assumed } = pinShapes(open(), new Map([['x', [1, 1, 400]]]))
  assert.deepEqual(inputs[0]!.shape, [1, 1, 400])
  assert.deepEqual(dimsOf(model.graph.output[0]!), [1, 1, 400])
  assert.deepEqual(assumed, [])
  const graph = new GraphBuilder({ name: 'batch' })
  graph.node('Relu', [graph.input('x', 'float32', ['N', 3])], { name: 'relu', output: 'y' })
  graph.output('y', 'float32', ['N', 3])
  const alone = pinShapes(graph.build(), new Map())
  assert.deepEqual(alone.inputs[0]!.shape, [1, 3])
  assert.match(alone.assumed[0]!, /"x" has a batch of 1/)
})

test('pinShapes() leaves a model with fixed shapes as it is', () => {
  const graph = new GraphBuilder({ name: 'fixed' })
  graph.node('Relu', [graph.input('x', 'float32', [2, 3])], { name: 'relu', output: 'y' })
  graph.output('y', 'float32', [2, 3])
  const model = graph.build()
  assert.equal(pinShapes(model, new Map()).model, model)
})

test('pinShapes() refuses an open axis, a shape that contradicts the graph, and an unknown name', () => {
  const refused = (shapes: [string, number[]][], message: RegExp, hint: RegExp) =>
    assert.throws(() => pinShapes(open(), new Map(shapes)), { exit: 'usage', message, hint })
  refused([], /Cannot fix "x" float32\[batch, 1, T\]: T is open/, /--shape x=1x1x16000/)
  refused([['x', [1, 2, 400]]], /as \[1, 2, 400\]: the model says float32\[batch, 1, T\]/, /leave out --shape/)
  refused([['x', [1, 400]]], /the model says/, /--shape/)
  refused([['x', [1, 1, 0]]], /the model says/, /--shape/)
  refused([['X', [1, 1, 400]]], /Cannot shape "X": the model takes x/, /--shape x=1x1x400/)
})

test('modelInputs() leaves out what an initializer gives, and refuses what is no tensor', () => {
  const model = open()
  assert.deepEqual(
    modelInputs(model).map(({ name }) => name),
    ['x'],
  )
  model.graph.input.push({ name: 'words', type: { sequenceType: {} } })
  assert.throws(() => modelInputs(model), { exit: 'usage', message: /"words": it is no tensor of numbers/ })
})

test('withWeights() takes weights from the file beside the model, and says when it is absent or cut', () => {
  const graph = new GraphBuilder({ name: 'outside' })
  const sum = graph.node('Add', [graph.input('x', 'float32', [2]), graph.weight('w', float32([2], [1, 2]))])
  graph.output(sum, 'float32', [2])
  const model = graph.build()
  const weight = model.graph.initializer[0]!
  const bytes = Buffer.from(Float32Array.of(9, 5, 6).buffer)
  const location = (offset: number) =>
    Object.entries({ location: 'w.data', offset, length: 8 }).map(([key, value]) => ({ key, value: String(value) }))
  const outside = (offset: number) => ({
    ...model,
    graph: {
      ...model.graph,
      initializer: [{ ...weight, rawData: undefined, dataLocation: 1, externalData: location(offset) }],
    },
  })
  assert.equal(withWeights(model, folder), model)
  assert.throws(() => withWeights(outside(4), folder), { exit: 'blocked', hint: /put w\.data beside the model/ })
  writeFileSync(join(folder, 'w.data'), bytes)
  const inside = withWeights(outside(4), folder).graph.initializer[0]!
  assert.deepEqual([...tensorFromProto(inside).data], [5, 6])
  assert.throws(() => withWeights(outside(8), folder), { exit: 'usage', message: /"w\.data" ends before it/ })
})
