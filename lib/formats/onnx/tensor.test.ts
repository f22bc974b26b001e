import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import fc from 'fast-check'
import { dataTypes, decodeModel, encodeModel, newGraph, newModel, protoFromTensor, tensorFromProto } from './index.ts'
import type { TensorProto } from './index.ts'
import { arrayOf, float32, type Dtype, type Tensor } from '../tensors/tensor.ts'

const proto = (fields: Partial<TensorProto>): TensorProto => ({ dims: [], name: 'w', ...fields })

test('tensorFromProto() gives back what protoFromTensor() stored, for every element type', () => {
  for (const dtype of Object.keys(arrayOf) as Dtype[]) {
    const bytes = Uint8Array.from({ length: 6 * arrayOf[dtype].BYTES_PER_ELEMENT }, (_, i) =>
      dtype === 'bool' ? i % 2 : i + 1,
    )
    const tensor: Tensor = { dtype, shape: [2, 3], data: new arrayOf[dtype](bytes.buffer) }
    const model = newModel({ graph: newGraph({ initializer: [protoFromTensor('w', tensor)] }) })
    assert.deepEqual(tensorFromProto(decodeModel(encodeModel(model)).graph.initializer[0]!), tensor)
  }
})

test('tensorFromProto() reads weights that lie at any address of a file', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 9 }), fc.array(fc.float({ noNaN: true }), { maxLength: 5 }), (name, values) => {
      const initializer = [protoFromTensor(name, float32([values.length], values))]
      const bytes = encodeModel(newModel({ graph: newGraph({ initializer }) }))
      const shifted = new Uint8Array(bytes.length + 1).subarray(1)
      shifted.set(bytes)
      for (const file of [bytes, shifted]) {
        assert.deepEqual(tensorFromProto(decodeModel(file).graph.initializer[0]!), float32([values.length], values))
      }
    }),
    { numRuns: 50 },
  )
})

/** The values of a tensor message of three elements, after a round trip through bytes. */
function data(fields: Partial<TensorProto>) {
  const bytes = encodeModel(newModel({ graph: newGraph({ initializer: [proto({ dims: [3n], ...fields })] }) }))
  return tensorFromProto(decodeModel(bytes).graph.initializer[0]!).data
}

const refused = (fields: Partial<TensorProto>, message: RegExp) =>
  assert.throws(() => tensorFromProto(proto(fields)), { exit: 'usage', message })

const external = (entries: Record<string, string>, dims = [2n]) =>
  proto({
    dataType: 1,
    dims,
    dataLocation: 1,
    externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
  })

test('tensorFromProto() reads each typed list, narrow types from int32_data', () => {
  const int32Data = Int32Array.of(1, 127, 3)
  assert.deepEqual(
    data({ dataType: dataTypes.float32, floatData: Float32Array.of(1, -2, 0.5) }),
    Float32Array.of(1, -2, 0.5),
  )
  assert.deepEqual(
    data({ dataType: dataTypes.float64, doubleData: Float64Array.of(1, -2, 0.1) }),
    Float64Array.of(1, -2, 0.1),
  )
  assert.deepEqual(data({ dataType: dataTypes.int32, int32Data: Int32Array.of(-1, 2, 3) }), Int32Array.of(-1, 2, 3))
  assert.deepEqual(
    data({ dataType: dataTypes.int8, int32Data: Int32Array.of(-128, 127, -1) }),
    Int8Array.of(-128, 127, -1),
  )
  assert.deepEqual(data({ dataType: dataTypes.uint8, int32Data: Int32Array.of(0, 255, 3) }), Uint8Array.of(0, 255, 3))
  assert.deepEqual(data({ dataType: dataTypes.int16, int32Data }), Int16Array.of(1, 127, 3))
  assert.deepEqual(
    data({ dataType: dataTypes.uint16, int32Data: Int32Array.of(0, 65535, 3) }),
    Uint16Array.of(0, 65535, 3),
  )
  assert.deepEqual(data({ dataType: dataTypes.bool, int32Data: Int32Array.of(0, 1, 1) }), Uint8Array.of(0, 1, 1))
  assert.deepEqual(
    data({ dataType: dataTypes.float16, int32Data: Int32Array.of(0x3c00, 0xbc00, 0) }),
    Uint16Array.of(0x3c00, 0xbc00, 0),
  )
  assert.deepEqual(
    data({ dataType: dataTypes.int64, int64Data: BigInt64Array.of(-1n, 2n ** 62n, 0n) }),
    BigInt64Array.of(-1n, 2n ** 62n, 0n),
  )
  assert.deepEqual(
    data({ dataType: dataTypes.uint64, uint64Data: BigUint64Array.of(2n ** 64n - 1n, 0n, 1n) }),
    BigUint64Array.of(2n ** 64n - 1n, 0n, 1n),
  )
  assert.deepEqual(
    data({ dataType: dataTypes.uint32, uint64Data: BigUint64Array.of(2n ** 32n - 1n, 0n, 1n) }),
    Uint32Array.of(2 ** 32 - 1, 0, 1),
  )
})

test('tensorFromProto() reads an empty tensor and a scalar', () => {
  assert.deepEqual(tensorFromProto(proto({ dataType: 1, dims: [0n, 5n] })).data, new Float32Array(0))
  assert.deepEqual(tensorFromProto(proto({ dataType: 1, floatData: Float32Array.of(4) })), float32([], [4]))
})

test('tensorFromProto() refuses values that do not fit the shape, and names both', () => {
  const rawData = new Uint8Array(20)
  refused({ dataType: 1, dims: [2n, 3n], rawData }, /"w": it holds 5 values, its shape float32\[2, 3\] takes 6/)
  refused({ dataType: 1, dims: [2n], rawData: new Uint8Array(7) }, /7 bytes are no whole number of float32/)
  refused({ dataType: 1, dims: [2n] }, /holds 0 values/)
  refused({ dataType: 1, dims: [-1n] }, /dimension of -1/)
  refused({ dataType: 1, dims: [2n ** 60n] }, /beyond 2\^53/)
  refused({ dataType: 8, dims: [1n], stringData: [new Uint8Array(1)] }, /element type is string/)
  refused({ dataType: 22, dims: [2n], rawData: new Uint8Array(1) }, /int4/)
  refused({ dims: [1n] }, /undefined/)
  refused({ dataType: 999, dims: [1n] }, /999/)
  refused({ dataType: 1, dims: [1n], segment: { begin: 0n, end: 1n } }, /segments/)
})

test('protoFromTensor() refuses data that does not fit the shape', () => {
  assert.throws(() => protoFromTensor('w', { dtype: 'float32', shape: [2], data: new Float32Array(3) }), {
    exit: 'usage',
    message: /"w" as float32\[2\]/,
  })
})

test('tensorFromProto() reads weights from another file when it is told where', () => {
  const folder = mkdtempSync(join(tmpdir(), 'onnx-tensor-'))
  writeFileSync(join(folder, 'w.bin'), new Uint8Array(Float32Array.of(0, 1, 2, 3).buffer))
  assert.deepEqual(
    tensorFromProto(external({ location: 'w.bin', offset: '4', length: '8' }), { folder }),
    float32([2], [1, 2]),
  )
  assert.deepEqual(tensorFromProto(external({ location: 'w.bin' }, [4n]), { folder }), float32([4], [0, 1, 2, 3]))
  assert.throws(() => tensorFromProto(external({ location: 'w.bin' })), {
    exit: 'blocked',
    message: /its values lie in "w\.bin"/,
  })
  assert.throws(() => tensorFromProto(external({ location: 'no.bin' }), { folder }), {
    exit: 'blocked',
    message: /no\.bin/,
  })
  assert.throws(() => tensorFromProto(external({ location: 'w.bin', offset: '12', length: '8' }), { folder }), {
    exit: 'usage',
    message: /12 to 20, the file has 16/,
  })
  assert.throws(() => tensorFromProto(external({ location: 'w.bin', offset: '-1' }), { folder }), {
    exit: 'usage',
    message: /offset is "-1"/,
  })
  assert.throws(() => tensorFromProto(external({ location: '../w.bin' }), { folder }), {
    exit: 'usage',
    message: /outside the model's folder/,
  })
  assert.throws(() => tensorFromProto(external({ location: '/etc/passwd' }), { folder }), {
    exit: 'usage',
    message: /outside/,
  })
  assert.throws(() => tensorFromProto(external({}), { folder }), { exit: 'usage', message: /does not say which/ })
})
