import assert from 'node:assert/strict'
import { MessageChannel } from 'node:worker_threads'
import test from 'node:test'
import { koffi } from '../load.ts'
import { described, elements, elementTypeOf, nativeTensor, type ElementType } from './elements.ts'

const names = Object.keys(elements) as ElementType[]

test('elementTypeOf() finds each type by its number, and nothing for strings, complex and 8-bit floats', () => {
  for (const name of names) assert.equal(elementTypeOf(elements[name].code), name)
  for (const code of [0, 8, 14, 15, 17, 20, -1, 1e9]) assert.equal(elementTypeOf(code), undefined)
})

test('nativeTensor() is zeros of the right length, at an address that is a multiple of 64', () => {
  for (const name of names) {
    const tensor = nativeTensor(name, [2, 3])
    assert.equal(tensor.data.length, 6)
    assert.ok(tensor.data instanceof elements[name].array)
    assert.ok([...tensor.data].every(value => Number(value) === 0))
    assert.equal(tensor.address % 64n, 0n)
    assert.equal(tensor.address, koffi().address(tensor.data))
  }
})

test('nativeTensor() has one element for a scalar and none for an empty dimension', () => {
  assert.equal(nativeTensor('float32', []).data.length, 1)
  assert.equal(nativeTensor('int64', [3, 0]).data.length, 0)
})

test('nativeTensor() does not share its shape with the caller', () => {
  const shape = [1, 2]
  const tensor = nativeTensor('int8', shape)
  shape[0] = 9
  assert.deepEqual(tensor.shape, [1, 2])
})

test('nativeTensor() refuses dimensions that are none, and more than an array holds', () => {
  for (const bad of [-1, 1.5, Number.NaN, Infinity])
    assert.throws(() => nativeTensor('float32', [1, bad]), { kind: 'usage', message: /no whole number of 0 or more/ })
  assert.throws(() => nativeTensor('float32', [1e6, 1e6, 1e3]), {
    kind: 'usage',
    message: /it takes 4000000000000000 bytes/,
  })
})

test('nativeTensor() stays where it is, however much is allocated and collected', () => {
  const small = Array.from({ length: 50 }, () => nativeTensor('float32', [2]))
  let junk: unknown[] = []
  for (let i = 0; i < 200_000; i++) {
    junk.push(new Float32Array(8))
    if (junk.length > 1000) junk = []
  }
  for (const tensor of small) assert.equal(koffi().address(tensor.data), tensor.address)
})

test('nativeTensor() is written by native code where its array reads', () => {
  const tensor = nativeTensor('int32', [4])
  koffi().encode(tensor.address, koffi().array('int32_t', 4), [1, -2, 3, -4])
  assert.deepEqual([...tensor.data], [1, -2, 3, -4])
  tensor.data[1] = 7
  assert.equal((koffi().decode(tensor.address, 'int32_t', 4) as Int32Array)[1], 7)
})

test('nativeTensor() keeps its buffer when someone tries to move it to another thread', () => {
  const tensor = nativeTensor('float32', [16])
  const { port1, port2 } = new MessageChannel()
  try {
    port1.postMessage(tensor.data, [tensor.data.buffer as ArrayBuffer])
  } catch {
    // Newer versions of node throw; older ones leave the buffer where it is without a word.
  }
  port1.close()
  port2.close()
  assert.equal(tensor.data.length, 16)
})

test('described() writes a type and shape as people do', () => {
  assert.equal(described({ dtype: 'float32', shape: [1, 'frames', 3] }), 'float32[1, frames, 3]')
})
