import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { dataTypes, dtypeOf, readModel, writeModel } from '../../formats/onnx/index.ts'
import { float32 } from '../../formats/tensors/tensor.ts'
import { openBackend } from '../../infer/open.ts'
import { compare } from '../../parity/compare.ts'
import { GraphBuilder } from '../builder.ts'
import { convertFileToHalf, convertToHalf } from './convert.ts'

const folderOf = (t: TestContext) => {
  const folder = mkdtempSync(join(tmpdir(), 'rungbook-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
const table = (count: number, scale = 0.1) =>
  Float32Array.from({ length: count }, (_, i) => scale * Math.sin(i * 1.7 + 0.3))

/** A product with weights, softmax, a product of two activations, a table, and a weight that is too large. */
function graphOf(large: number) {
  const graph = new GraphBuilder({ name: 'mixed', opset: 17, irVersion: 8 })
  const x = graph.input('x', 'float32', [4, 64])
  const ids = graph.input('ids', 'int64', [4])
  const wide = graph.node('MatMul', [x, graph.weight('w', float32([64, 64], table(4096)))])
  const soft = graph.node('Softmax', [graph.node('MatMul', [wide, graph.node('Transpose', [wide])])], {
    attributes: { axis: -1 },
  })
  const rows = graph.node('Gather', [graph.weight('rows', float32([8, 64], table(512, 1))), ids], {
    attributes: { axis: 0 },
  })
  const sum = graph.node('Add', [graph.node('MatMul', [soft, rows]), wide])
  const last = graph.node('MatMul', [sum, graph.weight('big', float32([64, 2], table(128, large)))])
  graph.node('Identity', [last], { output: 'y' })
  graph.output('y', 'float32', [4, 2])
  return graph.build()
}

test('convertToHalf() converts products with weights and tables, and leaves islands of float32', () => {
  const { model, converted, islands } = convertToHalf(graphOf(1e6))
  assert.deepEqual([converted, islands], [2, 1])
  const types = new Map(model.graph.initializer.map(({ name, dataType }) => [name, dataType]))
  const { float16, float32: single } = dataTypes
  assert.deepEqual(
    [...types],
    [
      ['big', single],
      ['w.float16', float16],
      ['rows.float16', float16],
    ],
  )
  assert.deepEqual(model.graph.output.map(dtypeOf), ['float32'])
  assert.equal(convertToHalf(graphOf(1)).converted, 3)
  const spared = convertToHalf(graphOf(1), { keep: ({ input }) => input.includes('w') })
  assert.deepEqual([spared.converted, spared.islands], [2, 1])
})

test('convertFileToHalf() gives nearly the numbers of the original, weights inside and beside the graph', async t => {
  const folder = folderOf(t)
  const [from, to] = [join(folder, 'from.onnx'), join(folder, 'to.onnx')]
  writeModel(from, graphOf(1))
  convertFileToHalf(from, to)
  assert.ok(statSync(to).size < 0.75 * statSync(from).size)
  const feeds = {
    x: float32([4, 64], table(256, 1)),
    ids: { dtype: 'int64', shape: [4], data: BigInt64Array.of(7n, 0n, 3n, 3n) },
  } as const
  const answer = async (path: string) => {
    await using model = await openBackend(path)
    return Float32Array.from((await model.infer(feeds)).y!.data as Float32Array)
  }
  const [want, got] = [await answer(from), await answer(to)]
  const found = compare(got, want, { atol: 5e-3, rtol: 5e-3 })
  assert.ok(found.isClose && found.maxAbs > 0, String(found.maxAbs))
})

test('convertToHalf() leaves weights that are no numbers, and graphs of other types, as they are', () => {
  const broken = graphOf(1)
  const weight = broken.graph.initializer.find(({ name }) => name === 'w')!
  weight.rawData = new Uint8Array(Float32Array.from({ length: 4096 }, () => NaN).buffer)
  assert.deepEqual([convertToHalf(broken).converted, convertToHalf(broken).islands], [2, 1])
  const doubles = new GraphBuilder({ name: 'doubles' })
  const x = doubles.input('x', 'float64', [1, 2])
  const w = doubles.weight('w', { dtype: 'float64', shape: [2, 2], data: Float64Array.of(1, 2, 3, 4) })
  doubles.node('MatMul', [x, w], { output: 'y' })
  doubles.output('y', 'float64', [1, 2])
  assert.equal(convertToHalf(doubles.build()).converted, 0)
})

test('convertToHalf() hands large weights to a sink, and keeps small ones in the graph', t => {
  const folder = folderOf(t)
  const path = join(folder, 'half.onnx')
  writeModel(path, convertToHalf(graphOf(1), { folder, sink: sinkOf([]) }).model)
  const external = readModel(path).graph.initializer.filter(({ dataLocation }) => dataLocation === 1)
  assert.deepEqual(
    external.map(({ name }) => name),
    ['w.float16'],
  )
})

const sinkOf = (bytes: number[]) => ({
  location: 'half.onnx.data',
  append(more: Uint8Array) {
    const offset = bytes.length
    bytes.push(...more)
    return { offset, length: more.length }
  },
})
