import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { decodeModel, dimsOf, type ModelProto } from '../../formats/onnx/index.ts'
import { float32, sizeOf, type Dtype, type Tensor } from '../../formats/tensors/tensor.ts'
import { dataPath, needsData } from '../../testing/needs.ts'
import { GraphBuilder } from '../builder.ts'
import { convStack, ints, measuredShapes, oneNode, stackFrames, stackWidth } from '../../testing/onnx/graphs.ts'
import { inferShapes } from './infer.ts'

const weight = (...shape: number[]): Tensor => float32(shape, new Float32Array(sizeOf(shape)))

test('inferShapes() leaves out an unknown operator and all that follows from it', () => {
  const builder = new GraphBuilder({ name: 'g' })
  const x = builder.input('x', 'float32', [1, 3])
  const odd = builder.node('Conjure', [x], { output: 'odd' })
  const after = builder.node('Add', [odd, x], { output: 'after' })
  const fine = builder.node('Relu', [x], { output: 'fine' })
  for (const name of [odd, after, fine]) builder.output(name, 'float32', [1, 3])
  assert.deepEqual([...inferShapes(builder.build()).keys()], ['x', 'fine'])
})

test('inferShapes() knows no operator of a foreign domain, whatever its name', () => {
  const model = oneNode('Relu', { x: ['float32', [1, 3]] })
  model.graph.node[0]!.domain = 'com.example'
  assert.equal(inferShapes(model).has('y0'), false)
})

test('inferShapes() does not mistake a property of every object for an operator', () => {
  assert.equal(inferShapes(oneNode('toString', { x: ['float32', [1, 3]] })).has('y0'), false)
  assert.equal(inferShapes(oneNode('constructor', { x: ['float32', [1, 3]] })).has('y0'), false)
})

test('inferShapes() puts numbers for named dimensions when they are given', () => {
  const shapes = inferShapes(
    oneNode('Conv', { x: ['float32', ['B', 1, 'T']], w: weight(2, 1, 16) }, { attributes: { strides: [8] } }),
    { dims: { B: 2, T: 1600 } },
  )
  assert.deepEqual(shapes.get('y0'), { dtype: 'float32', shape: [2, 2, 199] })
})

/** A Relu of float32[1, T] whose output is declared as something. */
const declared = (dtype: Dtype, shape: readonly (number | string)[]): ModelProto => {
  const builder = new GraphBuilder({ name: 'g' })
  builder.output(
    builder.node('Relu', [builder.input('x', 'float32', [1, 'T'])], { name: 'act', output: 'y' }),
    dtype,
    shape,
  )
  return builder.build()
}

test('inferShapes() refuses a declared output that the nodes do not make', () => {
  const message = /"act" \(Relu\): the graph declares "y" as float32\[2, 8\], but the node makes float32\[1, T\]/
  assert.throws(() => inferShapes(declared('float32', [2, 8])), { exit: 'usage', message })
  assert.throws(() => inferShapes(declared('int8', [1, 8])), /declares "y" as int8/)
  assert.throws(() => inferShapes(declared('float32', [1])), /declares "y" as float32\[1\]/)
  assert.equal(inferShapes(declared('float32', [1, 8])).size, 2)
})

/** x: [B, 6, 8] -> flattened to [B, 48] through Shape, Gather, Unsqueeze, Concat, Reshape, as exporters write it. */
function computedReshape(batch: number | string): ModelProto {
  const builder = new GraphBuilder({ name: 'g', opset: 13 })
  const x = builder.input('x', 'float32', [batch, 6, 8])
  const shape = builder.node('Shape', [x], { output: 'shape' })
  const scalar = (name: string, value: number) =>
    builder.weight(name, { dtype: 'int64', shape: [], data: BigInt64Array.of(BigInt(value)) })
  const first = builder.node('Gather', [shape, scalar('zero', 0)])
  const rows = builder.node('Gather', [shape, scalar('one', 1)])
  const columns = builder.node('Slice', [shape, builder.weight('from', ints([2])), builder.weight('to', ints([3]))])
  const axis = builder.weight('axis', ints([0]))
  const product = builder.node('Mul', [builder.node('Unsqueeze', [rows, axis]), columns])
  const twice = builder.node('Add', [product, builder.node('Sub', [product, product])])
  const half = builder.node(
    'Cast',
    [
      builder.node('Div', [
        builder.node('Mul', [twice, builder.weight('two', ints([2]))]),
        builder.weight('two2', ints([2])),
      ]),
    ],
    { attributes: { to: 7 } },
  )
  const target = builder.node('Concat', [builder.node('Unsqueeze', [first, axis]), half], { attributes: { axis: 0 } })
  builder.output(builder.node('Reshape', [x, target], { output: 'y' }), 'float32', [batch, 48])
  return builder.build()
}

test('inferShapes() folds the integers that a graph computes its shapes from', async () => {
  assert.deepEqual(inferShapes(computedReshape('B')).get('y')?.shape, ['B', 48])
  assert.deepEqual(inferShapes(computedReshape(5)).get('y')?.shape, [5, 48])
  assert.deepEqual((await measuredShapes(computedReshape(5))).get('y')?.shape, [5, 48])
})

test('inferShapes() does not fold what is not known before the run', () => {
  const builder = new GraphBuilder({ name: 'g', opset: 13 })
  const target = builder.node('Mul', [
    builder.node('Shape', [builder.input('x', 'float32', ['B', 4])]),
    builder.input('k', 'int64', [1]),
  ])
  builder.output(builder.node('Expand', [builder.weight('one', weight(1)), target], { output: 'y' }), 'float32', [
    '',
    '',
  ])
  assert.equal(inferShapes(builder.build()).has('y'), false)
})

test('inferShapes() follows the Where and Equal that exporters write around Expand', () => {
  const builder = new GraphBuilder({ name: 'g', opset: 13 })
  const shape = builder.node('Shape', [builder.input('x', 'float32', ['B', 4])])
  const wanted = builder.node(
    'Concat',
    [
      builder.node('Slice', [shape, builder.weight('a', ints([0])), builder.weight('b', ints([1]))]),
      builder.weight('any', ints([-1])),
    ],
    { attributes: { axis: 0 } },
  )
  const isAny = builder.node('Equal', [wanted, builder.weight('minus', ints([-1]))])
  const ones = builder.node('ConstantOfShape', [builder.weight('two', ints([2]))], { attributes: { value: ints([1]) } })
  builder.output(
    builder.node('Expand', [builder.weight('row', weight(1, 4)), builder.node('Where', [isAny, ones, wanted])], {
      output: 'y',
    }),
    'float32',
    ['B', 4],
  )
  assert.deepEqual(inferShapes(builder.build()).get('y')?.shape, ['B', 4])
})

test('inferShapes() agrees with ONNX Runtime on every value of the small separator', async () => {
  const model = convStack()
  const real = await measuredShapes(model)
  const shapes = inferShapes(model)
  assert.deepEqual(shapes.get('input')?.shape, [1, 1, 1, stackWidth])
  assert.deepEqual(shapes.get('output')?.shape, [1, 2, stackFrames])
  for (const [name, value] of real) assert.deepEqual(shapes.get(name), value, name)
})

/** Every value whose shape is said, against the run. Returns how many of all values were said. */
async function compareWithRun(path: string): Promise<{ said: number; all: number }> {
  const model = decodeModel(readFileSync(dataPath(path)))
  const names = model.graph.input.flatMap(dimsOf).filter(dim => typeof dim === 'string')
  const real = await measuredShapes(model, { named: 2 })
  const shapes = inferShapes(model, {
    dims: Object.fromEntries(names.map(name => [name, name === 'sequence' ? 576 : 2])),
  })
  for (const [name, value] of real) if (shapes.has(name)) assert.deepEqual(shapes.get(name), value, name)
  return { said: [...real.keys()].filter(name => shapes.has(name)).length, all: real.size }
}

test('inferShapes() agrees with ONNX Runtime on a trained TCN encoder', { skip: needsData('encoder') }, async () => {
  assert.deepEqual(await compareWithRun('encoder/tcn_encoder_for_edgeinfer.onnx'), { said: 55, all: 55 })
})

test(
  'inferShapes() agrees with ONNX Runtime on a keyword network with computed padding',
  { skip: needsData('keyword') },
  async () => {
    assert.deepEqual(await compareWithRun('keyword/spelling_cnn_mel.onnx'), { said: 156, all: 156 })
    assert.deepEqual(await compareWithRun('keyword/spelling_cnn_mel.shrunk.onnx'), { said: 204, all: 204 })
  },
)

test(
  'inferShapes() agrees with ONNX Runtime on a voice detector up to its If',
  { skip: needsData('vad') },
  async () => {
    assert.deepEqual(await compareWithRun('vad/silero_vad_16k_op15.onnx'), { said: 104, all: 122 })
  },
)
