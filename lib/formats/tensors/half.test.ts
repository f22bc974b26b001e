import assert from 'node:assert/strict'
import test from 'node:test'
import { RunbookError } from '../../base/errors.ts'
import { float32FromBfloat, float32FromHalf, widened } from './half.ts'

test('float32FromHalf is exact for normal, subnormal and endless values', () => {
  const bits = [0x0000, 0x8000, 0x3c00, 0xc000, 0x3555, 0x0001, 0x03ff, 0x0400, 0x7bff, 0x7c00, 0xfc00]
  const want = [0, -0, 1, -2, 0.333251953125, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, 65504, Infinity, -Infinity]
  assert.deepEqual([...float32FromHalf(Uint16Array.from(bits))], want)
  assert.ok(Number.isNaN(float32FromHalf(Uint16Array.of(0x7e01))[0]))
})

test('float32FromBfloat puts its bits into the upper half', () => {
  assert.deepEqual([...float32FromBfloat(Uint16Array.of(0x3f80, 0xc000, 0x4049))], [1, -2, 3.140625])
})

test('widened leaves float32 alone and refuses integers', () => {
  const tensor = { dtype: 'float32', shape: [1], data: Float32Array.of(2) } as const
  assert.equal(widened('x', tensor), tensor)
  assert.deepEqual(widened('x', { dtype: 'float16', shape: [1], data: Uint16Array.of(0x4000) }), tensor)
  assert.deepEqual(widened('x', { dtype: 'bfloat16', shape: [1], data: Uint16Array.of(0x4000) }), tensor)
  assert.throws(() => widened('x', { dtype: 'int8', shape: [1], data: Int8Array.of(2) }), RunbookError)
})
