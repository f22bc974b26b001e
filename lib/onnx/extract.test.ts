import assert from 'node:assert/strict'
import test from 'node:test'
import {
  decodeModel,
  dimsOf,
  dtypeOf,
  encodeModel,
  newGraph,
  newNode,
  newValueInfo,
  type ModelProto,
} from '../formats/onnx/index.ts'
import { float32, type Tensor } from '../formats/tensors/tensor.ts'
import { convTasNetGraph } from '../models/convtasnet/graph.ts'
import { convTasNetOptions } from '../models/convtasnet/options.ts'
import { RunbookError } from '../base/errors.ts'
import { GraphBuilder } from './builder.ts'
import { checkModel } from './check/check.ts'
import { cutPoints, prefixesOf, prefixModel, subgraphTo } from './extract.ts'
import { inferShapes } from './shapes/infer.ts'
import { onnxruntimeNode } from '../host/onnxruntime-node.ts'

const isUsage =
  (pattern: RegExp, hint = /./) =>
  (e: unknown): boolean =>
    e instanceof RunbookError && e.exit === 'usage' && pattern.test(e.message) && hint.test(e.hint)

/** x -> a -> {b, c} -> sum -> out, where c also reads a second input and a weight of its own. */
function diamond(): ModelProto {
  const graph = new GraphBuilder({ name: 'diamond', metadata: { about: 'the whole' } })
  const x = graph.input('x', 'float32', [1, 4])
  const y = graph.input('y', 'float32', [1, 4])
  const a = graph.node('Relu', [x], { name: 'first', output: 'a' })
  const b = graph.node('Mul', [a, graph.weight('two', float32([1], [2]))], { name: 'left', output: 'b' })
  const c = graph.node(
    'Add',
    [graph.node('Mul', [a, graph.weight('three', float32([1], [3]))], { name: 'right', output: 'r' }), y],
    { output: 'c' },
  )
  graph.output(graph.node('Add', [b, c], { name: 'sum', output: 'out' }), 'float32', [1, 4])
  return graph.build()
}
const names = (items: readonly { name: string }[]) => items.map(({ name }) => name)

/** What a model answers to feeds by name, all float32. */
async function answer(model: ModelProto, feeds: Readonly<Record<string, Tensor>>): Promise<number[][]> {
  const ort = await onnxruntimeNode()
  const session = await ort.InferenceSession.create(encodeModel(model))
  const wanted = session.inputNames.map(
    name => [name, new ort.Tensor('float32', feeds[name]!.data as Float32Array, [...feeds[name]!.shape])] as const,
  )
  const results = await session.run(Object.fromEntries(wanted))
  await session.release()
  return session.outputNames.map(name => [...(results[name]!.data as Float32Array)])
}

test('subgraphTo() keeps ancestors only, and drops the inputs and weights that they do not read', () => {
  const { graph } = subgraphTo(diamond(), 'b')
  assert.deepEqual(names(graph.node), ['first', 'left'])
  assert.deepEqual([names(graph.initializer), names(graph.input), names(graph.output)], [['two'], ['x'], ['b']])
  assert.deepEqual([dtypeOf(graph.output[0]!), dimsOf(graph.output[0]!)], ['float32', [1, 4]])
  assert.deepEqual(names(subgraphTo(diamond(), 'c').graph.input), ['x', 'y'])
})

test('subgraphTo() gives a sound model with the values of the whole, at every cut', async () => {
  const feeds = { x: float32([1, 4], [1, -2, 3, 4]), y: float32([1, 4], [10, 20, 30, 40]) }
  const want: Record<string, number[]> = {
    a: [1, 0, 3, 4],
    b: [2, 0, 6, 8],
    r: [3, 0, 9, 12],
    c: [13, 20, 39, 52],
    out: [15, 20, 45, 60],
  }
  assert.deepEqual(
    cutPoints(diamond()).map(({ value }) => value),
    Object.keys(want),
  )
  for (const [value, numbers] of Object.entries(want)) {
    const cut = decodeModel(encodeModel(subgraphTo(diamond(), value)))
    assert.deepEqual(checkModel(cut).problems, [])
    assert.deepEqual(await answer(cut, feeds), [numbers], value)
  }
})

test('subgraphTo() at the output is the whole graph, without its metadata, and leaves the model as it was', () => {
  const model = diamond()
  const before = encodeModel(model)
  const whole = subgraphTo(model, 'out')
  assert.deepEqual(whole.graph.node, model.graph.node)
  assert.deepEqual(whole.graph.initializer, model.graph.initializer)
  assert.deepEqual([whole.metadataProps, whole.opsetImport, whole.irVersion], [[], model.opsetImport, 7])
  subgraphTo(model, 'a')
  assert.deepEqual(encodeModel(model), before)
})

test('subgraphTo() refuses an unknown value, an input and a weight, and names values that resemble it', () => {
  assert.throws(
    () => subgraphTo(diamond(), 'nowhere'),
    isUsage(/"diamond" at "nowhere": there is no such value/, /a, b, r, c, out/),
  )
  assert.throws(() => subgraphTo(diamond(), 'nothing like it'), isUsage(/no such value/, /such as a, b/))
  assert.throws(() => subgraphTo(diamond(), 'outt'), isUsage(/no such value/, /such as out$/))
  assert.throws(() => subgraphTo(diamond(), 'x'), isUsage(/"x": no node makes it/))
  assert.throws(() => subgraphTo(diamond(), 'two'), isUsage(/"two": no node makes it/))
  assert.throws(() => subgraphTo(diamond(), ''), isUsage(/at "": there is no such value/))
})

test('subgraphTo() of a value of unknown type takes the declared one, and refuses when there is none', () => {
  const strange = diamond()
  strange.graph.node.push(
    newNode({ opType: 'Strange', domain: 'com.example', name: 's', input: ['out'], output: ['odd'] }),
  )
  assert.throws(() => subgraphTo(strange, 'odd'), isUsage(/nothing says which type/))
  assert.ok(!cutPoints(strange).some(({ value }) => value === 'odd'))
  strange.graph.valueInfo.push(newValueInfo('odd', 'float16', [1, 'n']))
  const { output, valueInfo } = subgraphTo(strange, 'odd').graph
  assert.deepEqual([dtypeOf(output[0]!), dimsOf(output[0]!), valueInfo], ['float16', [1, 'n'], []])
})

/** The body of a branch: it reads a value from around it. */
const body = (from: string) =>
  newGraph({
    name: `body_${from}`,
    node: [newNode({ opType: 'Neg', input: [from], output: [`${from}_neg`] })],
    output: [newValueInfo(`${from}_neg`, 'float32', [1, 4])],
  })

test('subgraphTo() keeps what the body of an If reads from around it', () => {
  const model = diamond()
  model.graph.input.push(newValueInfo('flag', 'bool', []))
  const branches = [
    { name: 'then_branch', g: body('b'), type: 5 },
    { name: 'else_branch', g: body('a'), type: 5 },
  ]
  model.graph.node.push(newNode({ opType: 'If', name: 'if', input: ['flag'], output: ['chosen'], attribute: branches }))
  model.graph.valueInfo.push(newValueInfo('chosen', 'float32', [1, 4]))
  const { graph } = subgraphTo(model, 'chosen')
  assert.deepEqual(names(graph.node), ['first', 'left', 'if'])
  assert.deepEqual([names(graph.input), names(graph.initializer)], [['x', 'flag'], ['two']])
})

test('subgraphTo() keeps an initializer that is also listed as an input, as old files do', () => {
  const model = diamond()
  model.graph.input.push(newValueInfo('two', 'float32', [1]), newValueInfo('three', 'float32', [1]))
  const { graph } = subgraphTo(model, 'b')
  assert.deepEqual([names(graph.input), names(graph.initializer)], [['x', 'two'], ['two']])
})

test('cutPoints() names node, operator and shape, every output of a node, and no constant', () => {
  const graph = new GraphBuilder({ name: 'split', opset: 12 })
  const x = graph.input('x', 'float32', ['n', 4])
  graph.node('Constant', [], { name: 'k', output: 'constant', attributes: { value: float32([4], [1, 2, 3, 4]) } })
  graph.node('Neg', ['constant'], { output: 'negative' })
  graph.node('Split', [x], { name: 'halves', outputs: ['left', 'right'], attributes: { axis: 1, split: [2, 2] } })
  graph.node('Relu', ['right'], { name: '_', output: 'out' })
  graph.output('out', 'float32', ['n', 2])
  const model = graph.build()
  model.graph.node[3]!.name = ''
  const half = { dtype: 'float32', shape: ['n', 2] }
  assert.deepEqual(cutPoints(model), [
    { value: 'left', node: 'halves', op: 'Split', ...half },
    { value: 'right', node: 'halves', op: 'Split', ...half },
    { value: 'out', node: 'out', op: 'Relu', ...half },
  ])
})

test('cutPoints() of a ConvTasNet go from the encoder to the output, and each gives a sound graph of one input', () => {
  const options = convTasNetOptions({
    nFilters: 16,
    bnChan: 4,
    hidChan: 8,
    skipChan: 4,
    nBlocks: 2,
    nRepeats: 2,
    inputLen: 160,
  })
  const model = convTasNetGraph(options)
  const points = cutPoints(model)
  assert.deepEqual([points[0]!.node, points.at(-1)!.value], ['encoder', 'output'])
  assert.equal(points.length, model.graph.node.length)
  const shapes = inferShapes(model)
  const sizes = points.map(({ value, op }) => {
    const cut = subgraphTo(model, value)
    assert.deepEqual(checkModel(cut).problems, [], value)
    assert.deepEqual([names(cut.graph.input), names(cut.graph.output)], [['input'], [value]])
    assert.deepEqual(dimsOf(cut.graph.output[0]!), shapes.get(value)!.shape)
    assert.equal(cut.graph.node.at(-1)!.opType, op)
    return cut.graph.node.length
  })
  assert.deepEqual([sizes[0], sizes.at(-1)], [1, model.graph.node.length])
})

/** x and y meet in a sum behind a branch each; a second output leaves early. */
function branched(): ModelProto {
  const graph = new GraphBuilder({ name: 'branched' })
  const [x, y] = [graph.input('x', 'float32', [1, 4]), graph.input('y', 'float32', [1, 4])]
  const left = graph.node('Relu', [x], { name: 'left', output: 'l' })
  graph.node('Neg', [left], { name: 'early', output: 'e' })
  const right = graph.node('Mul', [y, graph.weight('two', float32([1], [2]))], { name: 'right', output: 'r' })
  graph.node('Add', [left, right], { name: 'sum', output: 's' })
  graph.output('e', 'float32', [1, 4])
  graph.output('s', 'float32', [1, 4])
  return graph.build()
}

test('prefixesOf() gives each prefix the values that the rest reads, so that each holds the one before', () => {
  assert.deepEqual(
    prefixesOf(branched()).map(({ node, op, nodes, outputs }) => [node, op, nodes, outputs.join()]),
    [
      ['left', 'Relu', 1, 'l'],
      ['early', 'Neg', 2, 'l,e'],
      ['right', 'Mul', 3, 'l,e,r'],
      ['sum', 'Add', 4, 'e,s'],
    ],
  )
})

test('prefixModel() gives a sound model with the values of the whole, behind every node', async () => {
  const model = branched()
  const feeds = { x: float32([1, 4], [-1, 2, 3, 4]), y: float32([1, 4], [1, 1, 2, 2]) }
  const wanted: Record<string, number[]> = {
    l: [0, 2, 3, 4],
    e: [0, -2, -3, -4],
    r: [2, 2, 4, 4],
    s: [2, 4, 7, 8],
  }
  for (const prefix of prefixesOf(model)) {
    const cut = prefixModel(model, prefix)
    assert.deepEqual(checkModel(cut).problems, [])
    const results = await answer(cut, feeds)
    for (const [i, name] of prefix.outputs.entries())
      assert.deepEqual(
        results[i]!.map(value => value + 0),
        wanted[name],
      )
  }
  assert.deepEqual(
    prefixModel(model, prefixesOf(model)[0]!).graph.input.map(({ name }) => name),
    ['x'],
  )
})

test('prefixesOf() leaves out nodes that no input reaches, and ends where a type is unknown', () => {
  const graph = new GraphBuilder({ name: 'constant' })
  const weight = graph.node('Neg', [graph.weight('w', float32([1], [1]))], { name: 'folded', output: 'n' })
  graph.node('Add', [graph.input('x', 'float32', [1]), weight], { name: 'add', output: 'y' })
  graph.output('y', 'float32', [1])
  assert.deepEqual(
    prefixesOf(graph.build()).map(({ node, nodes }) => [node, nodes]),
    [['add', 2]],
  )
})
