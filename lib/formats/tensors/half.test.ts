import assert from 'node:assert/strict'
import test from 'node:test'
import { RunbookError } from '../../base/errors.ts'
import { float32FromBfloat, float32FromHalf, halfFromFloat32, widened } from './half.ts'

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

test('halfFromFloat32 gives each float16 back, and rounds halves to the even neighbour', () => {
  const all = Uint16Array.from({ length: 0x1_0000 }, (_, bits) => bits).filter(bits => (bits & 0x7fff) <= 0x7c00)
  assert.deepEqual(halfFromFloat32(float32FromHalf(all)), all)
  const values = float32FromHalf(all)
  for (let bits = 0; bits < 0x7bff; bits += 7) {
    const [low, high] = [values[bits]!, values[bits + 1]!]
    const middle = Math.fround((low + high) / 2)
    const even = (bits & 1) === 0 ? bits : bits + 1
    const below = Math.fround(middle - (high - low) * 0.01)
    assert.deepEqual(
      [...halfFromFloat32(Float32Array.of(middle, below, -middle))],
      [even, bits, 0x8000 | even],
      `${bits}`,
    )
  }
  assert.deepEqual(
    [...halfFromFloat32(Float32Array.of(65519, 65520, -1e9, 2 ** -25, 2 ** -26))],
    [0x7bff, 0x7c00, 0xfc00, 0, 0],
  )
  assert.equal(halfFromFloat32(Float32Array.of(NaN))[0]! & 0x7e00, 0x7e00)
})
