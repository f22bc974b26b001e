/**
 * Shape rules of operators that work element by element, or along an axis without changing it.
 */
import { contradiction, broadcast, show, type Call, type Rule, type Value } from './value.ts'

/** The output is what input 0 is. */
export const same: Rule = ({ inputs }) => {
  const x = inputs[0]
  return [x && { dtype: x.dtype, shape: x.shape }]
}

function broadcastAll(call: Call, operands: readonly (Value | undefined)[]): Value | undefined {
  let out: Value | undefined
  for (const operand of operands) {
    if (operand === undefined) return undefined
    if (out === undefined) {
      out = operand
      continue
    }
    if (operand.dtype !== out.dtype) contradiction(call, `${show(out)} and ${show(operand)} differ in element type`)
    const shape = broadcast(out.shape, operand.shape)
    if (shape === undefined) contradiction(call, `${show(out)} and ${show(operand)} do not broadcast`)
    out = { dtype: out.dtype, shape }
  }
  return out && { dtype: out.dtype, shape: out.shape }
}

/** Any number of inputs of one type, broadcast together. */
const broadcasting: Rule = call => [
  broadcastAll(
    call,
    call.node.input.map((_, i) => call.inputs[i]),
  ),
]

/** The exponent of Pow may have a type of its own. */
const pow: Rule = call => {
  const [base, exponent] = call.inputs
  return [broadcastAll(call, [base, base && exponent && { ...exponent, dtype: base.dtype }])]
}

const comparing: Rule = call => {
  const [out] = broadcasting(call)
  return [out && { ...out, dtype: 'bool' }]
}

const where: Rule = call => {
  const [condition, x, y] = call.inputs
  if (condition === undefined || x === undefined) return []
  return [broadcastAll(call, [{ ...condition, dtype: x.dtype }, x, y])]
}

const toBool: Rule = ({ inputs }) => [inputs[0] && { dtype: 'bool', shape: inputs[0].shape }]

const dropout: Rule = call => [...same(call), ...toBool(call)]

/** BatchNormalization, InstanceNormalization: scale and bias hold one value a channel. */
const normalization: Rule = call => {
  const [x, scale] = call.inputs
  const channels = x?.shape[1]
  if (typeof channels === 'number' && typeof scale?.shape[0] === 'number' && scale.shape[0] !== channels) {
    contradiction(call, `scale ${show(scale)} does not fit the ${channels} channels of ${x && show(x)}`)
  }
  return same(call)
}

const named = (rule: Rule, ops: string): [string, Rule][] => ops.split(' ').map(op => [op, rule])

/** Operator to rule. */
export const elementwiseRules: ReadonlyMap<string, Rule> = new Map([
  ...named(
    same,
    'Relu Sigmoid Tanh Clip Neg Abs Exp Log Sqrt Reciprocal Floor Ceil Round Sign Erf ' +
      'LeakyRelu Elu Selu Celu Gelu Softplus',
  ),
  ...named(
    same,
    'Softsign HardSigmoid HardSwish Mish ThresholdedRelu PRelu Softmax LogSoftmax Hardmax ' +
      'Sin Cos Tan Asin Acos Atan Sinh Cosh',
  ),
  ...named(
    same,
    'LayerNormalization RMSNormalization GroupNormalization LpNormalization LRN CumSum Identity Not BitwiseNot Trilu',
  ),
  ...named(normalization, 'BatchNormalization InstanceNormalization'),
  ...named(broadcasting, 'Add Sub Mul Div Mod Min Max Sum Mean And Or Xor'),
  ...named(comparing, 'Equal Greater Less GreaterOrEqual LessOrEqual'),
  ...named(toBool, 'IsNaN IsInf'),
  ['Pow', pow],
  ['Where', where],
  ['Dropout', dropout],
])
