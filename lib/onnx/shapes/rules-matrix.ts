/**
 * Shape rules of matrix products, recurrent layers, reductions and changes of element type.
 */
import { attributeInt, attributeString, dtypeFromDataType } from '../../formats/onnx/access.ts'
import type { Dtype } from '../../formats/tensors/tensor.ts'
import {
  axisOf,
  broadcast,
  contradiction,
  listOf,
  show,
  showShape,
  type Call,
  type Dim,
  type Rule,
  type Value,
} from './value.ts'

const differ = (a: Dim | undefined, b: Dim | undefined): boolean =>
  typeof a === 'number' && typeof b === 'number' && a !== b

/**
 * MatMul of two shapes as NumPy does it.
 *
 * @throws RunbookError usage when they do not fit
 */
export function matMulShape(call: Call, a: Value, b: Value): Dim[] {
  const fail = () => contradiction(call, `${show(a)} and ${show(b)} do not multiply`)
  if (a.shape.length === 0 || b.shape.length === 0) fail()
  const left = a.shape.length === 1 ? [1, ...a.shape] : a.shape
  const right = b.shape.length === 1 ? [...b.shape, 1] : b.shape
  const batch = broadcast(left.slice(0, -2), right.slice(0, -2)) ?? fail()
  if (differ(left.at(-1), right.at(-2))) fail()
  return [...batch, ...(a.shape.length === 1 ? [] : [left.at(-2)!]), ...(b.shape.length === 1 ? [] : [right.at(-1)!])]
}

const matMul: Rule = call => {
  const [a, b] = call.inputs
  return [a && b && { dtype: a.dtype, shape: matMulShape(call, a, b) }]
}

/** a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point. */
const qlinearMatMul: Rule = call => {
  const { 0: a, 3: b, 7: zero } = call.inputs
  return [a && b && zero && { dtype: zero.dtype, shape: matMulShape(call, a, b) }]
}

const integerMatMul: Rule = call => {
  const [a, b] = call.inputs
  return [a && b && { dtype: 'int32', shape: matMulShape(call, a, b) }]
}

const gemm: Rule = call => {
  const [a, b, c] = call.inputs
  if (a === undefined || b === undefined) return []
  if (a.shape.length !== 2 || b.shape.length !== 2)
    contradiction(call, `${show(a)} and ${show(b)} are not both matrices`)
  const [m, k] = attributeInt(call.node, 'transA') === 1 ? a.shape.toReversed() : a.shape
  const [k2, n] = attributeInt(call.node, 'transB') === 1 ? b.shape.toReversed() : b.shape
  if (differ(k, k2)) contradiction(call, `${show(a)} and ${show(b)} do not multiply: ${k} against ${k2}`)
  const shape = [m!, n!]
  const sum = c && broadcast(shape, c.shape)
  if (c && (sum === undefined || sum.some((dim, i) => differ(dim, shape[i])))) {
    contradiction(call, `${show(c)} does not broadcast to the product ${showShape(shape)}`)
  }
  return [{ dtype: a.dtype, shape }]
}

const gates: Record<string, number> = { LSTM: 4, GRU: 3, RNN: 1 }

const recurrent: Rule = call => {
  const [x, weight, recurrence] = call.inputs
  if (x === undefined) return []
  if (x.shape.length !== 3) contradiction(call, `${show(x)} is not [time, batch, features]`)
  const directions = attributeString(call.node, 'direction') === 'bidirectional' ? 2 : 1
  const hidden = attributeInt(call.node, 'hidden_size') ?? recurrence?.shape[2] ?? ''
  const rows = typeof hidden === 'number' ? hidden * gates[call.node.opType]! : ''
  if (
    weight &&
    (differ(weight.shape[2], x.shape[2]) || differ(weight.shape[1], rows) || differ(weight.shape[0], directions))
  ) {
    contradiction(call, `weight ${showShape(weight.shape)} does not fit the input ${show(x)} and hidden_size ${hidden}`)
  }
  const isBatchFirst = attributeInt(call.node, 'layout') === 1
  const [time, batch] = (isBatchFirst ? [x.shape[1], x.shape[0]] : x.shape) as [Dim, Dim]
  const { dtype } = x
  const state: Value = { dtype, shape: isBatchFirst ? [batch, directions, hidden] : [directions, batch, hidden] }
  return [
    { dtype, shape: isBatchFirst ? [batch, time, directions, hidden] : [time, directions, batch, hidden] },
    state,
    state,
  ]
}

/** Reduce*: axes are an attribute up to operator set 17 (12 for ReduceSum), an input after it. */
const reduce: Rule = call => {
  const x = call.inputs[0]
  if (x === undefined) return []
  const keep = attributeInt(call.node, 'keepdims') !== 0
  const rank = x.shape.length
  const axes = listOf(call, { input: 1, attribute: 'axes' })
  if (axes === 'unknown') return [keep ? { dtype: x.dtype, shape: x.shape.map(() => '') } : undefined]
  const isNone = axes === 'absent' || axes.length === 0
  if (isNone && attributeInt(call.node, 'noop_with_empty_axes') === 1) return [{ dtype: x.dtype, shape: x.shape }]
  const gone = new Set(isNone ? x.shape.keys() : axes.map(axis => axisOf(call, axis, rank)))
  return [{ dtype: x.dtype, shape: x.shape.flatMap((dim, i) => (gone.has(i) ? (keep ? [1] : []) : [dim])) }]
}

const argExtreme: Rule = call => {
  const x = call.inputs[0]
  if (x === undefined) return []
  const axis = axisOf(call, attributeInt(call.node, 'axis') ?? 0, x.shape.length)
  const keep = attributeInt(call.node, 'keepdims') !== 0
  return [{ dtype: 'int64', shape: x.shape.flatMap((dim, i) => (i === axis ? (keep ? [1] : []) : [dim])) }]
}

function checkScale(call: Call, x: Value, scale: Value | undefined): void {
  if (scale?.shape.length !== 1 || scale.shape[0] === 1 || x.shape.length === 0) return
  const axis = axisOf(call, attributeInt(call.node, 'axis') ?? 1, x.shape.length)
  if (differ(scale.shape[0], x.shape[axis])) {
    contradiction(call, `scale ${showShape(scale.shape)} does not fit axis ${axis} of ${show(x)}`)
  }
}

const quantize: Rule = call => {
  const [x, scale, zero] = call.inputs
  if (x === undefined) return []
  checkScale(call, x, scale)
  const isZeroUnknown = zero === undefined && (call.node.input[2] ?? '') !== ''
  const dtype: Dtype | undefined = zero?.dtype ?? dtypeFromDataType(attributeInt(call.node, 'output_dtype')) ?? 'uint8'
  return [isZeroUnknown ? undefined : { dtype, shape: x.shape }]
}

const dequantize: Rule = call => {
  const [x, scale] = call.inputs
  if (x === undefined) return []
  checkScale(call, x, scale)
  return [{ dtype: scale?.dtype ?? 'float32', shape: x.shape }]
}

const dynamicQuantize: Rule = ({ inputs: [x] }) =>
  x === undefined
    ? []
    : [
        { dtype: 'uint8', shape: x.shape },
        { dtype: 'float32', shape: [] },
        { dtype: 'uint8', shape: [] },
      ]

const cast: Rule = ({ node, inputs: [x] }) => {
  const dtype = dtypeFromDataType(attributeInt(node, 'to'))
  return [x && dtype && { dtype, shape: x.shape }]
}

const named = (rule: Rule, ops: string): [string, Rule][] => ops.split(' ').map(op => [op, rule])

/** Operator to rule. */
export const matrixRules: ReadonlyMap<string, Rule> = new Map([
  ...named(
    reduce,
    'ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ' +
      'ReduceSumSquare ReduceLogSum ReduceLogSumExp',
  ),
  ...named(recurrent, 'LSTM GRU RNN'),
  ...named(argExtreme, 'ArgMax ArgMin'),
  ['MatMul', matMul],
  ['MatMulInteger', integerMatMul],
  ['QLinearMatMul', qlinearMatMul],
  ['Gemm', gemm],
  ['QuantizeLinear', quantize],
  ['DequantizeLinear', dequantize],
  ['DynamicQuantizeLinear', dynamicQuantize],
  ['Cast', cast],
])
