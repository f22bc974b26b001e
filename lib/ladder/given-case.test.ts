import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { decodeModel, encodeModel } from '../formats/onnx/index.ts'
import { GraphBuilder } from '../onnx/builder.ts'
import { subgraphTo } from '../onnx/extract.ts'
import { givenCase, tagOf } from './given-case.ts'
import { openSampleSource } from './sample-source.ts'

const folder = mkdtempSync(join(tmpdir(), 'given-'))
after(() => rmSync(folder, { recursive: true, force: true }))

test('givenCase() prepares a model with open dimensions, its samples and its facts', async () => {
  const graph = new GraphBuilder({ name: 'two' })
  const [a, b] = [graph.input('a', 'float32', ['N', 3]), graph.input('b', 'float32', ['N', 3])]
  const relu = graph.node('Relu', [a], { name: 'relu' })
  graph.node('Add', [relu, b], { name: 'add', output: 'y' })
  graph.output('y', 'float32', ['N', 3])
  const path = join(folder, 'my model.onnx')
  writeFileSync(path, encodeModel(graph.build()))
  const source = await openSampleSource('random', { sampleRate: 16_000 })
  const setting = { shapes: new Map(), source, count: 4 }
  const whole = givenCase(path, setting)
  assert.equal(whole.tag, 'my_model')
  const prepared = await whole.prepare()
  assert.deepEqual(
    prepared.inputs.map(({ name, shape }) => [name, shape]),
    [
      ['a', [1, 3]],
      ['b', [1, 3]],
    ],
  )
  assert.deepEqual([prepared.outputs, prepared.facts!.parameters], [['y'], 0])
  assert.deepEqual(Object.keys(prepared.samples()[0]!), ['a', 'b'])
  const part = await givenCase(path, setting, { cut: model => subgraphTo(model, relu) }).prepare()
  assert.deepEqual(Object.keys(part.samples()[0]!), ['a'], 'a part takes only the inputs that it has')
  assert.deepEqual(
    decodeModel(part.onnx as Uint8Array).graph.output.map(({ name }) => name),
    [relu],
  )
})

test('tagOf() names folders and files', () => {
  assert.deepEqual(['a/b c.onnx', 'x.ONNX', '...onnx'].map(tagOf), ['b_c', 'x', '_'])
})
