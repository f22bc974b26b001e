import assert from 'node:assert/strict'
import test from 'node:test'
import {
  attributeFloats,
  attributeInts,
  attributeOf,
  attributeTypes,
  decodeModel,
  dimsOf,
  encodeModel,
  newNode,
  tensorFromProto,
} from '../formats/onnx/index.ts'
import { float32 } from '../formats/tensors/tensor.ts'
import { GraphBuilder, attributeFrom, type AttributeValue } from './builder.ts'
import { onnxruntimeNode } from '../host/onnxruntime-node.ts'

/** y = relu(conv(x)) over one channel: the kernel is [1, 2]. */
function convolution(): GraphBuilder {
  const graph = new GraphBuilder({ name: 'tiny', metadata: { b: '2', a: '1' } })
  const x = graph.input('x', 'float32', [1, 1, 1, 4])
  const w = graph.weight('w', float32([1, 1, 1, 2], [1, 2]))
  const conv = graph.node('Conv', [x, w], { attributes: { kernel_shape: [1, 2], pads: [0, 0, 0, 0], group: 1 } })
  graph.output(graph.node('Relu', [conv], { output: 'y' }), 'float32', [1, 1, 1, 3])
  return graph
}

test('build() gives a model that ONNX Runtime loads and computes', async () => {
  const { InferenceSession, Tensor } = await onnxruntimeNode()
  const session = await InferenceSession.create(encodeModel(convolution().build()))
  const { y } = await session.run({ x: new Tensor('float32', Float32Array.of(1, 2, -3, 4), [1, 1, 1, 4]) })
  assert.deepEqual([...(y!.data as Float32Array)], [5, 0, 5])
  await session.release()
})

test('build() keeps opset, IR version, producer and metadata, and nodes in order', () => {
  const model = decodeModel(encodeModel(convolution().build()))
  assert.deepEqual(
    [model.irVersion, model.producerName, model.opsetImport],
    [7, 'rungbook', [{ domain: '', version: 12 }]],
  )
  assert.deepEqual(model.metadataProps, [
    { key: 'b', value: '2' },
    { key: 'a', value: '1' },
  ])
  assert.deepEqual(
    model.graph.node.map(({ name, opType, output }) => [name, opType, output]),
    [
      ['Conv_0', 'Conv', ['Conv_0_out']],
      ['Relu_0', 'Relu', ['y']],
    ],
  )
  assert.deepEqual(dimsOf(model.graph.output[0]!), [1, 1, 1, 3])
  const custom = new GraphBuilder({ name: 'g', opset: 17, irVersion: 8, producer: 'me' })
  custom.output(custom.node('Relu', [custom.input('x', 'float32', ['n'])]), 'float32', ['n'])
  const other = custom.build()
  assert.deepEqual([other.irVersion, other.producerName, other.opsetImport[0]!.version], [8, 'me', 17])
})

test('build() gives equal bytes for equal calls, and again from the same builder', () => {
  const graph = convolution()
  const bytes = encodeModel(graph.build())
  assert.deepEqual(encodeModel(graph.build()), bytes)
  assert.deepEqual(encodeModel(convolution().build()), bytes)
})

test('build() hands out lists of its own', () => {
  const graph = convolution()
  graph.build().graph.node.length = 0
  assert.equal(graph.build().graph.node.length, 2)
})

test('weight() stores raw little-endian bytes', () => {
  const [weight] = convolution().build().graph.initializer
  assert.deepEqual([...weight!.rawData!], [0, 0, 0x80, 0x3f, 0, 0, 0, 0x40])
  assert.deepEqual(tensorFromProto(weight!), float32([1, 1, 1, 2], [1, 2]))
})

test('node() writes each attribute as the kind that its value is', () => {
  const values: Record<string, AttributeValue> = {
    int: 3,
    negative: -1,
    big: 2n ** 62n,
    float: 0.5,
    asFloat: { float: 2 },
    text: 'same',
    ints: [1, 2],
    none: [],
    floats: [1, 0.5],
    asFloats: { floats: [1, 2] },
    infinite: Infinity,
    tensor: float32([1], [1]),
  }
  const node = newNode({
    opType: 'X',
    attribute: Object.entries(values).map(([name, value]) => attributeFrom(name, value)),
  })
  const { int, float, string, ints, floats, tensor } = attributeTypes
  assert.deepEqual(
    node.attribute.map(({ type }) => type),
    [int, int, int, float, float, string, ints, ints, floats, floats, float, tensor],
  )
  assert.equal(attributeOf(node, 'big')!.i, 2n ** 62n)
  assert.equal(attributeOf(node, 'asFloat')!.f, 2)
  assert.deepEqual(attributeInts(node, 'ints'), [1, 2])
  assert.deepEqual(attributeFloats(node, 'floats'), [1, 0.5])
})

test('attributeFrom() refuses NaN and integers that a number cannot hold', () => {
  assert.throws(() => attributeFrom('alpha', Number.NaN), { exit: 'usage', message: /"alpha".*NaN/ })
  assert.throws(() => attributeFrom('scales', [1.5, Number.NaN]), { exit: 'usage', message: /NaN/ })
  assert.throws(() => attributeFrom('end', 2 ** 60), { exit: 'usage', message: /beyond 2\^53/ })
})

test('node() makes readable names that no other has', () => {
  const graph = new GraphBuilder({ name: 'g' })
  const x = graph.input('Relu_1_out', 'float32', [1])
  graph.node('Relu', [x], { name: 'Relu_0' })
  assert.equal(graph.node('Relu', [x]), 'Relu_1_out2')
  assert.equal(graph.node('Relu', [x]), 'Relu_2_out')
  assert.equal(graph.node('Split', [x], { outputs: ['a', '', 'b'] }), 'a')
  graph.output('b', 'float32', ['?'])
  assert.deepEqual(
    graph.build().graph.node.map(({ name }) => name),
    ['Relu_0', 'Relu_1', 'Relu_2', 'Split_0'],
  )
})

test('node() refuses an input that was never made, and takes an empty one', () => {
  const graph = new GraphBuilder({ name: 'g' })
  const x = graph.input('x', 'float32', [1])
  assert.throws(() => graph.node('Add', [x, 'z'], { name: 'sum' }), {
    exit: 'usage',
    message: 'Cannot add the node "sum" (Add): its input "z" was never made',
  })
  graph.output(graph.node('Clip', [x, '', ''], { output: 'z' }), 'float32', [1])
  assert.deepEqual(graph.build().graph.node[0]!.input, ['x', '', ''])
})

test('GraphBuilder refuses a name that is used twice or empty', () => {
  const graph = convolution()
  assert.throws(() => graph.input('w', 'float32', [1]), { message: /the input "w": a value of that name exists/ })
  assert.throws(() => graph.weight('x', float32([1], [1])), { message: /the weight "x"/ })
  assert.throws(() => graph.node('Relu', ['x'], { output: 'y' }), { message: /"y": a value of that name exists/ })
  assert.throws(() => graph.node('Relu', ['x'], { name: 'Conv_0' }), { message: /a node of that name exists/ })
  assert.throws(() => graph.node('Relu', ['x'], { output: '' }), { message: /first output has no name/ })
  assert.throws(() => graph.node('Split', ['x'], { outputs: ['p', 'p'] }), {
    message: /"p": a value of that name exists/,
  })
  assert.throws(() => graph.node('', ['x']), { message: /no operator/ })
  assert.throws(() => graph.node('Relu', ['x'], { output: 'p', outputs: ['q'] }), {
    message: /both output and outputs/,
  })
  assert.throws(() => graph.input('', 'float32', [1]), { message: /no name/ })
})

test('output() refuses a value that was never made, or is declared already', () => {
  const graph = convolution()
  assert.throws(() => graph.output('z', 'float32', [1]), {
    exit: 'usage',
    message: 'Cannot declare the output "z": it was never made',
  })
  assert.throws(() => graph.output('y', 'float32', [1]), { message: /declared already/ })
})

test('GraphBuilder refuses impossible shapes, versions and a graph with no output', () => {
  const graph = new GraphBuilder({ name: 'g' })
  for (const dim of [-1, 1.5, Number.NaN])
    assert.throws(() => graph.input('x', 'float32', [1, dim]), { exit: 'usage', message: /is no dimension/ })
  assert.throws(() => graph.build(), { message: /it has no output/ })
  assert.throws(() => new GraphBuilder({ name: '' }), { message: /no name/ })
  assert.throws(() => new GraphBuilder({ name: 'g', opset: 0 }), { message: /opset is 0/ })
})
