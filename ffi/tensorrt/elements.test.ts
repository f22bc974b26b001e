import assert from 'node:assert/strict'
import test from 'node:test'
import { arrayOf } from '../../lib/formats/tensors/tensor.ts'
import { FfiError } from '../errors.ts'
import { abiTables } from './abi/abi.ts'
import { elementBytes, mustBePlain } from './elements.ts'
import type { IoTensor } from './runtime.ts'

test('elementBytes() agrees with the arrays that node has, for each type of each major that it holds', () => {
  const types = new Set(Object.values(abiTables().majors).flatMap(({ dataTypes }) => dataTypes))
  const held = [...types].filter(type => elementBytes(type) !== null)
  assert.deepEqual(held, ['float32', 'float16', 'int8', 'int32', 'bool', 'uint8', 'bfloat16', 'int64'])
  for (const type of held) assert.equal(elementBytes(type), arrayOf[type as keyof typeof arrayOf].BYTES_PER_ELEMENT)
})

test('elementBytes() is null for what is smaller than a byte, or unknown', () => {
  for (const type of ['fp8', 'int4', 'fp4', 'e8m0', 'string', '', 'toString']) assert.equal(elementBytes(type), null)
})

test('mustBePlain() says which tensor it refuses, why, and what to build instead', () => {
  const plain: IoTensor = {
    name: 'q',
    mode: 'input',
    dtype: 'bfloat16',
    shape: [4],
    location: 'device',
    isShape: false,
    isLinear: true,
    profiles: [],
  }
  mustBePlain(plain)
  for (const [odd, message, hint] of [
    [
      { dtype: 'fp8' },
      'Cannot bind the input "q": its elements are fp8, for which there is no array here',
      /cast it in the ONNX file to one of float32, float16/,
    ],
    [
      { dtype: 'int4', mode: 'output' },
      'Cannot bind the output "q": its elements are int4, for which there is no array here',
      /cast it/,
    ],
    [
      { isShape: true, dtype: 'int64' },
      'Cannot bind the input "q": it is a shape tensor, whose values decide the shapes of others',
      /constants of the ONNX file/,
    ],
    [
      { isLinear: false },
      'Cannot bind the input "q": its layout is padded or interleaved',
      /--inputIOFormats=fp32:chw/,
    ],
  ] as const) {
    assert.throws(
      () => mustBePlain({ ...plain, ...odd }),
      (thrown: unknown) =>
        thrown instanceof FfiError && thrown.kind === 'refused' && thrown.message === message && hint.test(thrown.hint),
    )
  }
})
