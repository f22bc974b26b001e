import assert from 'node:assert/strict'
import test from 'node:test'
import {
  attributeFloat,
  attributeFloats,
  attributeInt,
  attributeInts,
  attributeOf,
  attributeString,
  attributeTensor,
  bytesPerElement,
  dimsOf,
  dtypeFromDataType,
  dtypeOf,
  hasShape,
  newGraph,
  newModel,
  newNode,
  newValueInfo,
  normalDomain,
  opsetOf,
  safeNumber,
  tensorDims,
} from './access.ts'

const node = newNode({
  opType: 'X',
  attribute: [
    { name: 'ints', ints: [0n, -1n, 2n ** 40n], type: 7 },
    { name: 'none', type: 7 },
    { name: 'noFloats', type: 6 },
    { name: 'float', f: 0.5, type: 1 },
    { name: 'int', i: -3n, type: 2 },
    { name: 'text', s: new TextEncoder().encode('größer'), type: 3 },
    { name: 'floats', floats: [1, 0.25], type: 6 },
    { name: 'tensor', t: { dims: [2n], dataType: 1, name: 't' }, type: 4 },
  ],
})

test('attribute helpers read each kind', () => {
  assert.deepEqual(attributeInts(node, 'ints'), [0, -1, 2 ** 40])
  assert.equal(attributeFloat(node, 'float'), 0.5)
  assert.equal(attributeInt(node, 'int'), -3)
  assert.equal(attributeString(node, 'text'), 'größer')
  assert.deepEqual(attributeFloats(node, 'floats'), [1, 0.25])
  assert.equal(attributeTensor(node, 'tensor')!.name, 't')
  assert.equal(attributeOf(node, 'int')!.i, -3n)
})

test('attribute helpers give an empty list when one is declared empty', () => {
  assert.deepEqual(attributeInts(node, 'none'), [])
  assert.deepEqual(attributeFloats(node, 'noFloats'), [])
})

test('attribute helpers give undefined for an attribute that is absent or of another kind', () => {
  for (const read of [attributeInts, attributeInt, attributeFloat, attributeFloats, attributeString, attributeTensor]) {
    assert.equal(read(node, 'absent'), undefined)
  }
  assert.equal(attributeInts(node, 'float'), undefined)
  assert.equal(attributeFloats(node, 'none'), undefined)
  assert.equal(attributeInt(node, 'text'), undefined)
})

test('attributeString() reads a view into a larger file', () => {
  const file = new TextEncoder().encode('before SAME after')
  const view = newNode({ opType: 'X', attribute: [{ name: 'auto_pad', s: file.subarray(7, 11), type: 3 }] })
  assert.equal(attributeString(view, 'auto_pad'), 'SAME')
})

test('dimsOf(), dtypeOf() and hasShape() read what newValueInfo() declares', () => {
  const value = newValueInfo('x', 'int8', ['batch', 3, ''])
  assert.deepEqual(dimsOf(value), ['batch', 3, ''])
  assert.equal(dtypeOf(value), 'int8')
  assert.ok(hasShape(value))
  assert.ok(hasShape(newValueInfo('scalar', 'float32', [])))
  assert.ok(!hasShape(newValueInfo('open', 'float32')))
  assert.deepEqual(dimsOf(newValueInfo('open', 'float32')), [])
  assert.equal(dtypeOf({ name: 'untyped' }), undefined)
  assert.equal(dtypeOf({ name: 'list', type: { sequenceType: {} } }), undefined)
})

test('tensorDims() and safeNumber() refuse what a number cannot hold', () => {
  assert.deepEqual(tensorDims({ name: 't', dims: [2n, 0n] }), [2, 0])
  assert.throws(() => tensorDims({ name: 't', dims: [2n, -1n] }), {
    exit: 'usage',
    message: /"t": it has a dimension of -1/,
  })
  assert.throws(() => tensorDims({ name: 't', dims: [2n ** 53n] }), { exit: 'usage', message: /beyond 2\^53/ })
  assert.equal(safeNumber(-5n, 'it'), -5)
})

test('dtypeFromDataType() knows the types of Tensor and no other', () => {
  assert.equal(dtypeFromDataType(1), 'float32')
  assert.equal(dtypeFromDataType(16), 'bfloat16')
  for (const other of [undefined, 0, 8, 14, 17, 22, 99]) assert.equal(dtypeFromDataType(other), undefined)
  assert.equal(bytesPerElement('bool'), 1)
  assert.equal(bytesPerElement('float16'), 2)
})

test('opsetOf() takes both names of the domain of ONNX', () => {
  const both = newModel({
    opsetImport: [
      { domain: 'com.microsoft', version: 1 },
      { domain: 'ai.onnx', version: 12 },
    ],
  })
  assert.equal(opsetOf(both), 12)
  assert.equal(opsetOf(both, 'com.microsoft'), 1)
  assert.equal(opsetOf(newModel({ opsetImport: [{ version: 9 }] })), 9)
  assert.equal(opsetOf(newModel()), undefined)
  assert.equal(normalDomain(undefined), '')
})

test('newNode(), newGraph() and newModel() give lists of their own', () => {
  newNode({ opType: 'X' }).input.push('a')
  newGraph().node.push(newNode({ opType: 'X' }))
  newModel().graph.node.push(newNode({ opType: 'X' }))
  assert.deepEqual(newNode({ opType: 'X' }).input, [])
  assert.deepEqual(newGraph().node, [])
  assert.deepEqual(newModel().graph.node, [])
})
