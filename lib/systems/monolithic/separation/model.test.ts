import assert from 'node:assert/strict'
import test from 'node:test'
import { convTasNetGraph } from '../../../models/convtasnet/graph.ts'
import type { ConvTasNetOptions } from '../../../models/convtasnet/options.ts'
import { float32 } from '../../../formats/tensors/tensor.ts'
import type { TensorInfo } from '../../../infer/backend.ts'
import { forked, layout, modelFile, single, tinyOptions } from '../../../testing/infer/fixtures.ts'
import { openOrtNode } from '../../../infer/ort/node-package.ts'
import { joinedAnswer, separationModel } from './model.ts'

const stream = (
  name: string,
  shape: readonly (number | string)[],
  dtype: TensorInfo['dtype'] = 'float32',
): TensorInfo => ({ name, dtype, shape })
const samples = stream('input', [1, 1, 1, 400])
const audio = stream('output', [1, 2, 400])
const read = (
  inputs: readonly TensorInfo[],
  outputs: readonly TensorInfo[],
  o: { input?: string; output?: string } = {},
) => separationModel({ inputs, outputs }, { layout, ...o })
const refused = (work: () => unknown, message: RegExp, hint: RegExp) =>
  assert.throws(work, { exit: 'usage', message, hint })

test('separationModel() reads feed, answer, sources and widths from the shapes', () => {
  const cases = [
    { input: [1, 1, 1, 400], output: [1, 2, 400], feed: 'samples', answer: 'audio', sources: 2 },
    { input: [1, 1, 400], output: [1, 2, 1, 400], feed: 'samples', answer: 'audio', sources: 2 },
    { input: [1, 1, 1, 400], output: [1, 32, 1, 51], feed: 'samples', answer: 'polyphase', sources: 2 },
    { input: [1, 16, 1, 51], output: [1, 16, 1, 51], feed: 'frames', answer: 'polyphase', sources: 1 },
    { input: [1, 16, 1, 51], output: [1, 4, 400], feed: 'frames', answer: 'audio', sources: 4 },
  ]
  for (const { input, output, ...want } of cases) {
    const { feed, answer, sources, widthFrames, widthSamples } = read(
      [stream('input', input)],
      [stream('output', output)],
    )
    assert.deepEqual({ feed, answer, sources }, want)
    assert.deepEqual([widthFrames, widthSamples], [51, 400])
  }
})

test('separationModel() understands every graph that we author, but for those at the latent rate', async () => {
  const read = async (o: Partial<ConvTasNetOptions>) => {
    await using backend = await openOrtNode(modelFile(convTasNetGraph(tinyOptions(o))))
    const { feed, answer, sources } = separationModel(backend, { layout })
    return `${feed} ${answer} ${sources}`
  }
  assert.equal(await read({}), 'samples polyphase 2')
  assert.equal(await read({ encoderMode: 'framed', decoderMode: 'deconv' }), 'frames audio 2')
  assert.equal(await read({ decoderMode: 'reduced_deconv_128' }), 'samples audio 2')
  assert.equal(await read({ forceNSrc1: true }), 'samples polyphase 1')
  for (const encoderMode of ['conv', 'framed'] as const) {
    await assert.rejects(read({ decoderMode: 'conv1x1_head', encoderMode }), {
      exit: 'usage',
      message: /Cannot write sound from "output" float32\[1, 2, 51\]: .* at the latent rate, 51 values for 400 samples/,
      hint: /--decoder polyphase/,
    })
  }
})

test('separationModel() lists names and shapes when there are two inputs or two outputs', async () => {
  await using backend = await openOrtNode(modelFile(forked(400)))
  const choose = (o: { input?: string; output?: string }) => separationModel(backend, { layout, ...o })
  refused(
    () => choose({}),
    /the model has 2 inputs: sound float32\[1, 1, 1, 400\], bias float32\[1, 1, 1, 400\]/,
    /--input sound\|bias; the others are fed zeros/,
  )
  refused(
    () => choose({ input: 'sound' }),
    /the model has 2 outputs: quiet float32\[1, 2, 1, 400\], loud/,
    /^give --output quiet\|loud$/,
  )
  const model = choose({ input: 'sound', output: 'loud' })
  assert.deepEqual([model.input.name, model.outputs.map(({ name }) => name)], ['sound', ['loud']])
  assert.deepEqual(model.zeros, { bias: { dtype: 'float32', shape: [1, 1, 1, 400], data: new Float32Array(400) } })
})

test('separationModel() lists what there is when a named stream is not there, even when there is only one', () => {
  refused(
    () => read([samples], [audio], { input: 'x' }),
    /there is no input "x": input float32\[1, 1, 1, 400\]/,
    /^give --input input$/,
  )
  refused(
    () => read([samples], [audio], { output: 'y' }),
    /there is no output "y": output float32\[1, 2, 400\]/,
    /--output output/,
  )
  refused(() => read([], [audio]), /the model has 0 inputs/, /--input/)
})

test('separationModel() refuses another type than float32, and names it', () => {
  refused(
    () => read([stream('input', [1, 1, 1, 400], 'int8')], [audio]),
    /Cannot feed sound to "input" int8\[1, 1, 1, 400\]/,
    /--input/,
  )
  refused(
    () => read([samples], [stream('output', [1, 2, 400], 'float64')]),
    /Cannot read sources from "output" float64\[1, 2, 400\]/,
    /--output/,
  )
})

test('separationModel() refuses a dimension that is open, on any stream that it would feed or read', async () => {
  await using backend = await openOrtNode(
    modelFile(single('Relu', { input: [1, 1, 1, 'frames'], output: [1, 1, 1, 'frames'] })),
  )
  refused(
    () => separationModel(backend, { layout }),
    /"input" float32\[1, 1, 1, frames\]: its dimension "frames" is open/,
    /fixed shapes/,
  )
  refused(() => read([samples], [stream('output', ['batch', 2, 400])]), /"output".*"batch" is open/, /fixed shapes/)
  refused(
    () => read([samples, stream('state', [1, '?'])], [audio], { input: 'input' }),
    /"state" float32\[1, \?\].*"\?" is open/,
    /fixed shapes/,
  )
})

test('separationModel() refuses an input that is no sound', () => {
  for (const shape of [
    [1, 3, 224, 224],
    [2, 1, 1, 400],
    [1, 1, 2, 400],
    [1, 1, 1, 1, 400],
    [1, 16, 1, 1],
    [1, 1, 1, 0],
    [1, 15, 1, 51],
  ]) {
    refused(
      () => read([stream('input', shape)], [audio]),
      /Cannot feed sound to "input" float32\[/,
      /choose another stream .*--input/,
    )
  }
  refused(() => read([stream('input', [1, 1, 1, 401])], [audio]), /with a multiple of 8 samples/, /--input/)
})

test('separationModel() refuses an output that is neither sources nor frames of this window', () => {
  for (const shape of [[1, 2, 399], [1, 5, 400], [1, 32, 1, 50], [1, 0, 400], [2, 2, 400], [1, 2, 2, 400], [1000]]) {
    refused(
      () => read([samples], [stream('output', shape)]),
      /Cannot read sources from "output".*expected float32\[1, sources, 400\]/,
      /choose another stream .*--output/,
    )
  }
  refused(() => read([samples], [stream('output', [1, 80, 1, 51])]), /at the latent rate/, /polyphase/)
})

test('separationModel() reads the usual exports of separation networks', () => {
  const cases = [
    { input: [1, 16_000], outputs: [[1, 2, 16_000]] },
    { input: [1, 1, 16_000], outputs: [[2, 16_000]] },
    { input: [16_000], outputs: [[2, 16_000]] },
    {
      input: [1, 16_000],
      outputs: [
        [1, 16_000],
        [1, 16_000],
      ],
    },
    {
      input: [1, 1, 16_000],
      outputs: [
        [1, 1, 16_000],
        [1, 1, 16_000],
      ],
    },
  ]
  for (const { input, outputs } of cases) {
    const model = separationModel({
      inputs: [stream('mix', input)],
      outputs: outputs.map((shape, i) => stream(`s${i}`, shape)),
    })
    assert.deepEqual([model.feed, model.answer, model.sources], ['samples', 'audio', 2], JSON.stringify(outputs))
    assert.equal(model.layout.stride, 128, '16000 is 125 times 128')
    const answers = Object.fromEntries(
      model.outputs.map(({ name }, i) => [name, float32([2], outputs.length === 1 ? [1, 2] : [1 + i, 10 + i])]),
    )
    assert.deepEqual([...joinedAnswer(model, answers)], outputs.length === 1 ? [1, 2] : [1, 10, 2, 11])
  }
})

test('separationModel() finds kernel and stride in the shapes where nobody tells them', () => {
  const layoutOf = (input: number[], output: number[]) =>
    separationModel({ inputs: [stream('input', input)], outputs: [stream('output', output)] }).layout
  assert.deepEqual(layoutOf([1, 1, 1, 16_000], [1, 32, 1, 2001]), { kernel: 16, stride: 8 })
  assert.deepEqual(layoutOf([1, 1, 1, 16_000], [1, 256, 1, 251]), { kernel: 128, stride: 64 })
  assert.deepEqual(layoutOf([1, 128, 1, 251], [1, 256, 1, 251]), { kernel: 128, stride: 64 })
})

test('separationModel() takes two rows for two channels and refuses them, and not for taps', () => {
  const inputs = [{ name: 'mix', dtype: 'float32' as const, shape: [1, 2, 16_000] }]
  const outputs = [{ name: 'y', dtype: 'float32' as const, shape: [1, 2, 16_000] }]
  assert.throws(() => separationModel({ inputs, outputs }), { exit: 'usage', message: /it takes two channels/ })
})
