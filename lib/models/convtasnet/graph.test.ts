import assert from 'node:assert/strict'
import test from 'node:test'
import { attributeInts, attributeOf, decodeModel, encodeModel, tensorDims } from '../../formats/onnx/index.ts'
import type { ModelProto, NodeProto } from '../../formats/onnx/index.ts'
import { sizeOf } from '../../formats/tensors/tensor.ts'
import { sha256 } from '../../host/digest.ts'
import { convTasNetGraph, decoderNode, inputShape, optionsFromModel, optionsKey, outputShape } from './graph.ts'
import { convTasNetOptions, decoderModes, encoderModes, maskActs, type ConvTasNetOptions } from './options.ts'
import { seededWeights } from './seeded-weights.ts'
import { onnxruntimeNode } from '../../host/onnxruntime-node.ts'

type Sizes = readonly [
  nFilters: number,
  bnChan: number,
  hidChan: number,
  skipChan: number,
  nBlocks: number,
  nRepeats: number,
]

const sized = (
  [nFilters, bnChan, hidChan, skipChan, nBlocks, nRepeats]: Sizes,
  more: Partial<ConvTasNetOptions> = {},
) => convTasNetOptions({ nFilters, bnChan, hidChan, skipChan, nBlocks, nRepeats, decoderMode: 'conv1x1_head', ...more })

/** Small enough to run in a moment, odd enough that no two sizes are confused. */
const small = (more: Partial<ConvTasNetOptions> = {}) => sized([24, 10, 14, 9, 2, 2], { inputLen: 320, ...more })

const parameters = (model: ModelProto) =>
  model.graph.initializer.reduce((sum, tensor) => sum + sizeOf(tensorDims(tensor)), 0)
const opsOf = (model: ModelProto) => {
  const ops: Record<string, number> = {}
  for (const { opType } of model.graph.node) ops[opType] = (ops[opType] ?? 0) + 1
  return ops
}
const nodeOf = (model: ModelProto, name: string): NodeProto => model.graph.node.find(node => node.name === name)!

/** Shapes and values as ONNX Runtime has them. */
async function answer(o: ConvTasNetOptions) {
  const ort = await onnxruntimeNode()
  const session = await ort.InferenceSession.create(encodeModel(convTasNetGraph(o)))
  const data = Float32Array.from({ length: sizeOf(inputShape(o)) }, (_, i) => ((i * 37) % 101) / 505 - 0.1)
  const feed = new ort.Tensor('float32', data, inputShape(o))
  const { output } = await session.run({ input: feed })
  await session.release()
  return { dims: output!.dims, data: output!.data as Float32Array }
}

const rungs: readonly (readonly [Sizes, number])[] = [
  [[256, 128, 256, 128, 2, 1], 404_482],
  [[256, 96, 192, 96, 2, 1], 306_946],
  [[256, 64, 128, 64, 2, 1], 229_890],
  [[192, 64, 128, 64, 2, 1], 158_722],
  [[128, 64, 128, 64, 2, 1], 103_938],
  [[128, 48, 96, 48, 2, 1], 79_234],
  [[128, 32, 64, 32, 2, 1], 59_650],
  [[96, 32, 64, 32, 2, 1], 41_474],
  [[96, 24, 48, 24, 1, 1], 30_434],
  [[64, 24, 48, 24, 1, 1], 17_122],
]

test('convTasNetGraph() exports the parameters of the original for every rung', () => {
  assert.deepEqual(
    rungs.map(([sizes]) => parameters(convTasNetGraph(sized(sizes)))),
    rungs.map(([, count]) => count),
  )
})

test('convTasNetGraph() exports the parameters of the original beyond the ladder', () => {
  const k1: Sizes = [256, 128, 256, 128, 1, 1]
  assert.equal(parameters(convTasNetGraph(sized(k1, { maskMulMode: 'bypass' }))), 136_194)
  assert.equal(parameters(convTasNetGraph(sized(k1))), 303_618)
  assert.equal(parameters(convTasNetGraph(sized([256, 128, 256, 128, 8, 3]))), 2_623_490)
  assert.equal(parameters(convTasNetGraph(sized([256, 64, 128, 128, 1, 1]))), 245_058)
  assert.equal(parameters(convTasNetGraph(sized([256, 48, 96, 96, 1, 1]))), 213_490)
  assert.equal(parameters(convTasNetGraph(sized([256, 32, 64, 64, 1, 1]))), 184_994)
})

test('convTasNetGraph() counts the operators of the original', () => {
  const first = convTasNetGraph(sized([256, 128, 256, 128, 2, 1]))
  assert.deepEqual(opsOf(first), { Conv: 17, Relu: 4, Add: 2, Sigmoid: 1, Mul: 1, Squeeze: 1 })
  assert.deepEqual(opsOf(convTasNetGraph(sized([64, 24, 48, 24, 1, 1]))), {
    Conv: 11,
    Relu: 2,
    Sigmoid: 1,
    Mul: 1,
    Squeeze: 1,
  })
  const full = convTasNetGraph(small({ nBlocks: 8, nRepeats: 3 }))
  assert.deepEqual(opsOf(full), { Conv: 149, Relu: 48, Add: 46, Sigmoid: 1, Mul: 1, Squeeze: 1 })
})

test('convTasNetGraph() leaves the whole masker out when it is bypassed', () => {
  const model = convTasNetGraph(small({ maskMulMode: 'bypass' }))
  assert.deepEqual(opsOf(model), { Conv: 3, Squeeze: 1 })
  assert.ok(model.graph.initializer.every(({ name }) => !name.startsWith('masker')))
})

test('convTasNetGraph() makes the same graph from truncation as from fewer blocks', () => {
  const cut = convTasNetGraph(small({ nBlocks: 3, truncateKBlocks: 2 }))
  const short = convTasNetGraph(small({ nBlocks: 2, nRepeats: 1 }))
  assert.deepEqual(opsOf(cut), opsOf(short))
  assert.equal(parameters(cut), parameters(short))
  assert.equal(nodeOf(cut, 'masker.blocks.1.residual'), undefined)
})

test('convTasNetGraph() writes every attribute of every convolution', () => {
  const model = convTasNetGraph(small({ decoderMode: 'reduced_deconv_64' }))
  for (const node of model.graph.node.filter(({ opType }) => opType.startsWith('Conv'))) {
    const names = node.attribute.map(({ name }) => name).toSorted()
    assert.deepEqual(names, ['dilations', 'group', 'kernel_shape', 'pads', 'strides'], node.name)
  }
  const depthwise = nodeOf(model, 'masker.blocks.3.depthwise')
  assert.deepEqual(attributeInts(depthwise, 'dilations'), [1, 2])
  assert.deepEqual(attributeInts(depthwise, 'pads'), [0, 2, 0, 2])
  assert.equal(attributeOf(depthwise, 'group')!.i, 14n)
  assert.deepEqual(attributeInts(nodeOf(model, 'encoder'), 'strides'), [1, 8])
})

test('convTasNetGraph() is opset 12, ir 7, with one input and one output', () => {
  const model = convTasNetGraph(small())
  assert.deepEqual(
    model.opsetImport.map(({ domain, version }) => [domain, version]),
    [['', 12]],
  )
  assert.equal(model.irVersion, 7)
  assert.equal(model.graph.name, 'mono_f24_bn10_hid14_skip9_b2_r2_t320')
  assert.deepEqual(
    model.graph.input.map(({ name }) => name),
    ['input'],
  )
  assert.deepEqual(
    model.graph.output.map(({ name }) => name),
    ['output'],
  )
})

test('convTasNetGraph() ends at the decoder when the host adds the frames up', () => {
  const last = convTasNetGraph(small({ decoderMode: 'polyphase' })).graph.node.at(-1)!
  assert.deepEqual([last.name, last.opType, last.output], [decoderNode, 'Conv', ['output']])
})

test('convTasNetGraph() answers with the declared shape for every encoder, decoder and activation', async t => {
  for (const decoderMode of decoderModes) {
    for (const encoderMode of encoderModes) {
      const o = small({ decoderMode, encoderMode, nBlocks: 1, nRepeats: 1 })
      await t.test(`${encoderMode} ${decoderMode}`, async () =>
        assert.deepEqual((await answer(o)).dims, outputShape(o)),
      )
    }
  }
  for (const maskAct of maskActs) {
    await t.test(maskAct, async () => {
      const { data } = await answer(small({ maskAct, normMode: 'identity' }))
      assert.ok(data.every(Number.isFinite) && data.some(value => value !== 0))
    })
  }
})

test('convTasNetGraph() repeats by Tile what the projector repeats by weights', async () => {
  const tiled = small({ skipTopologyMode: 'repeat' })
  assert.equal(opsOf(convTasNetGraph(tiled)).Tile, 1)
  assert.deepEqual((await answer(tiled)).data, (await answer(small())).data)
})

test('convTasNetGraph() drops projector and second source when one source is forced', async () => {
  const o = small({ forceNSrc1: true, decoderMode: 'deconv' })
  assert.equal(nodeOf(convTasNetGraph(o), 'source_projector'), undefined)
  assert.deepEqual((await answer(o)).dims, [1, 1, 320])
  assert.deepEqual((await answer({ ...o, skipTopologyMode: 'repeat' })).dims, [1, 1, 320])
})

const digest = (o: ConvTasNetOptions) => sha256(encodeModel(convTasNetGraph(o)))

test('convTasNetGraph() gives the same bytes twice, and others for another seed', () => {
  assert.equal(digest(small()), digest(small()))
  assert.notEqual(digest(small()), digest(small({ seed: 7 })))
})

test('convTasNetGraph() throws when the weights were made for other options', () => {
  const weights = seededWeights(small())
  const wider = small({ bnChan: 12 })
  assert.throws(
    () => convTasNetGraph(wider, weights),
    /bottleneck.weight": want \[12,24,1,1\], have float32\[10, 24, 1, 1\]/,
  )
  const reduced = small({ decoderMode: 'reduced_deconv_64' })
  assert.throws(() => convTasNetGraph(reduced, weights), /decoder.reduce.weight": want .* have none/)
})

test('convTasNetGraph() gives no bias to a layer that has none, whatever the weights hold', () => {
  const o = small({ normMode: 'identity' })
  const model = convTasNetGraph(o, new Map([...seededWeights(small()), ...seededWeights(o)]))
  assert.equal(nodeOf(model, 'masker.norm').input.length, 2)
})

test('optionsFromModel() reads back what the model was authored with', () => {
  const o = small({ decoderMode: 'polyphase', encoderMode: 'framed', maskAct: 'tanh', seed: 4 })
  assert.deepEqual(optionsFromModel(decodeModel(encodeModel(convTasNetGraph(o)))), o)
})

test("optionsFromModel() gives null for somebody else's model", () => {
  assert.equal(optionsFromModel({ ...convTasNetGraph(small()), metadataProps: [] }), null)
})

test('optionsFromModel() refuses options that are malformed or contradict each other', () => {
  for (const value of [
    '{',
    'null',
    '7',
    '{"nFilters":0}',
    '{"shell":"rm"}',
    JSON.stringify({ ...small(), inputLen: 321 }),
  ]) {
    const model = { ...convTasNetGraph(small()), metadataProps: [{ key: optionsKey, value }] }
    assert.throws(() => optionsFromModel(model), { name: 'RunbookError', exit: 'usage' }, value)
  }
})
