/**
 * Shape rules of operators that make a tensor from attributes, from numbers or from a shape.
 */
import {
  attributeFloats,
  attributeInt,
  attributeInts,
  attributeOf,
  attributeTensor,
  dtypeFromDataType,
  tensorDims,
} from '../../formats/onnx/access.ts'
import { numbersAt, type Dim, type Rule } from './value.ts'

const shapeOf: Rule = ({ node, inputs: [x] }) => {
  if (x === undefined) return []
  const dims = x.shape.slice(attributeInt(node, 'start') ?? 0, attributeInt(node, 'end') ?? x.shape.length)
  return [{ dtype: 'int64', shape: [dims.length] }]
}

const constant: Rule = ({ node }) => {
  const tensor = attributeTensor(node, 'value')
  const dtype = tensor && dtypeFromDataType(tensor.dataType)
  if (tensor) return [dtype && { dtype, shape: tensorDims(tensor) }]
  const floats = attributeFloats(node, 'value_floats')
  const ints = attributeInts(node, 'value_ints')
  if (floats) return [{ dtype: 'float32', shape: [floats.length] }]
  if (ints) return [{ dtype: 'int64', shape: [ints.length] }]
  if (attributeOf(node, 'value_float')) return [{ dtype: 'float32', shape: [] }]
  return [attributeOf(node, 'value_int') && { dtype: 'int64', shape: [] }]
}

const constantOfShape: Rule = call => {
  const wanted = call.inputs[0]
  const value = attributeTensor(call.node, 'value')
  const dtype = value === undefined ? 'float32' : dtypeFromDataType(value.dataType)
  if (dtype === undefined || wanted === undefined) return []
  const rank = wanted.shape[0]
  const shape = wanted.constant ?? (typeof rank === 'number' ? Array<Dim>(rank).fill('') : undefined)
  return [shape && { dtype, shape }]
}

const range: Rule = call => {
  const ends = [0, 1, 2].map(i => numbersAt(call, i)?.[0])
  const dtype = call.inputs.find(value => value !== undefined)?.dtype
  const [start, limit, delta] = ends
  const isKnown = start !== undefined && limit !== undefined && delta !== undefined
  return [dtype && { dtype, shape: [isKnown ? Math.max(0, Math.ceil((limit - start) / delta)) : ''] }]
}

/** Operator to rule. */
export const makerRules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['Shape', shapeOf],
  ['Constant', constant],
  ['Size', ({ inputs: [x] }) => [x && { dtype: 'int64', shape: [] }]],
  ['ConstantOfShape', constantOfShape],
  ['Range', range],
])
