/**
 * Bytes for tests of the ONNX codec: records written by hand, a small model, and any valid file at all.
 *
 * Only tests import this file.
 */
import fc from 'fast-check'
import assert from 'node:assert/strict'
import { fieldTables, isMessage, type FieldSpec, type MessageName } from '../../formats/onnx/fields.ts'
import { newGraph, newModel, newNode, newValueInfo, type ModelProto } from '../../formats/onnx/index.ts'
import { Pieces, wires } from '../../formats/protobuf.ts'

const show = (bytes: Uint8Array) => Buffer.from(bytes.subarray(0, 500)).toString('hex')

/** Asserts that two files are equal; shows how they begin when they are not. */
export function same(a: Uint8Array, b: Uint8Array): void {
  if (Buffer.compare(a, b) !== 0)
    assert.fail(`${a.length} bytes are not the ${b.length} expected:\n${show(a)}\n${show(b)}`)
}

/** A record written by hand: a varint, or bytes under a length. */
export function record(number: number, body: number | Uint8Array | string): Uint8Array {
  const pieces = new Pieces()
  if (typeof body === 'number') {
    pieces.tag(number, wires.varint)
    pieces.varint(body)
  } else pieces.record(number, typeof body === 'string' ? Buffer.from(body) : body)
  return pieces.join()
}
/** Records one after the other. */
export const message = (...records: Uint8Array[]): Uint8Array => Buffer.concat(records)
/** Bytes from hexadecimal text; spaces count for nothing. */
export const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** A model of one node that has every kind of attribute. */
export function small(): ModelProto {
  const node = newNode({
    opType: 'Conv',
    name: 'conv',
    input: ['x', 'w', ''],
    output: ['y'],
    attribute: [
      { name: 'pads', ints: [0n, -1n, 2n ** 40n], type: 7 },
      { name: 'alpha', f: 0.5, type: 1 },
      { name: 'group', i: 1n, type: 2 },
      { name: 'auto_pad', s: Buffer.from('NOTSET'), type: 3 },
      { name: 'scales', floats: [1, 0.25], type: 6 },
      { name: 'value', t: { dims: [2n], dataType: 1, name: '', floatData: Float32Array.of(1, 2) }, type: 4 },
      { name: 'none', type: 7 },
    ],
  })
  const graph = newGraph({
    name: 'g',
    node: [node],
    input: [newValueInfo('x', 'float32', ['batch', 3, ''])],
    output: [newValueInfo('y', 'float32', [])],
    initializer: [{ dims: [1n], dataType: 1, name: 'w', rawData: new Uint8Array(4) }],
  })
  return newModel({
    irVersion: 7,
    graph,
    opsetImport: [{ domain: '', version: 12 }],
    metadataProps: [{ key: 'k', value: 'v' }],
  })
}

/**
 * Any valid message of a type: fields in any order and number, padded varints, packed or not, unknown fields between.
 */
function anyMessage(type: MessageName, depth: number): fc.Arbitrary<Uint8Array> {
  const specs = Object.values(fieldTables[type] as Record<string, FieldSpec>).filter(
    ({ kind }) => depth > 0 || !isMessage(kind),
  )
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
  const single = element.map(body =>
    tagged(width === 4 ? wires.fixed32 : width === 8 ? wires.fixed64 : wires.varint, body),
  )
  const repeated = mode === 'list' || mode === 'many' || mode === 'packed'
  const block = fc.array(element, { maxLength: 4 }).map(elements => record(number, message(...elements)))
  return repeated ? fc.oneof(single, block) : single
}

/** Any valid model file that has a graph. */
export const anyModel = fc
  .tuple(anyMessage('ModelProto', 5), anyMessage('GraphProto', 5))
  .map(([rest, graph]) => message(rest, record(7, graph)))
