import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import fc from 'fast-check'
import type * as OnnxProto from 'onnx-proto'
import { dataPath, needsData } from '../testing/needs.ts'
import { RunbookError } from '../notebook/errors.ts'
import { fieldTables, isMessage, type FieldSpec, type MessageName } from './onnx-fields.ts'
import {
  attributeFloat, attributeFloats, attributeInt, attributeInts, attributeString, attributeTensor, decodeModel, dimsOf, dtypeOf,
  encodeModel, newGraph, newModel, newNode, newValueInfo, opsetOf, readModel, tensorFromProto, writeModel, type ModelProto,
} from './onnx.ts'
import { Pieces, wires } from './protobuf.ts'

const folder = mkdtempSync(join(tmpdir(), 'onnx-'))
const realFiles = [
  'encoder/tcn_encoder_for_edgeinfer.onnx', 'keyword/spelling_cnn_mel.onnx', 'keyword/spelling_cnn_mel.shrunk.onnx',
  'vad/silero_vad_16k_op15.onnx',
]
const noFiles = needsData(realFiles[0]!)
const oracle = () => (createRequire(import.meta.url)('onnx-proto') as typeof OnnxProto).onnx
const show = (bytes: Uint8Array) => Buffer.from(bytes.subarray(0, 500)).toString('hex')
const same = (a: Uint8Array, b: Uint8Array) => {
  if (Buffer.compare(a, b) !== 0) assert.fail(`${a.length} bytes are not the ${b.length} expected:\n${show(a)}\n${show(b)}`)
}

/** A record written by hand: a varint, or bytes under a length. */
function record(number: number, body: number | Uint8Array | string): Uint8Array {
  const pieces = new Pieces()
  if (typeof body === 'number') {
    pieces.tag(number, wires.varint)
    pieces.varint(body)
  } else pieces.record(number, typeof body === 'string' ? Buffer.from(body) : body)
  return pieces.join()
}
const message = (...records: Uint8Array[]): Uint8Array => Buffer.concat(records)
const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex')

function small(): ModelProto {
  const node = newNode({
    opType: 'Conv', name: 'conv', input: ['x', 'w', ''], output: ['y'],
    attribute: [
      { name: 'pads', ints: [0n, -1n, 2n ** 40n], type: 7 }, { name: 'alpha', f: 0.5, type: 1 }, { name: 'group', i: 1n, type: 2 },
      { name: 'auto_pad', s: Buffer.from('NOTSET'), type: 3 }, { name: 'scales', floats: [1, 0.25], type: 6 },
      { name: 'value', t: { dims: [2n], dataType: 1, name: '', floatData: Float32Array.of(1, 2) }, type: 4 }, { name: 'none', type: 7 },
    ],
  })
  const graph = newGraph({
    name: 'g', node: [node], input: [newValueInfo('x', 'float32', ['batch', 3, ''])], output: [newValueInfo('y', 'float32', [])],
    initializer: [{ dims: [1n], dataType: 1, name: 'w', rawData: new Uint8Array(4) }],
  })
  return newModel({ irVersion: 7, graph, opsetImport: [{ domain: '', version: 12 }], metadataProps: [{ key: 'k', value: 'v' }] })
}

test('encodeModel() gives back real files byte for byte', { skip: noFiles }, () => {
  for (const name of realFiles) {
    const bytes = readFileSync(dataPath(name))
    same(encodeModel(decodeModel(bytes)), bytes)
  }
})

test('encodeModel() keeps every value of real files when no object remembers its bytes', { skip: noFiles }, () => {
  for (const name of realFiles) {
    const model = readModel(dataPath(name))
    const copy = structuredClone(model)
    assert.deepEqual(decodeModel(encodeModel(copy)), model)
  }
})

test('decodeModel() agrees with onnx-proto on every field of real files', { skip: noFiles }, () => {
  for (const name of realFiles) {
    const bytes = readFileSync(dataPath(name))
    assert.deepEqual(plain(readModel(dataPath(name))), plain(oracle().ModelProto.decode(bytes)))
  }
})

test('encodeModel() writes what onnx-proto reads, and decodeModel() reads what onnx-proto writes', () => {
  const ours = small()
  const theirs = oracle().ModelProto.decode(encodeModel(ours))
  assert.deepEqual(plain(theirs), plain(ours))
  const again = oracle().ModelProto.encode(theirs).finish()
  assert.deepEqual(plain(decodeModel(again)), plain(ours))
  same(encodeModel(decodeModel(again)), again)
})

/** One look for both decoders: no empty field, int64 as text, bytes as hex. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (ArrayBuffer.isView(value) || Array.isArray(value)) return Array.from(value as unknown as ArrayLike<unknown>, plain)
  if (typeof value === 'bigint' || (typeof value === 'object' && value !== null && 'unsigned' in value)) return String(value)
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, field]) => [key, plain(field)] as const)
  return Object.fromEntries(entries.filter(([, field]) => field !== '' && !(Array.isArray(field) && field.length === 0)))
}

test('encodeModel() keeps odd but valid encodings', () => {
  const attribute = record(5, message(record(1, 'axes'), record(8, hex('0102')), hex('4003'), record(20, 7))) // packed, then not
  const padded = hex('0a 828000 7831') // the input "x1", its length in three bytes
  const inputs = [padded, record(2, 'y'), record(1, 'x2')]
  const node = record(1, message(attribute, record(4, 'Squeeze'), ...inputs, record(3, '')))
  const floats = record(5, message(hex('0801'), hex('25 0000803f'), record(4, hex('00000040')), hex('0a01 02'), record(8, 'w')))
  const graph = message(record(2, 'first'), node, floats, record(99, 'later'), node, record(2, 'last'))
  const bytes = message(
    record(7, graph), hex('08 8700'), record(14, ''), record(8, message(record(1, ''), record(2, 0))), hex('08 07'),
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

test('encodeModel() keeps map, sequence, optional, sparse and opaque types', () => {
  const float = record(1, record(1, 1))
  const types = [
    record(5, message(record(1, 7), record(2, float))), record(4, record(1, float)), record(9, record(1, float)),
    record(8, message(record(1, 1), record(2, record(1, record(1, 5))))), record(7, message(record(1, 'd'), record(2, 'n'))),
  ]
  const typed = (type: Uint8Array) => record(2, message(type, record(6, 'TENSOR'), record(40, 1)))
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

/** Any valid message of a type: fields in any order and number, padded varints, packed or not, unknown fields between. */
function anyMessage(type: MessageName, depth: number): fc.Arbitrary<Uint8Array> {
  const specs = Object.values(fieldTables[type] as Record<string, FieldSpec>).filter(({ kind }) => depth > 0 || !isMessage(kind))
  const unknown = fc
    .tuple(fc.integer({ min: 200, max: 5000 }), fc.oneof(fc.nat(), fc.uint8Array({ maxLength: 5 })))
    .map(([number, body]) => record(number, body))
  const known = specs.length === 0 ? unknown : fc.constantFrom(...specs).chain(spec => anyRecord(spec, depth))
  const any = fc.oneof({ weight: 8, arbitrary: known }, { weight: 1, arbitrary: unknown })
  return fc.array(any, { maxLength: 6 }).map(records => message(...records))
}

const anyInteger = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt(0n, 200n))
const anyVarint = fc.tuple(anyInteger, fc.boolean()).map(([value, pad]) => {
  const pieces = new Pieces()
  pieces.varint64(value)
  const bytes = [...pieces.join()]
  if (!pad || bytes.length > 8) return Uint8Array.from(bytes)
  return Uint8Array.from([...bytes.slice(0, -1), bytes.at(-1)! | 0x80, 0x80, 0])
})

function anyRecord({ number, kind, mode }: FieldSpec, depth: number): fc.Arbitrary<Uint8Array> {
  const tagged = (wire: number, body: Uint8Array) => {
    const pieces = new Pieces()
    pieces.tag(number, wire)
    pieces.push(body)
    return pieces.join()
  }
  if (isMessage(kind)) return anyMessage(kind, depth - 1).map(body => record(number, body))
  if (kind === 'string' || kind === 'bytes') {
    return fc.oneof(fc.uint8Array({ maxLength: 6 }), fc.string({ maxLength: 6 })).map(body => record(number, body))
  }
  const width = kind === 'float' ? 4 : kind === 'double' ? 8 : 0
  const element = width > 0 ? fc.uint8Array({ minLength: width, maxLength: width }) : anyVarint
  const single = element.map(body => tagged(width === 4 ? wires.fixed32 : width === 8 ? wires.fixed64 : wires.varint, body))
  const repeated = mode === 'list' || mode === 'many' || mode === 'packed'
  const block = fc.array(element, { maxLength: 4 }).map(elements => record(number, message(...elements)))
  return repeated ? fc.oneof(single, block) : single
}

const anyModel = fc.tuple(anyMessage('ModelProto', 5), anyMessage('GraphProto', 5))
  .map(([rest, graph]) => message(rest, record(7, graph)))

test('encodeModel() gives back any valid message byte for byte', () => {
  fc.assert(fc.property(anyModel, bytes => same(encodeModel(decodeModel(bytes)), bytes)), { numRuns: 400 })
})

test('encodeModel() keeps all values of any valid message when no object remembers its bytes', () => {
  fc.assert(fc.property(anyModel, bytes => {
    const once = encodeModel(structuredClone(decodeModel(bytes)))
    same(encodeModel(structuredClone(decodeModel(once))), once)
  }), { numRuns: 200 })
})

test('encodeModel() writes edits, and leaves the rest as it was', () => {
  const bytes = message(record(7, message(
    record(1, message(record(1, 'a'), record(3, 'n0'), record(60, 'kept'))), record(2, 'g'), record(1, message(record(3, 'n1'), record(1, 'b'))),
    record(12, record(1, 'y')),
  )), record(3, '1.0'))
  const model = decodeModel(bytes)
  const [n0, n1] = model.graph.node
  n0!.name = 'first'
  n0!.input.push('c')
  n1!.input = []
  model.graph.node.push(newNode({ opType: 'Relu', output: ['y'] }))
  model.producerVersion = undefined
  model.irVersion = 8
  const expected = message(record(7, message(
    record(1, message(record(1, 'a'), record(1, 'c'), record(3, 'first'), record(60, 'kept'))), record(2, 'g'), record(1, record(3, 'n1')),
    record(1, message(record(2, 'y'), record(4, 'Relu'))), record(12, record(1, 'y')),
  )), record(1, 8))
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

test('decodeModel() copies no weight', () => {
  const bytes = encodeModel(small())
  const raw = decodeModel(bytes).graph.initializer[0]!.rawData!
  assert.equal(raw.buffer, bytes.buffer)
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

const refused = (bytes: Uint8Array | string, pattern: RegExp) =>
  assert.throws(() => decodeModel(Buffer.from(bytes as string), 'm.onnx'), { exit: 'usage', message: pattern })

test('decodeModel() names the file and what is wrong with it', () => {
  const good = encodeModel(small())
  refused(good.subarray(0, good.length - 3), /^Cannot read "m\.onnx": it is not a whole ONNX model: it is truncated/)
  refused(message(good, hex('72')), /truncated/)
  refused(record(7, 5), /ModelProto\.graph has wire type 0 where 2 belongs/)
  refused(record(7, record(2, 1)), /GraphProto\.name has wire type 0/)
  refused(record(7, record(5, record(4, hex('000000')))), /block of 3 bytes for numbers of 4/)
  refused(hex('3a ffffffff0f'), /graph|field 7 wants 4294967295 bytes/)
  refused(record(1, 7), /it holds no graph/)
  refused('', /it is empty/)
  refused('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n', /git-lfs pointer/)
  refused('\x01HEF\0\0\0\x02', /it is a HEF/)
  refused('<!DOCTYPE html><html>', /a web page/)
  refused('{"format": "x"}', /it is JSON/)
  refused('PK\x03\x04aaaaaaaaaa', /zip archive/)
  refused(Buffer.from([0x93, ...Buffer.from('NUMPY')]), /NumPy/)
  refused(Buffer.alloc(1000), /impossible number/)
})

test('decodeModel() reads or refuses any damaged file, and never hangs', () => {
  const good = encodeModel(small())
  const damage = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
  fc.assert(fc.property(damage, fc.nat(good.length), (changes, cut) => {
    const bytes = Uint8Array.from(good)
    for (const [at, value] of changes) bytes[at] = value
    for (const damaged of [bytes, bytes.subarray(0, cut), message(bytes.subarray(0, cut), good)]) {
      try {
        same(encodeModel(decodeModel(damaged)), damaged)
      } catch (thrown) {
        assert.ok(thrown instanceof RunbookError && thrown.exit === 'usage', String(thrown))
      }
    }
  }), { numRuns: 500 })
})

test('decodeModel() takes time in proportion to a list of many small records', () => {
  const one = hex('25 0000803f')
  const many = new Uint8Array(one.length * 200_000)
  for (let at = 0; at < many.length; at += one.length) many.set(one, at)
  const model = decodeModel(record(7, record(5, many)))
  assert.equal(model.graph.initializer[0]!.floatData!.length, 200_000)
})

test('attribute helpers read each kind, and undefined for one that is absent', () => {
  const node = decodeModel(encodeModel(small())).graph.node[0]!
  assert.deepEqual(attributeInts(node, 'pads'), [0, -1, 2 ** 40])
  assert.deepEqual(attributeInts(node, 'none'), [])
  assert.equal(attributeInts(node, 'alpha'), undefined)
  assert.equal(attributeFloat(node, 'alpha'), 0.5)
  assert.equal(attributeInt(node, 'group'), 1)
  assert.equal(attributeString(node, 'auto_pad'), 'NOTSET')
  assert.deepEqual(attributeFloats(node, 'scales'), [1, 0.25])
  assert.deepEqual(tensorFromProto(attributeTensor(node, 'value')!).shape, [2])
  for (const read of [attributeInts, attributeInt, attributeFloat, attributeFloats, attributeString, attributeTensor]) {
    assert.equal(read(node, 'absent'), undefined)
  }
})

test('dimsOf() and dtypeOf() read what newValueInfo() declares', () => {
  const { graph, opsetImport } = decodeModel(encodeModel(small()))
  assert.deepEqual(dimsOf(graph.input[0]!), ['batch', 3, ''])
  assert.deepEqual(dimsOf(graph.output[0]!), [])
  assert.equal(dtypeOf(graph.input[0]!), 'float32')
  assert.equal(dtypeOf({ name: 'no type' }), undefined)
  assert.equal(opsetOf(newModel({ opsetImport })), 12)
  assert.equal(opsetOf(newModel()), undefined)
})

test('readModel() and writeModel() go through a file, and say which one is missing', () => {
  const path = join(folder, 'a.onnx')
  writeModel(path, small())
  same(encodeModel(readModel(path)), readFileSync(path))
  assert.throws(() => readModel(join(folder, 'absent.onnx')), { exit: 'blocked', message: /absent\.onnx/ })
  writeFileSync(path, '[1, 2]')
  assert.throws(() => readModel(path), { exit: 'usage', message: /a\.onnx": it is JSON/ })
})
