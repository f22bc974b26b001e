import assert from 'node:assert/strict'
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { encodeModel, newValueInfo, type ModelProto } from '../../../formats/onnx/index.ts'
import { writeNpz } from '../../../formats/tensors/npz.ts'
import { float32 } from '../../../formats/tensors/tensor.ts'
import { openSampleSource } from '../../../ladder/sample-source.ts'
import { GraphBuilder } from '../../../onnx/builder.ts'
import { readModels } from './read-models.ts'

const root = mkdtempSync(join(tmpdir(), 'read-'))
after(() => rmSync(root, { recursive: true, force: true }))

/** y = conv(x), [1, 4, L] to [1, 8, L]. */
function convModel(length: number | string = 32): ModelProto {
  const graph = new GraphBuilder({ name: 'conv' })
  const x = graph.input('x', 'float32', [1, 4, length])
  const weights = Float32Array.from({ length: 96 }, (_, i) => Math.sin(i))
  const attributes = { kernel_shape: [3], pads: [1, 1], strides: [1], dilations: [1], group: 1 }
  graph.node('Conv', [x, graph.weight('w', float32([8, 4, 3], weights))], { name: 'conv', output: 'y', attributes })
  graph.output('y', 'float32', [1, 8, length])
  return graph.build()
}

let count = 0
function file(model: ModelProto): string {
  const path = join(root, `m${count++}.onnx`)
  writeFileSync(path, encodeModel(model))
  return path
}

/** The model with its weight in a file beside it. */
function outside(location: string, change: { dims?: bigint[]; length?: number } = {}): ModelProto {
  const model = convModel()
  const { dims = [8n, 4n, 3n], length } = change
  const initializer = model.graph.initializer.map(tensor => ({
    ...tensor,
    dims,
    rawData: new Uint8Array(0),
    dataLocation: 1,
    externalData: [
      { key: 'location', value: location },
      ...(length === undefined ? [] : [{ key: 'length', value: String(length) }]),
    ],
  }))
  return { ...model, graph: { ...model.graph, initializer } }
}

const shapes = (entries: Record<string, number[]> = {}) => new Map(Object.entries(entries))
const random = await openSampleSource('random', { sampleRate: 16_000 })
const read = (paths: readonly string[], o: { shapes?: Map<string, number[]>; source?: typeof random } = {}) =>
  readModels(paths, { shapes: o.shapes ?? shapes(), source: o.source ?? random, count: 16 })

test('readModels() keeps the good models when another lacks its weights or is no tensor network', () => {
  const good = file(convModel())
  const missing = file(outside('gone.data'))
  const strings: ModelProto = convModel()
  const odd = file({
    ...strings,
    graph: { ...strings.graph, output: [{ ...newValueInfo('y', 'float32', [1]), type: { sequenceType: {} } }] },
  })
  const found = read([missing, good, odd])
  assert.deepEqual(
    found.map(({ refusal }) => refusal?.exit ?? null),
    ['blocked', null, 'usage'],
  )
  assert.match(found[0]!.refusal!.message, /gone\.data" is absent/)
  assert.match(found[2]!.refusal!.message, /"y": it is no tensor of numbers/)
})

test('readModels() throws what is wrong when no model can be used', () => {
  const none = { ...convModel(), graph: { ...convModel().graph, output: [] } }
  assert.throws(() => read([file(none)]), { exit: 'usage', message: /it has no output/ })
  assert.throws(() => read([file(convModel('L'))]), { exit: 'usage', hint: 'give --shape x=1x4x16000' })
  assert.throws(() => read([file(convModel())], { shapes: shapes({ x: [1, 5, 32] }) }), { exit: 'usage' })
  assert.throws(() => read([file(outside('../up.data'))]), { exit: 'usage', message: /outside the model's folder/ })
  assert.throws(() => read([join(root, 'absent.onnx')]), { exit: 'blocked' })
})

test('readModels() is blocked by weights of 2 GiB before it reads them', () => {
  const bytes = 2 ** 31
  const fd = openSync(join(root, 'big.data'), 'w')
  ftruncateSync(fd, bytes)
  closeSync(fd)
  const path = file(outside('big.data', { dims: [BigInt(bytes / 4)], length: bytes }))
  assert.throws(() => read([path]), { exit: 'blocked', message: /2147483648 bytes, and one ONNX file ends at 2 GiB/ })
})

test('readModels() gives each model the shapes of its own inputs, and refuses a shape of nobody', () => {
  const [open, fixed] = [file(convModel('L')), file(convModel())]
  const found = read([open, fixed], { shapes: shapes({ x: [1, 4, 32] }) })
  assert.ok(found.every(({ refusal }) => refusal === null))
  assert.throws(() => read([open, fixed], { shapes: shapes({ x: [1, 4, 32], z: [1] }) }), {
    exit: 'usage',
    message: /Cannot shape "z": none of the models/,
  })
})

test('readModels() refuses calibration of another name or shape, silent, or with NaN', async () => {
  const model = file(convModel())
  const refused = async (name: string, shape: number[], value: (i: number) => number, message: RegExp) => {
    const path = join(root, `calib${count++}.npz`)
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => value(i))
    await writeNpz(path, { [name]: float32(shape, data), other: float32([1], [0]) })
    const source = await openSampleSource(path, { sampleRate: 16_000 })
    assert.throws(() => read([model], { source }), { exit: 'usage', message })
  }
  await refused('foo', [4, 4, 32], Math.sin, /it has no "x", but foo, other/)
  await refused('x', [4, 4, 31], Math.sin, /expected \(N, 4, 32\), got \(4, 4, 31\)/)
  await refused('x', [4, 4, 32], () => 0, /every value is 0/)
  await refused('x', [4, 4, 32], i => (i === 7 ? Number.NaN : 1), /element 7 is NaN/)
})

test('readModels() says which range calibration has, and that one sample judges itself', async () => {
  const path = join(root, 'one.npz')
  await writeNpz(path, {
    x: float32(
      [1, 4, 32],
      Float32Array.from({ length: 128 }, (_, i) => 30_000 * Math.sin(i)),
    ),
  })
  const [model] = read([file(convModel())], { source: await openSampleSource(path, { sampleRate: 16_000 }) })
  assert.equal(model!.notes.length, 2)
  assert.match(model!.notes[0]!, /^calibration of "x": 1 samples from -30000 to 30000$/)
  assert.match(model!.notes[1]!, /measured with the very sample/)
})
