import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import fc from 'fast-check'
import type * as OnnxProto from 'onnx-proto'
import { RunbookError } from '../../base/errors.ts'
import { dataPath, needsData } from '../../testing/needs.ts'
import { hex, message, record, same, small } from '../../testing/onnx/samples.ts'
import { decodeModel, encodeModel, newGraph, newModel, readModel, writeModel } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'onnx-'))
const realFiles = [
  'encoder/tcn_encoder_for_edgeinfer.onnx',
  'keyword/spelling_cnn_mel.onnx',
  'keyword/spelling_cnn_mel.shrunk.onnx',
  'vad/silero_vad_16k_op15.onnx',
]
const noFiles = needsData(realFiles[0]!)
const oracle = () => (createRequire(import.meta.url)('onnx-proto') as typeof OnnxProto).onnx

/** One look for both decoders: no empty field, int64 as text, bytes as hex. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (ArrayBuffer.isView(value) || Array.isArray(value))
    return Array.from(value as unknown as ArrayLike<unknown>, plain)
  if (typeof value === 'bigint' || (typeof value === 'object' && value !== null && 'unsigned' in value))
    return String(value)
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, field]) => [key, plain(field)] as const)
  return Object.fromEntries(
    entries.filter(([, field]) => field !== '' && !(Array.isArray(field) && field.length === 0)),
  )
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

test('encodeModel() keeps functions, training, sparse tensors and annotations', () => {
  const value = { dims: [1n], dataType: 1, name: 's', floatData: Float32Array.of(2) }
  const indices = { dims: [1n], dataType: 7, name: '', int64Data: BigInt64Array.of(4n) }
  const model = newModel({
    graph: newGraph({
      name: 'g',
      sparseInitializer: [{ values: value, indices, dims: [9n] }],
      quantizationAnnotation: [{ tensorName: 't', quantParameterTensorNames: [{ key: 'SCALE_TENSOR', value: 's' }] }],
    }),
    functions: [{ name: 'f', input: ['a'], output: ['b'], attribute: ['k'], node: [], opsetImport: [{ version: 18 }] }],
    trainingInfo: [
      { algorithm: newGraph({ name: 'g' }), initializationBinding: [], updateBinding: [{ key: 'a', value: 'b' }] },
    ],
  })
  const bytes = encodeModel(model)
  assert.deepEqual(decodeModel(bytes), model)
  same(encodeModel(decodeModel(bytes)), bytes)
  assert.deepEqual(plain(oracle().ModelProto.decode(bytes)), plain(model))
})

test('decodeModel() copies no weight', () => {
  const bytes = encodeModel(small())
  const raw = decodeModel(bytes).graph.initializer[0]!.rawData!
  assert.equal(raw.buffer, bytes.buffer)
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
  fc.assert(
    fc.property(damage, fc.nat(good.length), (changes, cut) => {
      const bytes = Uint8Array.from(good)
      for (const [at, value] of changes) bytes[at] = value
      for (const damaged of [bytes, bytes.subarray(0, cut), message(bytes.subarray(0, cut), good)]) {
        try {
          same(encodeModel(decodeModel(damaged)), damaged)
        } catch (thrown) {
          assert.ok(thrown instanceof RunbookError && thrown.exit === 'usage', String(thrown))
        }
      }
    }),
    { numRuns: 500 },
  )
})

test('decodeModel() takes time in proportion to a list of many small records', () => {
  const one = hex('25 0000803f')
  const many = new Uint8Array(one.length * 200_000)
  for (let at = 0; at < many.length; at += one.length) many.set(one, at)
  const model = decodeModel(record(7, record(5, many)))
  assert.equal(model.graph.initializer[0]!.floatData!.length, 200_000)
})

test('readModel() and writeModel() go through a file, and say which one is missing', () => {
  const path = join(folder, 'a.onnx')
  writeModel(path, small())
  same(encodeModel(readModel(path)), readFileSync(path))
  assert.throws(() => readModel(join(folder, 'absent.onnx')), { exit: 'blocked', message: /absent\.onnx/ })
  writeFileSync(path, '[1, 2]')
  assert.throws(() => readModel(path), { exit: 'usage', message: /a\.onnx": it is JSON/ })
})
