import assert from 'node:assert/strict'
import test from 'node:test'
import { arrayOf } from '../../lib/formats/tensor.ts'
import { abiTables } from './abi.ts'
import { elementBytes } from './elements.ts'

test('elementBytes() agrees with the arrays that node has, for each type of each major that it holds', () => {
  const types = new Set(Object.values(abiTables().majors).flatMap(({ dataTypes }) => dataTypes))
  const held = [...types].filter(type => elementBytes(type) !== null)
  assert.deepEqual(held, ['float32', 'float16', 'int8', 'int32', 'bool', 'uint8', 'bfloat16', 'int64'])
  for (const type of held) assert.equal(elementBytes(type), arrayOf[type as keyof typeof arrayOf].BYTES_PER_ELEMENT)
})

test('elementBytes() is null for what is smaller than a byte, or unknown', () => {
  for (const type of ['fp8', 'int4', 'fp4', 'e8m0', 'string', '', 'toString']) assert.equal(elementBytes(type), null)
})
