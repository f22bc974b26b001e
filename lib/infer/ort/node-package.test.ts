import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'node:test'
import { buildStandin } from '../../../ffi/testing/build.ts'
import { float32, type Tensor } from '../../formats/tensors/tensor.ts'
import { GraphBuilder } from '../../onnx/builder.ts'
import { needsTool } from '../../testing/needs.ts'
import { forked, halves, modelFile, scratch, single, tinyModel, voice } from '../../testing/infer/fixtures.ts'
import { openOrtNode } from './node-package.ts'

const row = (values: readonly number[]) => float32([1, 1, 1, values.length], values)

test('openOrtNode() runs a graph and gives every output by its name, with shape and type', async () => {
  await using model = await openOrtNode(modelFile(forked(3)))
  const results = await model.infer({ sound: row([2, 4, 6]), bias: row([1, 1, 1]) })
  assert.deepEqual(results, {
    quiet: float32([1, 2, 1, 3], [1, 2, 3, 1, 2, 3]),
    loud: float32([1, 2, 1, 3], [3, 5, 7, 0, 0, 0]),
  })
})

test('openOrtNode() reads a feed that is a part of a larger array', async () => {
  await using model = await openOrtNode(modelFile(halves(4)))
  const all = Float32Array.from({ length: 10 }, (_, i) => i)
  const { output } = await model.infer({ input: float32([1, 1, 1, 4], all.subarray(3, 7)) })
  assert.deepEqual([...output!.data], [1.5, 2, 2.5, 3, 1.5, 2, 2.5, 3])
})

test('openOrtNode() carries every numeric type both ways', async () => {
  const tensors: Tensor[] = [
    { dtype: 'float32', shape: [2], data: Float32Array.of(1, 2) },
    { dtype: 'float64', shape: [2], data: Float64Array.of(1, 2) },
    { dtype: 'float16', shape: [2], data: Uint16Array.of(0x3c00, 0xc000) },
    { dtype: 'int8', shape: [2], data: Int8Array.of(-1, 2) },
    { dtype: 'uint8', shape: [2], data: Uint8Array.of(255, 2) },
    { dtype: 'int32', shape: [2], data: Int32Array.of(-1, 2) },
    { dtype: 'int64', shape: [2], data: BigInt64Array.of(-1n, 2n) },
    { dtype: 'bool', shape: [2], data: Uint8Array.of(1, 0) },
  ]
  for (const tensor of tensors) {
    await using model = await openOrtNode(
      modelFile(single('Identity', { dtype: tensor.dtype, input: [2], output: [2] })),
    )
    const { output } = await model.infer({ input: tensor })
    assert.equal(output!.dtype, tensor.dtype)
    assert.equal(String(output!.data), String(tensor.data))
  }
})

test('openOrtNode() keeps the answer of one question when the next is asked', async () => {
  await using model = await openOrtNode(modelFile(halves(2)))
  const first = await model.infer({ input: row([2, 4]) })
  await model.infer({ input: row([0, 0]) })
  assert.deepEqual([...first.output!.data], [1, 2, 1, 2])
})

test('openOrtNode() refuses a feed of another shape, type or name, and one with NaN, and goes on', async () => {
  await using model = await openOrtNode(modelFile(halves(2)))
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
  assert.equal((await model.infer({ input: row([2, 4]) })).output!.data[1], 2)
})

test('openOrtNode() names open dimensions, with "?" for one without a name, and takes any size there', async () => {
  await using model = await openOrtNode(modelFile(single('Neg', { input: [1, 'frames'], output: [1, 'frames'] })))
  assert.deepEqual(model.inputs[0]!.shape, [1, 'frames'])
  const { output } = await model.infer({ input: float32([1, 3], [1, 2, 3]) })
  assert.deepEqual(output, float32([1, 3], [-1, -2, -3]))
  await using nameless = await openOrtNode(modelFile(single('Neg', { input: [1, ''], output: [1, ''] })))
  assert.deepEqual(nameless.inputs[0]!.shape, [1, '?'])
})

test('openOrtNode() is a usage error for a file that is cut short, empty, or no ONNX at all', async () => {
  const cut = tinyModel()
  truncateSync(cut, readFileSync(cut).length - 500)
  const text = join(scratch(), 'text.onnx')
  writeFileSync(text, 'this is text, not a graph')
  const empty = join(scratch(), 'empty.onnx')
  writeFileSync(empty, '')
  for (const path of [cut, text, empty]) {
    await assert.rejects(openOrtNode(path), {
      exit: 'usage',
      message: /ONNX Runtime refuses it/,
      hint: /git lfs pull|cut short, or not be ONNX/,
    })
  }
})

test('openOrtNode() is blocked when there is no such file', async () => {
  await assert.rejects(openOrtNode(join(scratch(), 'no.onnx')), { exit: 'blocked', message: /no\.onnx": ENOENT/ })
})

test('openOrtNode() finds weights in a file beside the model, and refuses the model without', async () => {
  const model = single('Neg', { input: [2], output: [2] })
  const dims = [2n]
  const data = [{ key: 'location', value: 'weights.bin' }]
  const graph = {
    ...model.graph,
    initializer: [
      { name: 'w', dataType: 1, dims, dataLocation: 1, externalData: data } as (typeof model.graph.initializer)[0],
    ],
  }
  const node = [{ ...graph.node[0]!, opType: 'Add', input: ['input', 'w'] }]
  const path = modelFile({ ...model, graph: { ...graph, node } })
  await assert.rejects(openOrtNode(path), { exit: 'blocked', message: /refuses it/, hint: /put weights\.bin beside/ })
  writeFileSync(join(dirname(path), 'weights.bin'), new Uint8Array(Float32Array.of(10, 20).buffer))
  await using backend = await openOrtNode(path)
  assert.deepEqual([...(await backend.infer({ input: float32([2], [1, 2]) })).output!.data], [11, 22])
})

test('openOrtNode() fails, not as a bug, when the graph cannot be computed for these numbers', async () => {
  const graph = new GraphBuilder({ name: 'pick' })
  const index = graph.input('index', 'int64', [1])
  graph.node('Gather', [graph.weight('table', float32([2], [1, 2])), index], { output: 'output' })
  graph.output('output', 'float32', [1])
  await using model = await openOrtNode(modelFile(graph.build()))
  const at = (n: bigint) => model.infer({ index: { dtype: 'int64', shape: [1], data: BigInt64Array.of(n) } })
  assert.equal((await at(1n)).output!.data[0], 2)
  await assert.rejects(at(7n), { exit: 'fail', message: /Cannot infer with ".*": .*(out of|bounds)/i })
})

test('openOrtNode() refuses to infer after it was closed, as a bug, and closes twice without harm', async () => {
  const model = await openOrtNode(modelFile(halves(2)))
  await model[Symbol.asyncDispose]()
  await model[Symbol.asyncDispose]()
  await assert.rejects(
    model.infer({ input: row([1, 2]) }),
    (error: Error) => error.name === 'Error' && /is closed/.test(error.message),
  )
})

test('openOrtNode() lets a question that is under way finish before it closes', async () => {
  const model = await openOrtNode(tinyModel())
  const answer = model.infer({ input: float32([1, 1, 1, 400], voice(400)) })
  await Promise.all([model[Symbol.asyncDispose](), model[Symbol.asyncDispose]()])
  assert.equal((await answer).output!.data.length, 32 * 51)
})

test('openOrtNode() leaves the event loop a turn for each question', async () => {
  await using model = await openOrtNode(modelFile(halves(2)))
  let turns = 0
  const timer = setInterval(() => void turns++, 0)
  for (let i = 0; i < 200; i++) await model.infer({ input: row([i, i]) })
  clearInterval(timer)
  assert.ok(turns > 0)
})

test(
  'openOrtNode() is blocked, and names ONNXRUNTIME_LIB, when another version of the library is open in the process',
  { skip: needsTool('gcc') },
  () => {
    const folder = scratch()
    writeFileSync(join(folder, 'other.c'), 'int other;\n')
    writeFileSync(join(folder, 'versions'), 'VERS_1.26.0 { global: other; local: *; };\n')
    const flags = ['-Wl,-soname,libonnxruntime.so.1', `-Wl,--version-script=${join(folder, 'versions')}`]
    const other = buildStandin([join(folder, 'other.c')], { out: 'libonnxruntime.so.1', flags })
    const script = `
    const { koffi } = await import(${JSON.stringify(join(import.meta.dirname, '../../../ffi/load.ts'))})
    const { openOrtNode } = await import(${JSON.stringify(join(import.meta.dirname, 'node-package.ts'))})
    koffi().load(${JSON.stringify(other)})
    await openOrtNode(process.argv[1]).catch(
      ({ exit, message, hint }) => console.log(JSON.stringify({ exit, message, hint })))`
    const stdout = execFileSync(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', script, modelFile(halves(2))],
      { encoding: 'utf8' },
    )
    const told = JSON.parse(stdout) as { exit: string; message: string; hint: string }
    assert.equal(told.exit, 'blocked')
    assert.match(told.message, /^Cannot load onnxruntime-node: .*libonnxruntime\.so\.1/)
    assert.match(told.hint, /^unset ONNXRUNTIME_LIB/)
  },
)
