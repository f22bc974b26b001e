import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import {
  decodeModel,
  newGraph,
  newNode,
  newValueInfo,
  protoFromTensor,
  type GraphProto,
} from '../formats/onnx/index.ts'
import { dataPath, needsData } from '../testing/needs.ts'
import { float32, sizeOf, type Tensor } from '../formats/tensors/tensor.ts'
import { GraphBuilder } from './builder.ts'
import { calibrate } from './quantize/calibrate.ts'
import { convStack, ints, oneNode, stackBatches, stackFrames } from '../testing/onnx/graphs.ts'
import { inspect } from './inspect.ts'
import { quantizeQdq } from './quantize/quantize.ts'

const weight = (...shape: number[]): Tensor => float32(shape, new Float32Array(sizeOf(shape)))
const macsOf = (...given: Parameters<typeof oneNode>): number => inspect(oneNode(...given)).macs

test('inspect() counts the multiply-accumulates that a hand computes', () => {
  const conv = { strides: [1, 8], pads: [0, 8, 0, 8] }
  assert.equal(
    macsOf(
      'Conv',
      { x: ['float32', [1, 1, 1, 16000]], w: weight(256, 1, 1, 16), b: weight(256) },
      { attributes: conv },
    ),
    2001 * 256 * 16,
  )
  assert.equal(
    macsOf('Conv', { x: ['float32', [2, 24, 10]], w: weight(24, 1, 3) }, { attributes: { group: 24 } }),
    2 * 24 * 8 * 3,
  )
  assert.equal(
    macsOf('ConvTranspose', { x: ['float32', [1, 64, 1, 2001]], w: weight(64, 2, 1, 16) }, { attributes: conv }),
    2001 * 64 * 2 * 16,
  )
  assert.equal(
    macsOf('ConvTranspose', { x: ['float32', [1, 4, 9]], w: weight(4, 3, 5) }, { attributes: { group: 2 } }),
    9 * 4 * 3 * 5,
  )
  assert.equal(macsOf('Gemm', { x: ['float32', [2, 5]], w: weight(7, 5) }, { attributes: { transB: 1 } }), 2 * 5 * 7)
  assert.equal(macsOf('Gemm', { x: ['float32', [5, 2]], w: weight(5, 7) }, { attributes: { transA: 1 } }), 2 * 5 * 7)
  assert.equal(macsOf('MatMul', { x: ['float32', [3, 2, 5]], w: weight(5, 7) }), 3 * 2 * 5 * 7)
  assert.equal(
    macsOf(
      'LSTM',
      { x: ['float32', [5, 2, 3]], w: weight(1, 16, 3), r: weight(1, 16, 4) },
      { attributes: { hidden_size: 4 } },
    ),
    5 * 2 * 16 * 7,
  )
})

test('inspect() counts no multiply-accumulate for elementwise work, pooling and views', () => {
  assert.equal(macsOf('Mul', { x: ['float32', [2, 500]], y: ['float32', [2, 500]] }), 0)
  assert.equal(macsOf('GlobalAveragePool', { x: ['float32', [2, 5, 500]] }), 0)
  assert.equal(macsOf('Transpose', { x: ['float32', [2, 500]] }), 0)
})

test('inspect() counts parameters and bytes of what is read, constants included, integers as bytes alone', () => {
  const builder = new GraphBuilder({ name: 'g', opset: 13 })
  const x = builder.input('x', 'float32', [1, 6])
  builder.weight('unread', weight(100))
  const constant = builder.node('Constant', [], { attributes: { value: weight(6) } })
  const sum = builder.node('Add', [builder.node('Mul', [x, constant]), builder.weight('b', weight(6))])
  builder.output(
    builder.node('Reshape', [sum, builder.weight('shape', ints([2, 3]))], { output: 'y' }),
    'float32',
    [2, 3],
  )
  const { parameters, weightBytes, ops } = inspect(builder.build())
  assert.equal(parameters, 12)
  assert.equal(weightBytes, 12 * 4 + 2 * 8)
  assert.deepEqual(ops, { Add: 1, Constant: 1, Mul: 1, Reshape: 1 })
})

/** x [100] -> a [100], b [50] -> c reads a and b -> y; with `keep`, a is an output as well. */
function diamond(keep: boolean) {
  const builder = new GraphBuilder({ name: 'g', opset: 13 })
  const x = builder.input('x', 'float32', [100])
  const a = builder.node('Relu', [x], { output: 'a' })
  const b = builder.node('Slice', [a, builder.weight('from', ints([0])), builder.weight('to', ints([50]))], {
    output: 'b',
  })
  const c = builder.node('Concat', [a, b], { output: 'c', attributes: { axis: 0 } })
  const y = builder.node('Sigmoid', [c], { output: 'y' })
  builder.output(y, 'float32', [150])
  if (keep) builder.output(a, 'float32', [100])
  return builder.build()
}

test('inspect() finds the peak where most values are alive, and frees each after its last reader', () => {
  // At Concat: a 100, b 50, c 150. At Sigmoid: c 150, y 150. x went after Relu.
  assert.equal(inspect(diamond(false)).peakActivationBytes, 4 * 300)
  // At Sigmoid a is still there.
  assert.equal(inspect(diamond(true)).peakActivationBytes, 4 * 400)
})

test('inspect() keeps an input until its last reader', () => {
  const builder = new GraphBuilder({ name: 'g' })
  const x = builder.input('x', 'float32', [100])
  const a = builder.node('Relu', [x])
  const b = builder.node('Sigmoid', [a])
  builder.output(builder.node('Add', [b, x], { output: 'y' }), 'float32', [100])
  assert.equal(inspect(builder.build()).peakActivationBytes, 4 * 300)
})

test('inspect() counts a value that nobody reads only while it is made', () => {
  const builder = new GraphBuilder({ name: 'g' })
  const x = builder.input('x', 'float32', [100])
  builder.node('Concat', [x, x], { attributes: { axis: 0 } })
  builder.output(builder.node('Relu', [x], { output: 'y' }), 'float32', [100])
  assert.equal(inspect(builder.build()).peakActivationBytes, 4 * 300)
})

test('inspect() says which values have no known size, and takes numbers for named dimensions', () => {
  const model = oneNode('Conv', { x: ['float32', ['B', 1, 100]], w: weight(4, 1, 3) })
  const open = inspect(model)
  assert.deepEqual(open.unsized, ['x', 'y0'])
  assert.equal(open.macs, 0)
  const closed = inspect(model, { dims: { B: 2 } })
  assert.deepEqual(closed.unsized, [])
  assert.equal(closed.macs, 2 * 98 * 4 * 3)
  assert.equal(closed.peakActivationBytes, 4 * (2 * 100 + 2 * 4 * 98))
})

test('inspect() lists ports with their shapes, and no weight among the inputs', () => {
  const model = oneNode('Conv', { x: ['float32', ['B', 1, 100]], w: weight(4, 1, 3) })
  model.graph.input.push({ name: 'w' })
  const { inputs, outputs } = inspect(model)
  assert.deepEqual(inputs, [{ name: 'x', dtype: 'float32', shape: ['B', 1, 100] }])
  assert.deepEqual(outputs, [{ name: 'y0', dtype: 'float32', shape: ['B', 4, 98] }])
})

test('inspect() shows an output as declared when its operator is unknown', () => {
  const builder = new GraphBuilder({ name: 'g' })
  builder.output(builder.node('Conjure', [builder.input('x', 'float32', [4])], { output: 'y' }), 'float32', [9])
  const { outputs, unsized, peakActivationBytes } = inspect(builder.build())
  assert.deepEqual(outputs, [{ name: 'y', dtype: 'float32', shape: [9] }])
  assert.deepEqual(unsized, ['y'])
  assert.equal(peakActivationBytes, 16)
})

test('inspect() names operators of a foreign domain with it', () => {
  const model = oneNode('QLinearAdd', { x: ['uint8', [4]] })
  model.graph.node[0]!.domain = 'com.microsoft'
  assert.deepEqual(inspect(model).ops, { 'com.microsoft.QLinearAdd': 1 })
})

test('inspect() finds the sums of the small separator', () => {
  const { ops, parameters, macs, unsized } = inspect(convStack())
  assert.deepEqual(ops, { Add: 1, Conv: 8, Mul: 1, Relu: 2, Sigmoid: 1, Squeeze: 1 })
  const weights = 16 * 16 + 16 + 16 * 12 + 12 * 24 + 24 * 3 + 24 * 12 + 12 * 16 + 16 * 2
  assert.equal(parameters, weights + 16 + 16 + 12 + 24 + 24 + 12 + 16 + 2)
  assert.equal(macs, weights * stackFrames)
  assert.deepEqual(unsized, [])
})

test('inspect() gives the int8 form the same multiply-accumulates and fewer weight bytes', async () => {
  const float = convStack()
  const before = inspect(float)
  const after = inspect(quantizeQdq(float, await calibrate(float, stackBatches(1))))
  assert.equal(after.macs, before.macs)
  assert.ok(after.weightBytes < before.weightBytes * 0.8, `${after.weightBytes} of ${before.weightBytes}`)
})

test('inspect() refuses a graph that contradicts itself', () => {
  assert.throws(() => inspect(oneNode('Conv', { x: ['float32', [1, 3, 9]], w: weight(4, 2, 3) })), {
    exit: 'usage',
    message: /takes 2 channels/,
  })
})

test('inspect() counts weights in the bodies of If and Loop, and outer ones that only a body reads', () => {
  const builder = new GraphBuilder({ name: 'g', opset: 13 })
  builder.input('x', 'float32', [2, 3])
  builder.weight('outer', float32([3], new Float32Array(3)))
  builder.weight('unread', float32([50], new Float32Array(50)))
  const yes = builder.weight('yes', { dtype: 'bool', shape: [], data: Uint8Array.of(1) })
  builder.output(builder.node('If', [yes], { output: 'y' }), 'float32', [2, 3])
  const model = builder.build()
  const body = (name: string, count: number, deeper?: GraphProto): GraphProto =>
    newGraph({
      name,
      initializer: [protoFromTensor(`${name}_w`, float32([count], new Float32Array(count)))],
      node: [
        newNode({ opType: 'Add', input: ['x', `${name}_w`], output: [`${name}_a`] }),
        newNode({
          opType: deeper ? 'Loop' : 'Add',
          input: [`${name}_a`, 'outer'],
          output: [`${name}_y`],
          attribute: deeper ? [{ name: 'body', g: deeper, type: 5 }] : [],
        }),
      ],
      output: [newValueInfo(`${name}_y`, 'float32')],
    })
  model.graph.node.at(-1)!.attribute = [
    { name: 'then_branch', g: body('then', 4), type: 5 },
    { name: 'else_branch', g: body('else', 5, body('deep', 6)), type: 5 },
  ]
  const { parameters, weightBytes } = inspect(model)
  assert.deepEqual([parameters, weightBytes], [3 + 4 + 5 + 6, 1 + 4 * 18])
})

test(
  'inspect() counts 12 parameters in the branches of the field',
  { skip: needsData('field/onnx/weights-in-branches.onnx') },
  () => {
    assert.equal(inspect(decodeModel(readFileSync(dataPath('field/onnx/weights-in-branches.onnx')))).parameters, 12)
  },
)
