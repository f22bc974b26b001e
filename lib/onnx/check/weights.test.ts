import assert from 'node:assert/strict'
import test from 'node:test'
import { dataTypes, newGraph, newNode, type TensorProto } from '../../formats/onnx/index.ts'
import { arrayOf, type Dtype } from '../../formats/tensors/tensor.ts'
import { checkWeights, notFinite } from './weights.ts'

const nan = (fields: Partial<TensorProto> = {}): TensorProto => ({
  dims: [2n],
  dataType: 1,
  name: '',
  floatData: Float32Array.of(0, Number.NaN),
  ...fields,
})

const look = (dtype: Dtype, ...values: number[]) =>
  notFinite({ dtype, shape: [values.length], data: (arrayOf[dtype] as typeof Uint16Array).from(values) })

test('notFinite() knows the bits of each floating type, and leaves integers alone', () => {
  assert.deepEqual(look('float16', 0x3c00, 0xfc00), { what: 'infinity', first: 1, count: 1 })
  assert.deepEqual(look('float16', 0x7bff, 0x7e00), { what: 'NaN', first: 1, count: 1 })
  assert.deepEqual(look('bfloat16', 0x7f80), { what: 'infinity', first: 0, count: 1 })
  assert.deepEqual(look('bfloat16', 0xffc0), { what: 'NaN', first: 0, count: 1 })
  assert.deepEqual(look('float64', 1, -Infinity), { what: 'infinity', first: 1, count: 1 })
  assert.equal(look('bfloat16', 0x7c00), undefined)
  assert.equal(look('uint16', 0x7c00), undefined)
  assert.equal(look('float32'), undefined)
})

test('notFinite() counts all, and gives the first', () => {
  const data = new Float32Array(1000).fill(1)
  data[7] = -Infinity
  data[999] = Number.NaN
  assert.deepEqual(notFinite({ dtype: 'float32', shape: [1000], data }), { what: 'infinity', first: 7, count: 2 })
})

test('notFinite() takes the largest and the smallest numbers as finite', () => {
  const data = Float32Array.of(3.4028234663852886e38, -3.4028234663852886e38, 1e-45, -0)
  assert.equal(notFinite({ dtype: 'float32', shape: [4], data }), undefined)
})

test('checkWeights() looks into Constant nodes, and names them by what they make', () => {
  const constant = newNode({ opType: 'Constant', output: ['c'], attribute: [{ name: 'value', t: nan(), type: 4 }] })
  assert.deepEqual(checkWeights(newGraph({ node: [constant] })), ['The tensor "c" [2] holds NaN at [1]'])
})

test('checkWeights() looks into subgraphs and sparse initializers', () => {
  const body = newGraph({ initializer: [nan({ name: 'inner' })] })
  const attribute = [
    { name: 'then_branch', g: body },
    { name: 'more', graphs: [body] },
  ]
  const node = newNode({ opType: 'If', output: ['y'], attribute })
  const graph = newGraph({ node: [node], sparseInitializer: [{ values: nan({ name: 'sparse' }), dims: [9n] }] })
  assert.deepEqual(checkWeights(graph), [
    'The tensor "sparse" [2] holds NaN at [1]',
    'The tensor "inner" [2] holds NaN at [1]',
    'The tensor "inner" [2] holds NaN at [1]',
  ])
})

test('checkWeights() passes over types that hold no NaN, and complains of one that has no type', () => {
  const text = { dims: [1n], dataType: 8, name: 'text', stringData: [new Uint8Array(1)] }
  const int4 = { dims: [2n], dataType: 22, name: 'int4', rawData: new Uint8Array(1) }
  const whole = { dims: [1n], dataType: dataTypes.int64, name: 'whole', int64Data: BigInt64Array.of(1n) }
  assert.deepEqual(checkWeights(newGraph({ initializer: [text, int4, whole] })), [])
  const [problem, ...more] = checkWeights(
    newGraph({ initializer: [{ dims: [1n], name: 'w', rawData: new Uint8Array(4) }] }),
  )
  assert.equal(problem, 'Cannot read the tensor "w": its element type is undefined')
  assert.deepEqual(more, [])
})

test('checkWeights() says when a weight does not say in which file it lies', () => {
  const [problem] = checkWeights(newGraph({ initializer: [{ dims: [1n], dataType: 1, name: 'w', dataLocation: 1 }] }))
  assert.match(problem!, /"w": it lies in another file, and does not say which/)
})
