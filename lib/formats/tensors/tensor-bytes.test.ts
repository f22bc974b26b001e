import assert from 'node:assert/strict'
import test from 'node:test'
import { RunbookError } from '../../base/errors.ts'
import { byteLengthOf, bytesFromTensor, elementBytes, tensorFromBytes } from './tensor-bytes.ts'
import { float32 } from './tensor.ts'

test('tensorFromBytes() reads bytes that begin at an odd place of a larger buffer', () => {
  const whole = Buffer.from([9, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 9])
  const tensor = tensorFromBytes({ dtype: 'float32', shape: [2], bytes: whole.subarray(1, 9) })
  assert.deepEqual(tensor, { dtype: 'float32', shape: [2], data: Float32Array.of(1, 2) })
})

test('tensorFromBytes() copies, so that the buffer may be used again', () => {
  const bytes = Buffer.from([1, 2, 3])
  const tensor = tensorFromBytes({ dtype: 'uint8', shape: [3], bytes })
  bytes.fill(0)
  assert.deepEqual(tensor.data, Uint8Array.of(1, 2, 3))
})

test('tensorFromBytes() refuses a number of bytes that does not fit the shape', () => {
  assert.throws(
    () => tensorFromBytes({ dtype: 'int64', shape: [2], bytes: new Uint8Array(15) }),
    (error: unknown) => {
      return (
        error instanceof RunbookError &&
        error.exit === 'usage' &&
        /15 bytes as int64\[2\]: that takes 16/.test(error.message)
      )
    },
  )
})

test('tensorFromBytes() gives one element for a scalar and none for an empty axis', () => {
  assert.equal(tensorFromBytes({ dtype: 'int8', shape: [], bytes: Uint8Array.of(255) }).data[0], -1)
  assert.equal(tensorFromBytes({ dtype: 'float64', shape: [0, 3], bytes: new Uint8Array(0) }).data.length, 0)
})

test('bytesFromTensor() gives back what tensorFromBytes() took, for a view into a larger array too', () => {
  const values = Float32Array.of(7, 1, -2, 7)
  const bytes = bytesFromTensor(float32([2], values.subarray(1, 3)))
  assert.equal(Buffer.from(bytes).toString('hex'), '0000803f000000c0')
})

test('bytesFromTensor() refuses data of another length or type than the tensor says', () => {
  const short = { dtype: 'float32', shape: [3], data: new Float32Array(2) } as const
  assert.throws(() => bytesFromTensor(short), /float32\[3\]: its data is a Float32Array of 2/)
  const other = { dtype: 'int8', shape: [2], data: new Uint8Array(2) } as const
  assert.throws(() => bytesFromTensor(other), /int8\[2\]: its data is a Uint8Array of 2/)
})

test('byteLengthOf() counts two bytes for a bfloat16 and one for a bool', () => {
  assert.deepEqual([elementBytes('bfloat16'), elementBytes('bool')], [2, 1])
  assert.deepEqual([byteLengthOf('float16', [3, 4]), byteLengthOf('uint64', [])], [24, 8])
})
