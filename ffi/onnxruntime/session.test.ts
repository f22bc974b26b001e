import assert from 'node:assert/strict'
import test from 'node:test'
import { encodeModel, type ModelProto } from '../../lib/formats/onnx/index.ts'
import { float32 } from '../../lib/formats/tensors/tensor.ts'
import { forked, single } from '../../lib/testing/infer/fixtures.ts'
import { GraphBuilder } from '../../lib/onnx/builder.ts'
import { openOnnxRuntime } from './runtime.ts'
import { elements, type ElementType } from './elements.ts'

const runtime = openOnnxRuntime({ env: {} })
test.after(() => runtime.close())
const open = (model: ModelProto) => runtime.openSession(encodeModel(model))

test("OrtSession tells the names, types and shapes of inputs and outputs, in the model's order", async () => {
  const session = await open(forked(3))
  assert.deepEqual(session.inputs, [
    { name: 'sound', dtype: 'float32', shape: [1, 1, 1, 3] },
    { name: 'bias', dtype: 'float32', shape: [1, 1, 1, 3] },
  ])
  assert.deepEqual(
    session.outputs.map(({ name, shape }) => [name, shape]),
    [
      ['quiet', [1, 2, 1, 3]],
      ['loud', [1, 2, 1, 3]],
    ],
  )
})

test('OrtSession tells every element type that is carried', async () => {
  for (const dtype of Object.keys(elements) as ElementType[]) {
    const graph = new GraphBuilder({ name: dtype, opset: 13 })
    graph.node('Identity', [graph.input('input', dtype, [2])], { output: 'output' })
    graph.output('output', dtype, [2])
    const session = await open(graph.build())
    assert.deepEqual([session.inputs[0]!.dtype, session.outputs[0]!.dtype], [dtype, dtype])
  }
})

test('OrtSession names open dimensions, with "?" for one without a name, and tells a scalar', async () => {
  const open3 = await open(single('Neg', { input: [1, 'frames', ''], output: [1, 'frames', ''] }))
  assert.deepEqual(open3.inputs[0]!.shape, [1, 'frames', '?'])
  const scalar = await open(single('Neg', { input: [], output: [] }))
  assert.deepEqual(scalar.inputs[0]!.shape, [])
})

test('OrtSession reads names that are not ASCII', async () => {
  const graph = new GraphBuilder({ name: 'names' })
  graph.node('Neg', [graph.input('größe/π:0', 'float32', [2])], { output: '出力' })
  graph.output('出力', 'float32', [2])
  const session = await open(graph.build())
  assert.deepEqual([session.inputs[0]!.name, session.outputs[0]!.name], ['größe/π:0', '出力'])
  const slot = session.openSlot()
  slot.inputs['größe/π:0']!.data[0] = 3
  slot.run()
  assert.equal(slot.outputs['出力']!.data[0], -3)
})

test('OrtSession takes a model without inputs', async () => {
  const graph = new GraphBuilder({ name: 'constant' })
  graph.node('Neg', [graph.weight('w', float32([2], [1, 2]))], { output: 'output' })
  graph.output('output', 'float32', [2])
  const slot = (await open(graph.build())).openSlot()
  slot.run()
  assert.deepEqual([...slot.outputs.output!.data], [-1, -2])
})

test('OrtSession refuses a stream of strings, by name', async () => {
  const model = single('Identity', { input: [2], output: [2] })
  const { graph } = model
  const strings = (info: (typeof graph.input)[0]) => ({
    ...info,
    type: { ...info.type!, tensorType: { ...info.type!.tensorType!, elemType: 8 } },
  })
  await assert.rejects(
    open({ ...model, graph: { ...graph, input: graph.input.map(strings), output: graph.output.map(strings) } }),
    { kind: 'refused', message: /Cannot use "input" of a model of \d+ bytes: it is a tensor of string/ },
  )
})

test('OrtSession refuses a stream that is a sequence, by name', async () => {
  const model = single('SequenceConstruct', { input: [2], output: [2] })
  const [output] = model.graph.output
  const sequence = { ...output!, type: { sequenceType: { elemType: output!.type } } } as typeof output
  await assert.rejects(open({ ...model, graph: { ...model.graph, output: [sequence!] } }), {
    kind: 'refused',
    message: /Cannot use "output" of .*: it is not a tensor/,
  })
})

test('openSlot() refuses after close, and close() may be called twice and at once', async () => {
  const session = await open(forked(2))
  assert.equal(session.isOpen, true)
  await Promise.all([session.close(), session.close()])
  await session.close()
  assert.equal(session.isOpen, false)
  assert.throws(() => session.openSlot(), { kind: 'usage', message: /was closed/ })
})

test('close() of a session closes its slots, whose arrays stay readable', async () => {
  const session = await open(single('Neg', { input: [2], output: [2] }))
  const slot = session.openSlot()
  slot.inputs.input!.data[1] = 5
  slot.run()
  await session.close()
  assert.throws(() => slot.run(), { kind: 'usage', message: /was closed/ })
  await assert.rejects(slot.runAsync(), { kind: 'usage' })
  assert.deepEqual([...slot.outputs.output!.data], [-0, -5])
})
