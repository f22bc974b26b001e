import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import {
  decodeModel,
  encodeModel,
  newGraph,
  newNode,
  newValueInfo,
  opsetOf,
  tensorFromProto,
} from '../../formats/onnx/index.ts'
import type { GraphProto, ModelProto } from '../../formats/onnx/index.ts'
import { float32, type Tensor } from '../../formats/tensors/tensor.ts'
import { GraphBuilder } from '../builder.ts'
import { calibrate, type Feeds, type Range } from './calibrate.ts'
import {
  convStack,
  ints,
  normal,
  noise,
  oneNode,
  quantizedSnr,
  runOnnx,
  stackBatches,
} from '../../testing/onnx/graphs.ts'
import { inspect } from '../inspect.ts'
import { quantizeQdq } from './quantize.ts'

const usage = (message: RegExp) => ({ name: 'RunbookError', exit: 'usage', message })

/** Operators of the graph that ONNX Runtime really runs. */
async function fusedOps(model: ModelProto, batch: Feeds): Promise<Record<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), 'rungbook-'))
  try {
    const path = join(folder, 'optimized.onnx')
    await runOnnx(model, [batch], { optimized: path })
    return { ...inspect(decodeModel(readFileSync(path))).ops }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('quantizeQdq() makes a graph that ONNX Runtime fuses whole into integer operators', async () => {
  const model = convStack()
  const quantized = quantizeQdq(model, await calibrate(model, stackBatches(2)))
  assert.deepEqual(await fusedOps(quantized, stackBatches(1)[0]!), {
    DequantizeLinear: 1,
    QLinearConv: 8,
    QuantizeLinear: 1,
    Squeeze: 1,
    'com.microsoft.QLinearAdd': 1,
    'com.microsoft.QLinearMul': 1,
    'com.microsoft.QLinearSigmoid': 1,
  })
})

test('quantizeQdq() keeps the float border: names, types and shapes of inputs and outputs', async () => {
  const model = convStack()
  const quantized = quantizeQdq(model, await calibrate(model, stackBatches(1)))
  const [before, after] = [inspect(model), inspect(quantized)]
  assert.deepEqual([after.inputs, after.outputs], [before.inputs, before.outputs])
  assert.equal(opsetOf(quantized), 13)
  assert.deepEqual(after.unsized, [])
})

test('quantizeQdq() gives each value one pair, and none between an operator and its Relu', async () => {
  const model = convStack()
  const { node } = quantizeQdq(model, await calibrate(model, stackBatches(1))).graph
  const quantizers = node.filter(({ opType }) => opType === 'QuantizeLinear')
  // input, encoder, scale, bottleneck, relu, relu2, residual, add, head, mask, mul, decoder, output; not expand, not
  // dilated.
  assert.equal(quantizers.length, 13)
  const maker = new Map(node.flatMap(each => each.output.map(name => [name, each.opType])))
  for (const { opType, input } of node) if (opType === 'Relu') assert.equal(maker.get(input[0]!), 'Conv')
  assert.ok(quantizers.every(({ input }) => maker.get(input[0]!) !== 'DequantizeLinear'))
})

test('quantizeQdq() gives the same bytes twice, and leaves the model as it was', async () => {
  const model = convStack()
  const before = structuredClone(model)
  const ranges = await calibrate(model, stackBatches(2))
  assert.deepEqual(encodeModel(quantizeQdq(model, ranges)), encodeModel(quantizeQdq(model, ranges)))
  assert.deepEqual(model, before)
})

test('quantizeQdq() gives every initializer, value and node a name of its own, when names clash too', async () => {
  const builder = new GraphBuilder({ name: 'g', opset: 13 })
  const x = builder.input('x', 'float32', [1, 2, 8])
  const w = builder.weight('w', normal([2, 2, 1], { seed: 1 }))
  builder.weight('w_scale', normal([2, 2, 1], { seed: 2 }))
  const a = builder.node('Conv', [x, w], { name: 'x_QuantizeLinear', output: 'x_quantized' })
  builder.output(builder.node('Conv', [a, 'w_scale'], { output: 'y' }), 'float32', [1, 2, 8])
  const model = builder.build()
  const { graph } = quantizeQdq(model, await calibrate(model, noise([1, 2, 8])))
  const values = [
    ...graph.initializer.map(({ name }) => name),
    ...graph.input.map(({ name }) => name),
    ...graph.node.flatMap(({ output }) => output),
  ]
  assert.equal(new Set(values).size, values.length)
  assert.equal(new Set(graph.node.map(({ name }) => name)).size, graph.node.length)
  assert.ok((await quantizedSnr(model, { calibration: noise([1, 2, 8]), unseen: noise([1, 2, 8]) })) > 30)
})

test('quantizeQdq() keeps a bias precise: far finer than the step of the output', async () => {
  const bias = normal([4], { seed: 8, deviation: 3 })
  const model = oneNode('Conv', { x: ['float32', [1, 3, 8]], w: normal([4, 3, 1], { seed: 9 }), b: bias })
  const { graph } = quantizeQdq(model, await calibrate(model, noise([1, 3, 8])))
  const stored = (name: string) => tensorFromProto(graph.initializer.find(each => each.name === name)!)
  const [integers, scales, weightScales] = [stored('b_quantized'), stored('b_scale'), stored('w_scale')]
  const [inputScale] = stored('x_scale').data as Float32Array
  assert.equal(integers.dtype, 'int32')
  for (const [i, b] of bias.data.entries()) {
    const scale = scales.data[i] as number
    assert.equal(scale, Math.fround(inputScale! * (weightScales.data[i] as number)))
    assert.ok(Math.abs((integers.data[i] as number) * scale - b) <= scale * 0.51)
  }
})

test('quantizeQdq() keeps a channel that is all bias, its weights being zero or next to it', async () => {
  const weight = normal([3, 2, 1], { seed: 9 })
  weight.data.set([0, 0, 1e-25, -1e-25], 2)
  const model = oneNode('Conv', { x: ['float32', [1, 2, 50]], w: weight, b: float32([3], [0.1, 0.7, -1.3]) })
  const unseen = noise([1, 2, 50], 1)
  const quantized = quantizeQdq(model, await calibrate(model, noise([1, 2, 50])))
  const [output] = await runOnnx(quantized, unseen)
  const range = (await calibrate(model, noise([1, 2, 50]))).get('y0')!
  const step = (range.max - range.min) / 255
  assert.ok(output!.subarray(50, 100).every(y => Math.abs(y - 0.7) <= step))
  assert.ok(output!.subarray(100).every(y => Math.abs(y + 1.3) <= step))
})

test('quantizeQdq() quantises Gemm and MatMul per column, and ONNX Runtime fuses both', async () => {
  const builder = new GraphBuilder({ name: 'g', opset: 13 })
  const x = builder.input('x', 'float32', [4, 6])
  const gemm = builder.node(
    'Gemm',
    [x, builder.weight('w', normal([5, 6], { seed: 1 })), builder.weight('b', normal([5], { seed: 2 }))],
    { attributes: { transB: 1 }, output: 'g' },
  )
  const product = builder.node('MatMul', [gemm, builder.weight('v', normal([5, 3], { seed: 3 }))], { output: 'y' })
  builder.output(product, 'float32', [4, 3])
  const model = builder.build()
  const quantized = quantizeQdq(model, await calibrate(model, noise([4, 6])))
  const dims = (name: string) => quantized.graph.initializer.find(each => each.name === name)!.dims
  assert.deepEqual([dims('w_scale'), dims('b_scale'), dims('v_scale')], [[5n], [5n], [3n]])
  const ops = await fusedOps(quantized, noise([4, 6])[0]!)
  assert.deepEqual([ops['com.microsoft.QGemm'], ops.QLinearMatMul], [1, 1])
  const snr = await quantizedSnr(model, { calibration: noise([4, 6], 16), unseen: noise([4, 6], 4) })
  assert.ok(snr > 30, `${snr} dB`)
})

test('quantizeQdq() fixes the output of Sigmoid at 0 to 1, and spends no steps where it is flat', async () => {
  const builder = new GraphBuilder({ name: 'g', opset: 13 })
  const x = builder.input('x', 'float32', [1, 1, 64])
  const wide = builder.node('Conv', [x, builder.weight('w', float32([1, 1, 1], [100]))], { output: 'wide' })
  builder.output(builder.node('Sigmoid', [wide], { output: 'y' }), 'float32', [1, 1, 64])
  const model = builder.build()
  const { graph } = quantizeQdq(model, await calibrate(model, noise([1, 1, 64]), { method: 'minmax' }))
  const scale = (name: string) =>
    (tensorFromProto(graph.initializer.find(each => each.name === name)!).data as Float32Array)[0]
  assert.equal(scale('y_scale'), Math.fround(1 / 255))
  assert.equal(scale('wide_scale'), Math.fround(16 / 255))
})

test('quantizeQdq() leaves an operator that it does not know in float, with its readers', async () => {
  const builder = new GraphBuilder({ name: 'g', opset: 13 })
  const x = builder.input('x', 'float32', [1, 2, 8])
  const a = builder.node('Conv', [x, builder.weight('w', normal([2, 2, 1], { seed: 1 }))], { output: 'a' })
  const b = builder.node('Exp', [a], { output: 'b' })
  const c = builder.node('Relu', [b], { output: 'c' })
  const d = builder.node('Conv', [c, 'w'], { output: 'd' })
  builder.output(builder.node('Sin', [d], { output: 'y' }), 'float32', [1, 2, 8])
  const model = builder.build()
  const { node } = quantizeQdq(model, await calibrate(model, noise([1, 2, 8]))).graph
  const reads = (op: string) => node.find(({ opType }) => opType === op)!.input
  const quantized = node.filter(({ opType }) => opType === 'QuantizeLinear').map(({ input }) => input[0])
  assert.deepEqual([reads('Exp'), reads('Relu'), reads('Sin')], [['a'], ['b'], ['d']])
  assert.deepEqual(quantized, ['x', 'a_float', 'c', 'd_float'])
  assert.ok((await quantizedSnr(model, { calibration: noise([1, 2, 8], 8), unseen: noise([1, 2, 8], 2) })) > 15)
})

test('quantizeQdq() lets a view share the scale of what it shows', async () => {
  const builder = new GraphBuilder({ name: 'g', opset: 13 })
  const x = builder.input('x', 'float32', [1, 8, 2])
  const turned = builder.node('Transpose', [x], { output: 'turned', attributes: { perm: [0, 2, 1] } })
  const a = builder.node('Conv', [turned, builder.weight('w', normal([2, 2, 1], { seed: 1 }))], { output: 'a' })
  builder.output(
    builder.node('Reshape', [a, builder.weight('shape', ints([1, 16]))], { output: 'y' }),
    'float32',
    [1, 16],
  )
  const model = builder.build()
  const quantized = quantizeQdq(model, await calibrate(model, noise([1, 8, 2])))
  const scales = quantized.graph.node.filter(({ opType }) => opType === 'QuantizeLinear').map(({ input }) => input[1])
  assert.deepEqual(scales, ['x_scale', 'x_scale', 'a_scale', 'a_scale'])
  const ops = await fusedOps(quantized, noise([1, 8, 2])[0]!)
  assert.deepEqual([ops.QuantizeLinear, ops.DequantizeLinear, ops.QLinearConv], [1, 1, 1])
})

test('quantizeQdq() quantises a constant operand, and shared weights once', async () => {
  const builder = new GraphBuilder({ name: 'g', opset: 13 })
  const x = builder.input('x', 'float32', [1, 2, 8])
  const w = builder.weight('w', normal([2, 2, 1], { seed: 1 }))
  const half = builder.node('Constant', [], { attributes: { value: float32([], [0.5]) }, output: 'half' })
  const a = builder.node('Mul', [builder.node('Conv', [x, w], { output: 'first' }), half], { output: 'a' })
  builder.output(builder.node('Conv', [a, w], { output: 'y' }), 'float32', [1, 2, 8])
  const model = builder.build()
  const quantized = quantizeQdq(model, await calibrate(model, noise([1, 2, 8])))
  assert.equal(quantized.graph.initializer.filter(({ dataType }) => dataType === 3).length, 2)
  assert.equal(
    quantized.graph.node.some(({ opType }) => opType === 'Constant'),
    false,
  )
  const ops = await fusedOps(quantized, noise([1, 2, 8])[0]!)
  assert.deepEqual([ops.QLinearConv, ops['com.microsoft.QLinearMul']], [2, 1])
})

/** The body of an If: one node that reads values of the graph around it. */
const body = (opType: string, input: string[], output: string): GraphProto =>
  newGraph({
    name: output,
    node: [newNode({ opType, input, output: [output] })],
    output: [newValueInfo(output, 'float32')],
  })

test('quantizeQdq() keeps what the body of an If reads from outside', async () => {
  const builder = new GraphBuilder({ name: 'g', opset: 12 })
  const x = builder.input('x', 'float32', [1, 2, 8])
  builder.weight('w', normal([2, 2, 1], { seed: 1 }))
  const a = builder.node('Conv', [x, 'w'], { output: 'a' })
  builder.node('Relu', [a], { output: 'b' })
  const yes = builder.weight('yes', { dtype: 'bool', shape: [], data: Uint8Array.of(1) })
  builder.output(builder.node('If', [yes], { output: 'y', name: 'if' }), 'float32', [1, 2, 8])
  const model = builder.build()
  const branches = { then_branch: body('Conv', ['a', 'w'], 'p'), else_branch: body('Add', ['a', 'b'], 'q') }
  model.graph.node.at(-1)!.attribute = Object.entries(branches).map(([name, g]) => ({ name, g, type: 5 }))
  assert.ok((await quantizedSnr(model, { calibration: noise([1, 2, 8], 8), unseen: noise([1, 2, 8], 2) })) > 30)
})

test('quantizeQdq() does not touch integers that a graph computes', async () => {
  const builder = new GraphBuilder({ name: 'g', opset: 13 })
  const x = builder.input('x', 'float32', [1, 2, 8])
  const a = builder.node('Conv', [x, builder.weight('w', normal([2, 2, 1], { seed: 1 }))], { output: 'a' })
  const twice = builder.node('Mul', [builder.node('Shape', [a]), builder.weight('two', ints([1, 1, 1]))])
  builder.output(builder.node('Reshape', [a, twice], { output: 'y' }), 'float32', [1, 2, 8])
  const model = builder.build()
  assert.ok((await quantizedSnr(model, { calibration: noise([1, 2, 8], 8), unseen: noise([1, 2, 8], 2) })) > 30)
})

test('quantizeQdq() copes with an activation that is always zero', async () => {
  const model = oneNode('Conv', { x: ['float32', [1, 2, 8]], w: normal([2, 2, 1], { seed: 1 }) })
  const silence: Feeds[] = [{ x: float32([1, 2, 8], new Float32Array(16)) }]
  const [output] = await runOnnx(quantizeQdq(model, await calibrate(model, silence)), silence)
  assert.ok(output!.every(y => y === 0))
})

test('quantizeQdq() refuses a model that is quantised already', async () => {
  const model = convStack()
  const ranges = await calibrate(model, stackBatches(1))
  assert.throws(
    () => quantizeQdq(quantizeQdq(model, ranges), ranges),
    usage(/"stack": "input_QuantizeLinear" \(QuantizeLinear\) is quantised already/),
  )
})

test('quantizeQdq() refuses a model with nothing to quantise', () => {
  assert.throws(() => quantizeQdq(oneNode('Relu', { x: ['int32', [2]] }), new Map()), usage(/no float32 Conv/))
})

const badWeight = (bad: number): ModelProto => {
  const weight: Tensor = normal([2, 2, 1], { seed: 1 })
  ;(weight.data as Float32Array)[3] = bad
  return oneNode('Conv', { x: ['float32', [1, 2, 8]], w: weight })
}

test('quantizeQdq() names a weight that holds NaN or infinity', () => {
  const ranges = new Map<string, Range>([
    ['x', { min: -1, max: 1 }],
    ['y0', { min: -1, max: 1 }],
  ])
  assert.throws(() => quantizeQdq(badWeight(NaN), ranges), usage(/"w": element 3 is NaN/))
  assert.throws(() => quantizeQdq(badWeight(-Infinity), ranges), usage(/"w": element 3 is -Infinity/))
})

test('quantizeQdq() names an activation without a range, or with one that is none', () => {
  const whole = { min: -1, max: 1 }
  assert.throws(() => quantizeQdq(badWeight(1), new Map([['x', whole]])), usage(/"y0": no range was calibrated/))
  for (const range of [
    { min: NaN, max: 1 },
    { min: 0, max: Infinity },
    { min: 2, max: 1 },
  ]) {
    assert.throws(
      () =>
        quantizeQdq(
          badWeight(1),
          new Map([
            ['x', range],
            ['y0', whole],
          ]),
        ),
      usage(/"x": its range is/),
    )
  }
})
