import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import {
  decodeModel,
  encodeModel,
  newGraph,
  newNode,
  newValueInfo,
  readModel,
  type ModelProto,
} from '../../formats/onnx/index.ts'
import { float32, sizeOf } from '../../formats/tensors/tensor.ts'
import { RunbookError } from '../../base/errors.ts'
import { dataPath, needsData } from '../../testing/needs.ts'
import { GraphBuilder } from '../builder.ts'
import { checkModel, type CheckOptions } from './check.ts'
import { onnxruntimeNode } from '../../host/onnxruntime-node.ts'

const zeros = (...shape: number[]) => float32(shape, new Float32Array(sizeOf(shape)))

/** conv [1, 8, 1, 16] -> [1, 4, 1, 14], then Relu; made by hand where a test wants what the builder refuses. */
function model(change: { opset?: number; weight?: number[]; kernel?: number[]; output?: number[] } = {}): ModelProto {
  const { opset = 12, weight = [4, 8, 1, 3], kernel = [1, 3], output = [1, 4, 1, 14] } = change
  const graph = new GraphBuilder({ name: 'g', opset })
  const x = graph.input('x', 'float32', [1, 8, 1, 16])
  const w = graph.weight('w', zeros(...weight))
  const attributes = kernel.length === 0 ? undefined : { kernel_shape: kernel }
  const conv = graph.node('Conv', [x, w], { name: 'conv', output: 'c', attributes })
  graph.output(graph.node('Relu', [conv], { name: 'relu', output: 'y' }), 'float32', output)
  return graph.build()
}

/** The only problem of a model. */
function problemOf(checked: ModelProto, options?: CheckOptions): string {
  const { problems } = checkModel(checked, options)
  assert.equal(problems.length, 1, problems.join('\n'))
  return problems[0]!
}

test('checkModel() finds nothing in a sound model, also after a round trip', () => {
  assert.deepEqual(checkModel(model()), { problems: [] })
  assert.deepEqual(checkModel(decodeModel(encodeModel(model())), { allowedOps: ['Conv', 'Relu'], singleInput: true }), {
    problems: [],
  })
})

test(
  'checkModel() finds nothing in real exported models',
  { skip: needsData('encoder/tcn_encoder_for_edgeinfer.onnx') },
  () => {
    const names = [
      'encoder/tcn_encoder_for_edgeinfer.onnx',
      'keyword/spelling_cnn_mel.onnx',
      'vad/silero_vad_16k_op15.onnx',
    ]
    for (const name of names) {
      assert.deepEqual(checkModel(readModel(dataPath(name))).problems, [], name)
    }
  },
)

test('checkModel() finds a Conv whose weight contradicts its input, which ONNX Runtime accepts', async () => {
  const wrong = model({ weight: [4, 5, 1, 3] })
  const { InferenceSession } = await onnxruntimeNode()
  const session = await InferenceSession.create(encodeModel(wrong), { logSeverityLevel: 4 })
  await session.release()
  const problem = problemOf(wrong)
  for (const part of ['"conv"', '[1, 8, 1, 16]', '[4, 5, 1, 3]'])
    assert.ok(problem.includes(part), `${part} is not in: ${problem}`)
})

test('checkModel() finds a declared output shape or type that contradicts the graph', () => {
  assert.equal(
    problemOf(model({ output: [1, 4, 1, 16] })),
    'The value "y" is declared as float32[1, 4, 1, 16], but the Relu node "relu" makes float32[1, 4, 1, 14]',
  )
  const typed = model()
  typed.graph.output[0] = newValueInfo('y', 'int8', [1, 4, 1, 14])
  assert.match(
    problemOf(typed),
    /declared as int8\[1, 4, 1, 14\], but the Relu node "relu" makes float32\[1, 4, 1, 14\]/,
  )
  const inside = model()
  inside.graph.valueInfo.push(newValueInfo('c', 'float32', [1, 4, 14]))
  assert.match(problemOf(inside), /"c" is declared as float32\[1, 4, 14\], but the Conv node "conv" makes/)
  inside.graph.output[0] = newValueInfo('y', 'float32', [2, 4, 1, 14])
  assert.equal(checkModel(inside).problems.length, 2)
})

test('checkModel() lets names of dimensions and undeclared shapes fit anything', () => {
  const open = model()
  open.graph.output[0] = newValueInfo('y', 'float32', ['batch', 4, '', 'time'])
  assert.deepEqual(checkModel(open).problems, [])
  open.graph.output[0] = newValueInfo('y', 'float32')
  assert.deepEqual(checkModel(open).problems, [])
})

test('checkModel() finds a missing kernel_shape, and one that contradicts the weight', () => {
  assert.equal(
    problemOf(model({ kernel: [] })),
    'The Conv node "conv" has no kernel_shape, which device compilers want',
  )
  const { problems } = checkModel(model({ kernel: [1, 5] }))
  assert.ok(
    problems.includes('The Conv node "conv" has kernel_shape [1, 5], but its weight "w" has the shape [4, 8, 1, 3]'),
    problems.join('\n'),
  )
})

test('checkModel() finds a name that nothing makes', () => {
  const dangling = model()
  dangling.graph.node[0]!.input.push('bias')
  assert.equal(problemOf(dangling), 'The Conv node "conv" reads "bias", which nothing makes')
  const noOutput = model()
  noOutput.graph.output.push(newValueInfo('z', 'float32', [1]))
  assert.equal(problemOf(noOutput), 'The output "z" is made by no node')
  noOutput.graph.output = []
  assert.equal(problemOf(noOutput), 'The graph has no output')
})

test('checkModel() finds nodes, initializers and inputs that serve nothing', () => {
  const idle = model()
  idle.graph.node.push(newNode({ opType: 'Abs', input: ['c'], output: ['unseen'] }))
  assert.equal(problemOf(idle), 'The Abs node that makes "unseen" leads to no output')
  const unused = model()
  unused.graph.initializer.push({ ...unused.graph.initializer[0]!, name: 'spare' })
  assert.equal(problemOf(unused), 'The initializer "spare" is read by no node')
  const input = model()
  input.graph.input.push(newValueInfo('extra', 'float32', [1]))
  assert.equal(problemOf(input), 'The input "extra" is read by no node')
})

test('checkModel() finds names used twice', () => {
  const twice = model()
  twice.graph.node[1]!.name = 'conv'
  assert.equal(problemOf(twice), 'The node name "conv" is used more than once')
  const value = model()
  value.graph.node.push(newNode({ opType: 'Abs', name: 'abs', input: ['x'], output: ['c'] }))
  assert.match(checkModel(value).problems.join('\n'), /The value "c" is made more than once/)
  const weight = model()
  weight.graph.initializer.push(weight.graph.initializer[0]!)
  assert.match(checkModel(weight).problems.join('\n'), /The initializer "w" is given more than once/)
})

test('checkModel() lets an initializer be the default of an input', () => {
  const older = model()
  older.graph.input.push(newValueInfo('w', 'float32', [4, 8, 1, 3]))
  assert.deepEqual(checkModel(older, { singleInput: true }).problems, [])
})

test('checkModel() finds nodes out of order, and a circle', () => {
  const swapped = model()
  swapped.graph.node.reverse()
  assert.equal(problemOf(swapped), 'The Relu node "relu" reads "c" before the Conv node "conv" makes it')
  const circle = model()
  circle.graph.node[0]!.input[0] = 'y'
  circle.graph.input = []
  assert.match(problemOf(circle), /^The nodes "(conv" -> "relu|relu" -> "conv)" form a circle$/)
})

/** output = abs(input), as the branch of an If. */
function branch(input: string, output: string) {
  const node = newNode({ opType: 'Abs', name: output, input: [input], output: [output] })
  return newGraph({ name: output, node: [node], output: [newValueInfo(output, 'float32')] })
}

test('checkModel() looks into subgraphs, which see the names around them', () => {
  const graph = new GraphBuilder({ name: 'g' })
  graph.input('x', 'float32', [2])
  graph.node('If', [graph.input('yes', 'bool', [])], { name: 'if', output: 'y' })
  graph.output('y', 'float32', [2])
  const built = graph.build()
  const choose = built.graph.node[0]!
  choose.attribute.push({ name: 'then_branch', g: branch('x', 'a'), type: 5 })
  choose.attribute.push({ name: 'else_branch', g: branch('x', 'b'), type: 5 })
  assert.deepEqual(checkModel(built).problems, [])
  choose.attribute[1]!.g = branch('lost', 'b')
  const { problems } = checkModel(built)
  assert.ok(problems.includes('The Abs node "b" reads "lost", which nothing makes'), problems.join('\n'))
})

test('checkModel() finds weights that are not finite, and says where', () => {
  const bad = model()
  const data = new Float32Array(96)
  data[50] = Number.NaN
  data[60] = Infinity
  bad.graph.initializer[0]!.rawData = new Uint8Array(data.buffer)
  assert.equal(problemOf(bad), 'The tensor "w" [4, 8, 1, 3] holds NaN at [2, 0, 0, 2], the first of 2')
  data[50] = 0
  assert.equal(problemOf(bad), 'The tensor "w" [4, 8, 1, 3] holds infinity at [2, 4, 0, 0]')
})

test('checkModel() finds weights that cannot be read, or lie in another file', () => {
  const short = model()
  short.graph.initializer[0]!.rawData = new Uint8Array(8)
  assert.match(checkModel(short).problems[0]!, /"w": it holds 2 values, its shape float32\[4, 8, 1, 3\] takes 96/)
  const external = model()
  const elsewhere = { rawData: undefined, dataLocation: 1, externalData: [{ key: 'location', value: 'w.bin' }] }
  Object.assign(external.graph.initializer[0]!, elsewhere)
  assert.equal(checkModel(external).problems[0], 'The tensor "w" keeps its values in another file, "w.bin"')
})

test('checkModel() finds missing, doubled and unsupported operator sets', () => {
  const none = model()
  none.opsetImport = []
  assert.ok(
    checkModel(none).problems.includes('The model imports no operator set "ai.onnx", which the Conv node "conv" needs'),
  )
  const doubled = model()
  doubled.opsetImport.push({ domain: 'ai.onnx', version: 13 })
  assert.match(checkModel(doubled).problems.join('\n'), /imports the operator set "ai\.onnx" more than once/)
  const other = model()
  other.graph.node[1]!.domain = 'com.example'
  assert.match(
    checkModel(other).problems.join('\n'),
    /no operator set "com\.example", which the Relu node "relu" needs/,
  )
  const old = model()
  old.irVersion = undefined
  assert.match(problemOf(old), /has no IR version/)
})

test('checkModel() draws the limits of operator sets and IR versions where ONNX Runtime does', async () => {
  const { InferenceSession } = await onnxruntimeNode()
  for (const [opset, irVersion] of [
    [6, 7],
    [7, 7],
    [26, 13],
    [27, 13],
    [12, 14],
    [12, 1],
  ] as const) {
    const graph = new GraphBuilder({ name: 'g', opset, irVersion })
    const inputs = [graph.input('x', 'float32', [1]), graph.weight('w', zeros(1))]
    graph.output(graph.node('Add', inputs, { output: 'y' }), 'float32', [1])
    const built = graph.build()
    const session = await InferenceSession.create(encodeModel(built), { logSeverityLevel: 4 }).catch(() => undefined)
    const loads = session !== undefined
    await session?.release()
    assert.equal(checkModel(built).problems.length === 0, loads, `opset ${opset}, IR ${irVersion}`)
  }
})

test('checkModel() finds operators and inputs that the target does not take', () => {
  assert.equal(problemOf(model(), { allowedOps: ['Conv'] }), 'The target knows no Relu, which the Relu node "relu" is')
  const graph = new GraphBuilder({ name: 'g' })
  const sum = graph.node('Add', [graph.input('a', 'float32', [1, 'n']), graph.input('b', 'float32', [1, ''])], {
    output: 'y',
  })
  graph.output(sum, 'float32', [1, 'n'])
  const two = graph.build()
  assert.deepEqual(checkModel(two).problems, [])
  assert.equal(
    problemOf(two, { singleInput: true }),
    'The graph has 2 inputs, the target takes one: "a" float32[1, n], "b" float32[1, ?]',
  )
})

test('checkModel() reports all problems at once', () => {
  const many = model({ kernel: [] })
  many.graph.node[1]!.name = 'conv'
  many.graph.initializer.push({ ...many.graph.initializer[0]!, name: 'spare' })
  assert.equal(checkModel(many).problems.length, 3)
})

test('checkModel() never throws for a damaged model that still decodes', () => {
  const good = encodeModel(model())
  const damage = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 })
  fc.assert(
    fc.property(damage, changes => {
      const bytes = Uint8Array.from(good)
      for (const [at, value] of changes) bytes[at] = value
      let damaged: ModelProto
      try {
        damaged = decodeModel(bytes)
      } catch (thrown) {
        assert.ok(thrown instanceof RunbookError)
        return
      }
      checkModel(damaged)
    }),
    { numRuns: 500 },
  )
})
