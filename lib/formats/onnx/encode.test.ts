import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { anyModel, hex, message, record, same, small } from '../../testing/onnx/samples.ts'
import {
  attributeFloat,
  attributeInts,
  decodeModel,
  dimsOf,
  encodeModel,
  newGraph,
  newModel,
  newNode,
} from './index.ts'

test('encodeModel() keeps odd but valid encodings', () => {
  // Packed, then not.
  const attribute = record(5, message(record(1, 'axes'), record(8, hex('0102')), hex('4003'), record(20, 7)))
  const padded = hex('0a 828000 7831') // the input "x1", its length in three bytes
  const inputs = [padded, record(2, 'y'), record(1, 'x2')]
  const node = record(1, message(attribute, record(4, 'Squeeze'), ...inputs, record(3, '')))
  const floats = record(
    5,
    message(hex('0801'), hex('25 0000803f'), record(4, hex('00000040')), hex('0a01 02'), record(8, 'w')),
  )
  const graph = message(record(2, 'first'), node, floats, record(99, 'later'), node, record(2, 'last'))
  const bytes = message(
    record(7, graph),
    hex('08 8700'),
    record(14, ''),
    record(8, message(record(1, ''), record(2, 0))),
    hex('08 07'),
    record(7, record(10, 'a second part of the graph')),
    hex('a306 08 01 a406'), // a group of the unknown field 100
    record(5, 0),
  )
  const model = decodeModel(bytes)
  assert.equal(model.graph.name, 'last')
  assert.equal(model.graph.docString, 'a second part of the graph')
  assert.equal(model.irVersion, 7)
  assert.deepEqual(model.graph.node[0]!.input, ['x1', 'x2'])
  assert.deepEqual(attributeInts(model.graph.node[0]!, 'axes'), [1, 2, 3])
  assert.deepEqual(model.graph.initializer[0]!.floatData, Float32Array.of(1, 2))
  assert.deepEqual(model.graph.initializer[0]!.dims, [1n, 2n])
  assert.equal(model.unknown?.length, 1)
  same(encodeModel(model), bytes)
  model.graph.node[1]!.name = 'renamed'
  const again = decodeModel(encodeModel(model))
  assert.equal(again.graph.node[1]!.name, 'renamed')
  assert.equal(Buffer.from(again.graph.unknown![0]!).toString('latin1').slice(3), 'later')
  assert.equal(again.graph.docString, 'a second part of the graph')
})

/** A type with a denotation and an unknown field, as the type of a value. */
const typed = (type: Uint8Array) => record(2, message(type, record(6, 'TENSOR'), record(40, 1)))

test('encodeModel() keeps map, sequence, optional, sparse and opaque types', () => {
  const float = record(1, record(1, 1))
  const types = [
    record(5, message(record(1, 7), record(2, float))),
    record(4, record(1, float)),
    record(9, record(1, float)),
    record(8, message(record(1, 1), record(2, record(1, record(1, 5))))),
    record(7, message(record(1, 'd'), record(2, 'n'))),
  ]
  const inputs = types.map((type, i) => record(11, message(record(1, `v${i}`), typed(type))))
  const bytes = record(7, message(record(2, 'g'), ...inputs))
  const model = decodeModel(bytes)
  const [map, sequence, optional, sparse, opaque] = model.graph.input.map(({ type }) => type)
  assert.equal(map!.mapType!.keyType, 7)
  assert.equal(sequence!.sequenceType!.elemType!.tensorType!.elemType, 1)
  assert.equal(optional!.optionalType!.elemType!.tensorType!.elemType, 1)
  assert.equal(sparse!.sparseTensorType!.shape!.dim[0]!.dimValue, 5n)
  assert.equal(opaque!.opaqueType!.domain, 'd')
  assert.equal(opaque!.denotation, 'TENSOR')
  same(encodeModel(model), bytes)
})

test('encodeModel() gives back any valid message byte for byte', () => {
  fc.assert(
    fc.property(anyModel, bytes => same(encodeModel(decodeModel(bytes)), bytes)),
    { numRuns: 400 },
  )
})

test('encodeModel() keeps all values of any valid message when no object remembers its bytes', () => {
  fc.assert(
    fc.property(anyModel, bytes => {
      const once = encodeModel(structuredClone(decodeModel(bytes)))
      same(encodeModel(structuredClone(decodeModel(once))), once)
    }),
    { numRuns: 200 },
  )
})

test('encodeModel() writes edits, and leaves the rest as it was', () => {
  const bytes = message(
    record(
      7,
      message(
        record(1, message(record(1, 'a'), record(3, 'n0'), record(60, 'kept'))),
        record(2, 'g'),
        record(1, message(record(3, 'n1'), record(1, 'b'))),
        record(12, record(1, 'y')),
      ),
    ),
    record(3, '1.0'),
  )
  const model = decodeModel(bytes)
  const [n0, n1] = model.graph.node
  n0!.name = 'first'
  n0!.input.push('c')
  n1!.input = []
  model.graph.node.push(newNode({ opType: 'Relu', output: ['y'] }))
  model.producerVersion = undefined
  model.irVersion = 8
  const expected = message(
    record(
      7,
      message(
        record(1, message(record(1, 'a'), record(1, 'c'), record(3, 'first'), record(60, 'kept'))),
        record(2, 'g'),
        record(1, record(3, 'n1')),
        record(1, message(record(2, 'y'), record(4, 'Relu'))),
        record(12, record(1, 'y')),
      ),
    ),
    record(1, 8),
  )
  same(encodeModel(model), expected)
})

test('encodeModel() follows nodes that are taken out, put in front and swapped', () => {
  const node = ['a', 'b', 'c'].map(name => newNode({ opType: 'Relu', name }))
  const model = decodeModel(encodeModel(newModel({ graph: newGraph({ node }) })))
  const names = () => decodeModel(encodeModel(model)).graph.node.map(({ name }) => name)
  model.graph.node.splice(1, 1)
  assert.deepEqual(names(), ['a', 'c'])
  model.graph.node.reverse()
  assert.deepEqual(names(), ['c', 'a'])
  model.graph.node.unshift(newNode({ opType: 'Abs', name: 'z' }), newNode({ opType: 'Abs', name: 'y' }))
  assert.deepEqual(names(), ['z', 'y', 'c', 'a'])
  model.graph.node = []
  assert.deepEqual(names(), [])
})

test('encodeModel() writes a weight that was changed in place or replaced', () => {
  const model = decodeModel(encodeModel(small()))
  const weight = model.graph.initializer[0]!
  weight.rawData![0] = 7
  model.graph.node[0]!.attribute[5]!.t!.floatData![1] = Number.NaN
  const again = decodeModel(encodeModel(model))
  assert.equal(again.graph.initializer[0]!.rawData![0], 7)
  assert.deepEqual(again.graph.node[0]!.attribute[5]!.t!.floatData, Float32Array.of(1, Number.NaN))
  weight.rawData = Uint8Array.of(1, 2, 3, 4)
  assert.deepEqual([...decodeModel(encodeModel(model)).graph.initializer[0]!.rawData!], [1, 2, 3, 4])
})

test('encodeModel() keeps unknown fields of a message that was copied by spread or by structuredClone', () => {
  const bytes = record(7, message(record(1, message(record(3, 'n'), record(60, 'kept'))), record(61, 5)))
  const model = decodeModel(bytes)
  const [node] = model.graph.node
  const copy = { ...model, graph: { ...model.graph, node: [{ ...node!, name: 'copy' }] } }
  const expected = record(7, message(record(1, message(record(3, 'copy'), record(60, 'kept'))), record(61, 5)))
  same(encodeModel(copy), expected)
  same(encodeModel(structuredClone(copy)), expected)
  same(encodeModel(model), bytes)
})

test('encodeModel() writes a message that was moved to another field or another model', () => {
  const from = decodeModel(encodeModel(small()))
  const to = decodeModel(
    record(7, message(record(2, 'other'), record(11, record(1, 'old')), record(12, record(1, 'old')))),
  )
  to.graph.output = [...from.graph.input]
  to.graph.input = []
  to.graph.node.push(...from.graph.node)
  const again = decodeModel(encodeModel(to))
  assert.deepEqual(dimsOf(again.graph.output[0]!), ['batch', 3, ''])
  assert.deepEqual(again.graph.input, [])
  assert.deepEqual(again.graph.node, from.graph.node)
})

test('encodeModel() writes fields that are set to nothing, and leaves out those that are taken away', () => {
  const model = decodeModel(encodeModel(small()))
  model.graph.initializer[0]!.rawData = new Uint8Array(0)
  model.graph.node[0]!.attribute[1]!.f = 0
  model.graph.node[0]!.attribute[0]!.ints = undefined
  model.graph.node[0]!.domain = ''
  model.metadataProps = []
  const again = decodeModel(encodeModel(model))
  assert.deepEqual([...again.graph.initializer[0]!.rawData!], [])
  assert.equal(attributeFloat(again.graph.node[0]!, 'alpha'), 0)
  assert.equal(again.graph.node[0]!.attribute[0]!.ints, undefined)
  assert.equal(again.graph.node[0]!.domain, '')
  assert.deepEqual(again.metadataProps, [])
})

test('encodeModel() refuses a fraction where a whole number belongs', () => {
  const model = small()
  model.irVersion = 7.5
  assert.throws(() => encodeModel(model), RangeError)
})

test('encodeModel() puts the newer fields under the numbers of onnx.proto', () => {
  const graph = newGraph({
    node: [
      newNode({
        opType: 'X',
        overload: 'o',
        metadataProps: [{ key: 'k', value: '' }],
        deviceConfigurations: [
          {
            configurationId: 'c',
            pipelineStage: 2,
            shardingSpec: [
              {
                tensorName: 't',
                device: [0n, 1n],
                indexToDeviceGroupMap: [{ key: 3n, value: [4n] }],
                shardedDim: [{ axis: 1n, simpleSharding: [{ dimParam: 'N', numShards: 2n }] }],
              },
            ],
          },
        ],
      }),
    ],
  })
  const model = newModel({ graph, configuration: [{ name: 'c', numDevices: 2, device: ['gpu'] }] })
  const sharding = message(
    record(1, 't'),
    record(2, 0),
    record(2, 1),
    record(3, message(record(1, 3), record(2, 4))),
    record(4, message(record(1, 1), record(2, message(record(2, 'N'), record(3, 2))))),
  )
  const node = message(
    record(4, 'X'),
    record(8, 'o'),
    record(9, record(1, 'k')),
    record(10, message(record(1, 'c'), record(2, sharding), record(3, 2))),
  )
  const configuration = message(record(1, 'c'), record(2, 2), record(3, 'gpu'))
  same(encodeModel(model), message(record(7, record(1, node)), record(26, configuration)))
  assert.deepEqual(decodeModel(encodeModel(model)), model)
})

test('encodeModel() keeps text that is not UTF-8, and a byte order mark', () => {
  const bytes = record(7, message(record(2, hex('ff fe 41')), record(10, hex('efbbbf 41'))))
  const model = decodeModel(bytes)
  assert.equal(model.graph.docString, '\ufeffA')
  same(encodeModel(model), bytes)
})

test('encodeModel() and decodeModel() refuse messages that nest too deep', () => {
  const model = small()
  model.graph.node[0]!.attribute.push({ name: 'body', g: model.graph, type: 5 })
  assert.throws(() => encodeModel(model), { exit: 'usage', message: /nest deeper than 64/ })
  let graph = record(2, 'inner')
  for (let i = 0; i < 40; i++) graph = record(1, record(5, record(6, graph)))
  assert.throws(() => decodeModel(record(7, graph)), { exit: 'usage', message: /nest deeper than 64/ })
})
