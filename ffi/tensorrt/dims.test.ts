import assert from 'node:assert/strict'
import test from 'node:test'
import { FfiError } from '../errors.ts'
import { dimsBytes, dimsValue, shapeFromDims } from './dims.ts'

const narrow = { extent: 'int32', bytes: 36 } as const
const wide = { extent: 'int64', bytes: 72 } as const

test('dimsBytes() lays a shape out as 8.x and as 10.x do', () => {
  const old = new DataView(dimsBytes([1, 300, -1], narrow).buffer)
  assert.deepEqual(
    [
      old.byteLength,
      old.getInt32(0, true),
      old.getInt32(4, true),
      old.getInt32(8, true),
      old.getInt32(12, true),
      old.getInt32(16, true),
    ],
    [36, 3, 1, 300, -1, 0],
  )
  const now = new DataView(dimsBytes([1, 2 ** 33, -1], wide).buffer)
  assert.deepEqual(
    [
      now.byteLength,
      now.getInt32(0, true),
      now.getBigInt64(8, true),
      now.getBigInt64(16, true),
      now.getBigInt64(24, true),
    ],
    [72, 3, 1n, 2n ** 33n, -1n],
  )
})

test('shapeFromDims() gives back what dimsValue() was given, for every rank', () => {
  for (const layout of [narrow, wide]) {
    for (let rank = 0; rank <= 8; rank++) {
      const shape = Array.from({ length: rank }, (_, axis) => axis - 1)
      assert.deepEqual(shapeFromDims(dimsValue(shape, layout)), shape)
    }
  }
})

test('shapeFromDims() is null for the answer to an unknown name, and refuses nonsense', () => {
  assert.equal(shapeFromDims({ nbDims: -1, d: new Int32Array(8) }), null)
  for (const nbDims of [-2, 9, 1_000_000]) {
    assert.throws(
      () => shapeFromDims({ nbDims, d: new BigInt64Array(8) }),
      (thrown: unknown) => thrown instanceof FfiError && thrown.kind === 'refused',
    )
  }
})

test('dimsBytes() refuses shapes that TensorRT cannot hold', () => {
  for (const shape of [[1, 1, 1, 1, 1, 1, 1, 1, 1], [1.5], [Number.NaN], [-2], [2 ** 31]]) {
    for (const encode of [dimsBytes, dimsValue]) {
      assert.throws(
        () => encode(shape, narrow),
        (thrown: unknown) =>
          thrown instanceof FfiError && thrown.kind === 'usage' && thrown.message.includes(`[${shape.join(', ')}]`),
      )
    }
  }
  assert.equal(dimsBytes([2 ** 31], wide).length, 72)
})
