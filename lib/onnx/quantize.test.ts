import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { decodeModel, encodeModel, opsetOf, tensorFromProto, type ModelProto } from '../formats/onnx.ts'
import { float32, type Tensor } from '../formats/tensor.ts'
import { dataPath, needsData } from '../testing/needs.ts'
import { GraphBuilder } from './builder.ts'
import { calibrate, type Feeds, type Range } from './calibrate.ts'
import { convStack, ints, normal, oneNode, runOnnx, seeded, snrOver, stackBatches } from './graph-fixtures.ts'
import { inspect } from './inspect.ts'
import { quantizeQdq, type QuantizeOptions } from './quantize.ts'

const usage = (message: RegExp) => ({ name: 'RunbookError', exit: 'usage', message })

/** Output SNR of int8 against float, on input that calibration did not see. */
async function snrOf(model: ModelProto, o: { calibration: Feeds[]; unseen: Feeds[]; method?: 'minmax' | 'mse' } & QuantizeOptions): Promise<number> {
  const { calibration, unseen, method = 'mse', ...options } = o
  const quantized = quantizeQdq(model, await calibrate(model, calibration, { method }), options)
  return snrOver(await runOnnx(quantized, unseen), await runOnnx(model, unseen))
}

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

/** Batches for a graph with the one input x. */
const noise = (shape: readonly number[], count = 4): Feeds[] => Array.from({ length: count }, (_, i) => ({ x: normal(shape, { seed: 50 + i }) }))

const stackInput = { calibration: stackBatches(8), unseen: stackBatches(4, 900) }

test('quantizeQdq() keeps a mask network of dilated and depthwise convolutions above 24 dB', async () => {
  const snr = await snrOf(convStack(), stackInput)
  assert.ok(snr > 24, `${snr.toFixed(2)} dB`)
})

test('quantizeQdq() is better with one scale a channel than with one for a whole weight', async () => {
  const [perChannel, perTensor] = [await snrOf(convStack(), stackInput), await snrOf(convStack(), { ...stackInput, weights: 'per-tensor' })]
  assert.ok(perChannel > perTensor + 0.5, `${perChannel.toFixed(2)} against ${perTensor.toFixed(2)} dB`)
})

test('quantizeQdq() is as good with int8 activations as with uint8', async () => {
  const [unsigned, signed] = [await snrOf(convStack(), stackInput), await snrOf(convStack(), { ...stackInput, activations: 'int8' })]
  assert.ok(Math.abs(unsigned - signed) < 0.5, `${unsigned.toFixed(2)} against ${signed.toFixed(2)} dB`)
})

test('quantizeQdq() makes a graph that ONNX Runtime fuses whole into integer operators', async () => {
  const model = convStack()
  const quantized = quantizeQdq(model, await calibrate(model, stackBatches(2)))
  assert.deepEqual(await fusedOps(quantized, stackBatches(1)[0]!), {
    DequantizeLinear: 1, QLinearConv: 8, QuantizeLinear: 1, Squeeze: 1,
    'com.microsoft.QLinearAdd': 1, 'com.microsoft.QLinearMul': 1, 'com.microsoft.QLinearSigmoid': 1,
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
  // input, encoder, scale, bottleneck, relu, relu2, residual, add, head, mask, mul, decoder, output; not expand, not dilated.
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
  const values = [...graph.initializer.map(({ name }) => name), ...graph.input.map(({ name }) => name), ...graph.node.flatMap(({ output }) => output)]
  assert.equal(new Set(values).size, values.length)
  assert.equal(new Set(graph.node.map(({ name }) => name)).size, graph.node.length)
  assert.ok((await snrOf(model, { calibration: noise([1, 2, 8]), unseen: noise([1, 2, 8]) })) > 30)
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

test('quantizeQdq() scales ConvTranspose along axis 1, also in groups', async () => {
  const weight = normal([4, 3, 5], { seed: 9 })
  for (const i of weight.data.keys()) weight.data[i]! *= 10 ** (Math.floor(i / 5) % 3)
  const given = { x: ['float32', [1, 4, 9]] as const, w: weight, b: normal([6], { seed: 10 }) }
  const model = oneNode('ConvTranspose', given, { attributes: { group: 2, strides: [2] } })
  const { graph } = quantizeQdq(model, await calibrate(model, noise([1, 4, 9])))
  assert.deepEqual(graph.initializer.find(({ name }) => name === 'w_scale')!.dims, [3n])
  assert.deepEqual(graph.initializer.find(({ name }) => name === 'b_scale')!.dims, [6n])
  const snr = await snrOf(model, { calibration: noise([1, 4, 9], 8), unseen: noise([1, 4, 9], 2) })
  assert.ok(snr > 30, `${snr} dB`)
})

test('quantizeQdq() quantises Gemm and MatMul per column, and ONNX Runtime fuses both', async () => {
  const builder = new GraphBuilder({ name: 'g', opset: 13 })
  const x = builder.input('x', 'float32', [4, 6])
  const gemm = builder.node('Gemm', [x, builder.weight('w', normal([5, 6], { seed: 1 })), builder.weight('b', normal([5], { seed: 2 }))], { attributes: { transB: 1 }, output: 'g' })
  const product = builder.node('MatMul', [gemm, builder.weight('v', normal([5, 3], { seed: 3 }))], { output: 'y' })
  builder.output(product, 'float32', [4, 3])
  const model = builder.build()
  const quantized = quantizeQdq(model, await calibrate(model, noise([4, 6])))
  const dims = (name: string) => quantized.graph.initializer.find(each => each.name === name)!.dims
  assert.deepEqual([dims('w_scale'), dims('b_scale'), dims('v_scale')], [[5n], [5n], [3n]])
  const ops = await fusedOps(quantized, noise([4, 6])[0]!)
  assert.deepEqual([ops['com.microsoft.QGemm'], ops.QLinearMatMul], [1, 1])
  const snr = await snrOf(model, { calibration: noise([4, 6], 16), unseen: noise([4, 6], 4) })
  assert.ok(snr > 30, `${snr} dB`)
})

test('quantizeQdq() minds alpha and beta of a Gemm', async () => {
  for (const each of [{ alpha: 0.25 }, { beta: 3.5 }, { alpha: -2.5 }] as Record<string, number>[]) {
    const model = oneNode('Gemm', { x: ['float32', [4, 6]], w: normal([6, 5], { seed: 1 }), b: normal([5], { seed: 2 }) }, { attributes: each })
    const snr = await snrOf(model, { calibration: noise([4, 6], 16), unseen: noise([4, 6], 4) })
    assert.ok(snr > 28, `${JSON.stringify(each)} ${snr} dB`)
  }
})

test('quantizeQdq() fixes the output of Sigmoid at 0 to 1, and spends no steps where it is flat', async () => {
  const builder = new GraphBuilder({ name: 'g', opset: 13 })
  const x = builder.input('x', 'float32', [1, 1, 64])
  const wide = builder.node('Conv', [x, builder.weight('w', float32([1, 1, 1], [100]))], { output: 'wide' })
  builder.output(builder.node('Sigmoid', [wide], { output: 'y' }), 'float32', [1, 1, 64])
  const model = builder.build()
  const { graph } = quantizeQdq(model, await calibrate(model, noise([1, 1, 64]), { method: 'minmax' }))
  const scale = (name: string) => (tensorFromProto(graph.initializer.find(each => each.name === name)!).data as Float32Array)[0]
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
  assert.ok((await snrOf(model, { calibration: noise([1, 2, 8], 8), unseen: noise([1, 2, 8], 2) })) > 15)
})

test('quantizeQdq() lets a view share the scale of what it shows', async () => {
  const builder = new GraphBuilder({ name: 'g', opset: 13 })
  const x = builder.input('x', 'float32', [1, 8, 2])
  const turned = builder.node('Transpose', [x], { output: 'turned', attributes: { perm: [0, 2, 1] } })
  const a = builder.node('Conv', [turned, builder.weight('w', normal([2, 2, 1], { seed: 1 }))], { output: 'a' })
  builder.output(builder.node('Reshape', [a, builder.weight('shape', ints([1, 16]))], { output: 'y' }), 'float32', [1, 16])
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
  assert.equal(quantized.graph.node.some(({ opType }) => opType === 'Constant'), false)
  const ops = await fusedOps(quantized, noise([1, 2, 8])[0]!)
  assert.deepEqual([ops.QLinearConv, ops['com.microsoft.QLinearMul']], [2, 1])
})

test('quantizeQdq() does not touch integers that a graph computes', async () => {
  const builder = new GraphBuilder({ name: 'g', opset: 13 })
  const x = builder.input('x', 'float32', [1, 2, 8])
  const a = builder.node('Conv', [x, builder.weight('w', normal([2, 2, 1], { seed: 1 }))], { output: 'a' })
  const twice = builder.node('Mul', [builder.node('Shape', [a]), builder.weight('two', ints([1, 1, 1]))])
  builder.output(builder.node('Reshape', [a, twice], { output: 'y' }), 'float32', [1, 2, 8])
  const model = builder.build()
  assert.ok((await snrOf(model, { calibration: noise([1, 2, 8], 8), unseen: noise([1, 2, 8], 2) })) > 30)
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
  assert.throws(() => quantizeQdq(quantizeQdq(model, ranges), ranges), usage(/"stack": "input_QuantizeLinear" \(QuantizeLinear\) shows that it is quantised already/))
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
  const ranges = new Map<string, Range>([['x', { min: -1, max: 1 }], ['y0', { min: -1, max: 1 }]])
  assert.throws(() => quantizeQdq(badWeight(NaN), ranges), usage(/"w": element 3 is NaN/))
  assert.throws(() => quantizeQdq(badWeight(-Infinity), ranges), usage(/"w": element 3 is -Infinity/))
})

test('quantizeQdq() names an activation without a range, or with one that is none', () => {
  const whole = { min: -1, max: 1 }
  assert.throws(() => quantizeQdq(badWeight(1), new Map([['x', whole]])), usage(/"y0": no range was calibrated/))
  for (const range of [{ min: NaN, max: 1 }, { min: 0, max: Infinity }, { min: 2, max: 1 }]) {
    assert.throws(() => quantizeQdq(badWeight(1), new Map([['x', range], ['y0', whole]])), usage(/"x": its range is/))
  }
})

test('quantizeQdq() keeps a trained TCN encoder above 25 dB', { skip: needsData('encoder') }, async () => {
  const model = decodeModel(readFileSync(dataPath('encoder/tcn_encoder_for_edgeinfer.onnx')))
  const windows = Array.from({ length: 24 }, (_, i): Feeds => ({ imu_window: normal([1, 100, 9], { seed: i }) }))
  const snr = await snrOf(model, { calibration: windows.slice(0, 16), unseen: windows.slice(16) })
  assert.ok(snr > 25, `${snr.toFixed(2)} dB`)
})

/** Something like the log-mel picture of a spoken letter: a bump in time, ripples over the bands, a noise floor. */
function melPicture(seed: number): Feeds {
  const random = seeded(seed)
  const [band, time] = [random() * 40, 20 + random() * 60]
  const at = (m: number, t: number) => -8 + 3 * Math.exp(-((t - time) ** 2) / 400) * (1 + Math.cos((m - band) / 3)) + random() * 1.5
  return { log_mel: float32([1, 1, 64, 128], Float32Array.from({ length: 64 * 128 }, (_, i) => at(Math.floor(i / 128), i % 128))) }
}

test('quantizeQdq() keeps a trained depthwise network above 25 dB, which one scale a weight ruins', { skip: needsData('keyword') }, async () => {
  const model = decodeModel(readFileSync(dataPath('keyword/spelling_cnn_mel.onnx')))
  const pictures = Array.from({ length: 24 }, (_, i) => melPicture(i))
  const input = { calibration: pictures.slice(0, 16), unseen: pictures.slice(16) }
  const [perChannel, perTensor] = [await snrOf(model, input), await snrOf(model, { ...input, weights: 'per-tensor' })]
  assert.ok(perChannel > 25 && perTensor < 15, `${perChannel.toFixed(2)} against ${perTensor.toFixed(2)} dB`)
})
