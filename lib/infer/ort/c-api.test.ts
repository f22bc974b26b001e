import assert from 'node:assert/strict'
import { truncateSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { encodeModel, type ModelProto } from '../../formats/onnx/index.ts'
import { float32, sizeOf, type Dtype, type Tensor } from '../../formats/tensors/tensor.ts'
import { GraphBuilder } from '../../onnx/builder.ts'
import { turnsDuring } from '../../testing/event-loop.ts'
import {
  forked,
  halves,
  modelFile,
  relativeError,
  scratch,
  single,
  tinyModel,
  voice,
} from '../../testing/infer/fixtures.ts'
import { openOrtC } from './c-api.ts'
import { openOrtNode } from './node-package.ts'

const row = (values: readonly number[]) => float32([1, 1, 1, values.length], values)
const values = (tensor: Tensor | undefined) => [...tensor!.data]

/** A graph with an index: it fails for numbers that are out of range. */
function gather(): ModelProto {
  const graph = new GraphBuilder({ name: 'pick' })
  graph.node('Gather', [graph.weight('table', float32([2], [1, 2])), graph.input('index', 'int64', ['n'])], {
    output: 'output',
  })
  graph.output('output', 'float32', ['n'])
  return graph.build()
}
const index = (...at: bigint[]): Tensor => ({ dtype: 'int64', shape: [at.length], data: BigInt64Array.from(at) })

test('openOrtC() has the face of openOrtNode(): device, inputs, outputs and time to load', async () => {
  for (const model of [forked(3), single('Neg', { input: [1, 'frames', ''], output: [1, 'frames', ''] })]) {
    const path = modelFile(model)
    await using ours = await openOrtC(path)
    await using node = await openOrtNode(path)
    assert.deepEqual(
      [ours.name, ours.device, ours.inputs, ours.outputs],
      [node.name, node.device, node.inputs, node.outputs],
    )
    assert.ok(ours.loadMs > 0)
  }
})

test('openOrtC() gives every output by its name, with shape and type', async () => {
  await using model = await openOrtC(modelFile(forked(3)))
  const results = await model.infer({ sound: row([2, 4, 6]), bias: row([1, 1, 1]) })
  assert.deepEqual(results, {
    quiet: float32([1, 2, 1, 3], [1, 2, 3, 1, 2, 3]),
    loud: float32([1, 2, 1, 3], [3, 5, 7, 0, 0, 0]),
  })
})

test('openOrtC() answers as openOrtNode() does for a real network, and for a file with another ending', async () => {
  const path = tinyModel({}, 'network.bin')
  await using ours = await openOrtC(path)
  await using node = await openOrtNode(path)
  for (const seed of [3, 5, 7]) {
    const input = float32([1, 1, 1, 400], voice(400, seed))
    const [have, want] = [await ours.infer({ input }), await node.infer({ input })]
    assert.ok(relativeError(have.output!.data as Float32Array, want.output!.data as Float32Array) < 1e-5)
  }
})

test('openOrtC() carries every numeric type both ways', async () => {
  const given: Record<string, Tensor['data']> = {
    float32: Float32Array.of(1, 2),
    float64: Float64Array.of(1, 2),
    float16: Uint16Array.of(0x3c00, 0xc000),
    int8: Int8Array.of(-1, 2),
    uint8: Uint8Array.of(255, 2),
    int16: Int16Array.of(-1, 2),
    uint16: Uint16Array.of(65535, 2),
    int32: Int32Array.of(-1, 2),
    uint32: Uint32Array.of(4e9, 2),
    int64: BigInt64Array.of(-1n, 2n),
    uint64: BigUint64Array.of(2n ** 64n - 1n, 2n),
    bool: Uint8Array.of(1, 0),
  }
  for (const [dtype, data] of Object.entries(given) as [Dtype, Tensor['data']][]) {
    await using model = await openOrtC(modelFile(single('Identity', { dtype, input: [2], output: [2] })))
    assert.deepEqual((await model.infer({ input: { dtype, shape: [2], data } })).output, { dtype, shape: [2], data })
  }
})

test('infer() gives views: the next question writes over them, and copies what it is fed', async () => {
  await using model = await openOrtC(modelFile(halves(2)))
  const input = row([2, 4])
  const first = await model.infer({ input })
  input.data.fill(0)
  assert.deepEqual(values(first.output), [1, 2, 1, 2])
  const second = await model.infer({ input: row([6, 8]) })
  assert.equal(second.output, first.output)
  assert.deepEqual(values(first.output), [3, 4, 3, 4])
})

test('infer() gives lasting answers to questions that are asked together, with one slot and with several', async () => {
  for (const slots of [1, 2, 3, 8]) {
    await using model = await openOrtC(modelFile(halves(2)), { slots, threads: 1 })
    const asked = Array.from({ length: 8 }, (_, i) => model.infer({ input: row([2 * i, 4 * i]) }))
    const answers = await Promise.all(asked)
    answers.forEach(({ output }, i) =>
      assert.deepEqual(values(output), [i, 2 * i, i, 2 * i], `${slots} slots, question ${i}`),
    )
  }
})

test('infer() reads a feed that is a part of a larger array', async () => {
  await using model = await openOrtC(modelFile(halves(4)))
  const all = Float32Array.from({ length: 10 }, (_, i) => i)
  assert.deepEqual(
    values((await model.infer({ input: float32([1, 1, 1, 4], all.subarray(3, 7)) })).output),
    [1.5, 2, 2.5, 3, 1.5, 2, 2.5, 3],
  )
})

test('infer() refuses a feed that does not fit, has NaN, or another array, and goes on', async () => {
  await using model = await openOrtC(modelFile(halves(2)))
  const refused = (feeds: Record<string, Tensor>, message: RegExp) =>
    assert.rejects(model.infer(feeds), { exit: 'usage', message })
  await refused(
    { input: row([1, 2, 3]) },
    /Cannot feed float32\[1, 1, 1, 3\] to "input": it takes float32\[1, 1, 1, 2\]/,
  )
  await refused({ input: { dtype: 'float64', shape: [1, 1, 1, 2], data: new Float64Array(2) } }, /Cannot feed float64/)
  await refused({ sound: row([1, 2]) }, /Cannot feed "sound": the model takes input/)
  await refused({}, /Cannot infer without "input"/)
  await refused({ input: row([1, Number.NaN]) }, /value 1 is NaN/)
  await refused(
    { input: { ...row([1, 2]), data: BigInt64Array.of(1n, 2n) } },
    /Cannot feed BigInt64Array to "input" as float32/,
  )
  assert.deepEqual(values((await model.infer({ input: row([2, 4]) })).output), [1, 2, 1, 2])
})

test('infer() takes another shape with each question, and refuses one that the model does not leave open', async () => {
  for (const slots of [1, 2]) {
    const neg = single('Neg', { input: [1, 'frames'], output: [1, 'frames'] })
    await using model = await openOrtC(modelFile(neg), { slots })
    for (const n of [3, 2, 3, 0, 5]) {
      const given = Float32Array.from({ length: n }, (_, i) => i + 1)
      const { output } = await model.infer({ input: float32([1, n], given) })
      assert.deepEqual(
        output,
        float32(
          [1, n],
          given.map(value => -value),
        ),
      )
    }
    await assert.rejects(model.infer({ input: float32([2, 3], new Float32Array(6)) }), {
      exit: 'usage',
      message: /it takes float32\[1, frames\]/,
    })
    const together = await Promise.all(
      [1, 2, 3, 2, 1].map(n => model.infer({ input: float32([1, n], Array(n).fill(n)) })),
    )
    assert.deepEqual(
      together.map(({ output }) => values(output)),
      [[-1], [-2, -2], [-3, -3, -3], [-2, -2], [-1]],
    )
  }
})

test('infer() goes on with another shape after a question failed', async () => {
  await using model = await openOrtC(modelFile(gather()))
  await assert.rejects(model.infer({ index: index(0n, 7n) }), { exit: 'fail' })
  assert.deepEqual(values((await model.infer({ index: index(1n) })).output), [2])
  assert.deepEqual(values((await model.infer({ index: index(0n, 1n) })).output), [1, 2])
  assert.deepEqual(values(model.inferSync({ index: index(1n, 1n, 0n) }).output), [2, 2, 1])
})

test('infer() of questions that wait goes on when the ones before fail', async () => {
  await using model = await openOrtC(modelFile(gather()))
  const asked = [index(7n), index(1n), index(0n, 1n), index(9n), index(0n)].map(at =>
    model.infer({ index: at }).then(
      ({ output }) => values(output),
      (error: { exit: string }) => error.exit,
    ),
  )
  assert.deepEqual(await Promise.all(asked), ['fail', [2], [1, 2], 'fail', [1]])
})

test('infer() fails, not as a bug, when the graph cannot be computed for these numbers', async () => {
  await using model = await openOrtC(modelFile(gather()))
  await assert.rejects(model.infer({ index: index(7n) }), {
    exit: 'fail',
    message: /Cannot infer with ".*": RunWithBinding\(\) answers INVALID_ARGUMENT: .*(out of|bounds)/i,
  })
})

test('infer() gives an output whose shape depends on the numbers', async () => {
  const graph = new GraphBuilder({ name: 'found' })
  graph.node('NonZero', [graph.input('input', 'float32', [3])], { output: 'output' })
  graph.output('output', 'int64', [1, 'found'])
  await using model = await openOrtC(modelFile(graph.build()))
  assert.deepEqual(values((await model.infer({ input: float32([3], [0, 1, 0]) })).output), [1n])
  assert.deepEqual(values((await model.infer({ input: float32([3], [1, 1, 1]) })).output), [0n, 1n, 2n])
  assert.deepEqual((await model.infer({ input: float32([3], [0, 0, 0]) })).output!.shape, [1, 0])
  assert.deepEqual(values((await model.infer({ input: float32([3], [0, 0, 1]) })).output), [2n])
})

test('inferSync() answers on this thread, with the same checks', async () => {
  await using model = await openOrtC(modelFile(halves(2)))
  assert.deepEqual(values(model.inferSync({ input: row([2, 4]) }).output), [1, 2, 1, 2])
  assert.throws(() => model.inferSync({ input: row([1, Number.NaN]) }), { exit: 'usage' })
  const aside = model.infer({ input: row([6, 8]) })
  assert.throws(
    () => model.inferSync({ input: row([2, 4]) }),
    (error: Error) => error.name === 'Error' && /is busy/.test(error.message),
  )
  assert.deepEqual(values((await aside).output), [3, 4, 3, 4])
  await using picker = await openOrtC(modelFile(gather()))
  assert.throws(() => picker.inferSync({ index: index(7n) }), { exit: 'fail' })
  assert.deepEqual(values(picker.inferSync({ index: index(0n, 1n) }).output), [1, 2])
})

test('openOrtC() is a usage error for a file that is cut short, empty, no ONNX, or holds strings', async () => {
  const cut = tinyModel()
  truncateSync(cut, readFileSync(cut).length - 500)
  const folder = scratch()
  writeFileSync(join(folder, 'text.onnx'), 'this is text, not a graph')
  writeFileSync(join(folder, 'empty.onnx'), '')
  for (const path of [cut, join(folder, 'text.onnx'), join(folder, 'empty.onnx')]) {
    await assert.rejects(openOrtC(path), {
      exit: 'usage',
      message: /Cannot open ".*": ONNX Runtime refuses it: .*CreateSession\(\) answers/,
      hint: /git lfs pull|cut short, or not be ONNX/,
    })
  }
  const { graph, ...rest } = single('Identity', { input: [2], output: [2] })
  const strings = (info: (typeof graph.input)[0]) => ({
    ...info,
    type: { tensorType: { ...info.type!.tensorType!, elemType: 8 } },
  })
  const path = modelFile({
    ...rest,
    graph: { ...graph, input: graph.input.map(strings), output: graph.output.map(strings) },
  })
  await assert.rejects(openOrtC(path), {
    exit: 'usage',
    message: /Cannot use "input" of ".*": it is a tensor of string/,
  })
})

test('openOrtC() is a usage error for slots or threads that are none', async () => {
  const path = modelFile(halves(2))
  for (const slots of [0, -1, 1.5, 65])
    await assert.rejects(openOrtC(path, { slots }), { exit: 'usage', message: /slots/ })
  await assert.rejects(openOrtC(path, { threads: -2 }), { exit: 'usage', message: /-2 threads/ })
})

test('openOrtC() is blocked without the file, and without the library, and names the other driver', async () => {
  await assert.rejects(openOrtC(join(scratch(), 'no.onnx')), { exit: 'blocked', message: /no\.onnx": ENOENT/ })
  const env = { ONNXRUNTIME_LIB: join(scratch(), 'libonnxruntime.so.1') }
  await assert.rejects(openOrtC(modelFile(halves(2)), { env }), {
    exit: 'blocked',
    message: /Cannot open ONNX Runtime named by ONNXRUNTIME_LIB/,
    hint: /^unset ONNXRUNTIME_LIB # .*export ONNXRUNTIME_LIB=.*--ort-driver node/,
  })
  await assert.rejects(openOrtC(modelFile(halves(2)), { env: { ONNXRUNTIME_LIB: process.execPath } }), {
    exit: 'blocked',
    hint: /--ort-driver node/,
  })
})

test('openOrtC() refuses to infer after it was closed, as a bug, and closes twice without harm', async () => {
  const model = await openOrtC(modelFile(halves(2)))
  const { output } = await model.infer({ input: row([2, 4]) })
  await model[Symbol.asyncDispose]()
  await model[Symbol.asyncDispose]()
  await assert.rejects(
    model.infer({ input: row([1, 2]) }),
    (error: Error) => error.name === 'Error' && /is closed/.test(error.message),
  )
  assert.throws(() => model.inferSync({ input: row([1, 2]) }), /is closed/)
  assert.deepEqual(values(output), [1, 2, 1, 2])
})

test('openOrtC() lets questions that are under way or waiting finish before it closes', async () => {
  const model = await openOrtC(tinyModel())
  const asked = [1, 2, 3].map(seed => model.infer({ input: float32([1, 1, 1, 400], voice(400, seed)) }))
  await Promise.all([model[Symbol.asyncDispose](), model[Symbol.asyncDispose]()])
  for (const { output } of await Promise.all(asked)) assert.equal(output!.data.length, sizeOf(output!.shape))
})

test('infer() leaves the event loop alone while a slow graph is computed', async () => {
  const width = 256
  const graph = new GraphBuilder({ name: 'slow' })
  let at = graph.input('input', 'float32', [width, width])
  const weight = graph.weight('w', float32([width, width], new Float32Array(width * width)))
  for (let i = 0; i < 100; i++) at = graph.node('MatMul', [at, weight])
  graph.output(at, 'float32', [width, width])
  await using model = await openOrtC(modelFile(graph.build()), { threads: 1 })
  const input = float32([width, width], new Float32Array(width * width))
  await model.infer({ input })
  const [aside, here] = [
    await turnsDuring(() => model.infer({ input })),
    await turnsDuring(() => model.inferSync({ input })),
  ]
  assert.ok(aside > 20 && here === 0, `${aside} turns aside, ${here} here`)
})

test('openOrtC() and openOrtNode() live in one process, open and close in any order', async () => {
  const path = modelFile(halves(2))
  for (const first of ['ours', 'node']) {
    const ours = await openOrtC(path)
    const node = await openOrtNode(path)
    await (first === 'ours' ? ours : node)[Symbol.asyncDispose]()
    const left = first === 'ours' ? node : ours
    assert.deepEqual(values((await left.infer({ input: row([2, 4]) })).output), [1, 2, 1, 2])
    await left[Symbol.asyncDispose]()
  }
  assert.ok(encodeModel(halves(2)).length > 0)
})
