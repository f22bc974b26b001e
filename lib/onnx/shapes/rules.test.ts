import assert from 'node:assert/strict'
import test from 'node:test'
import type { ModelProto } from '../../formats/onnx/index.ts'
import { float32, sizeOf, type Tensor } from '../../formats/tensors/tensor.ts'
import type { AttributeValue } from '../builder.ts'
import { ints, measuredShapes, oneNode } from '../../testing/onnx/graphs.ts'
import { inferShapes } from './infer.ts'

type Given = Parameters<typeof oneNode>[1][string]
type Case = [
  op: string,
  inputs: Given[],
  wanted: string,
  options?: { attributes?: Record<string, AttributeValue>; opset?: number; outputs?: number },
]

const f = (...shape: (number | string)[]): Given => ['float32', shape]
const weight = (...shape: number[]): Tensor => float32(shape, new Float32Array(sizeOf(shape)))
const scalar = (value: number): Tensor => ({ dtype: 'int64', shape: [], data: BigInt64Array.of(BigInt(value)) })
const graphOf = ([op, inputs, , options]: Case) =>
  oneNode(op, Object.fromEntries(inputs.map((given, i) => [`x${i}`, given])), options)

/** `float32[1, 2]; int64[]`, one for each output; `-` where nothing is known. */
function outcome(model: ModelProto, count = 1): string {
  const shapes = inferShapes(model)
  return Array.from({ length: count }, (_, i) => {
    const value = shapes.get(`y${i}`)
    return value ? `${value.dtype}[${value.shape.map(dim => (dim === '' ? '?' : dim)).join(', ')}]` : '-'
  }).join('; ')
}

async function checkAll(cases: readonly Case[], o: { oracle: boolean }): Promise<void> {
  for (const entry of cases) {
    const [op, , wanted, options] = entry
    const model = graphOf(entry)
    const count = options?.outputs ?? 1
    assert.equal(outcome(model, count), wanted, `${op} ${JSON.stringify(options ?? {})}`)
    if (!o.oracle) continue
    const real = await measuredShapes(model)
    const said = Array.from({ length: count }, (_, i) => real.get(`y${i}`)!)
      .map(({ dtype, shape }) => `${dtype}[${shape.join(', ')}]`)
      .join('; ')
    assert.equal(said, wanted, `ONNX Runtime on ${op} ${JSON.stringify(options ?? {})}`)
  }
}

const convolutions: Case[] = [
  [
    'Conv',
    [f(1, 1, 1, 16000), weight(64, 1, 1, 16)],
    'float32[1, 64, 1, 2001]',
    { attributes: { kernel_shape: [1, 16], strides: [1, 8], pads: [0, 8, 0, 8] } },
  ],
  ['Conv', [f(1, 4, 9), weight(6, 4, 3), weight(6)], 'float32[1, 6, 7]'],
  ['Conv', [f(1, 4, 9), weight(4, 1, 3)], 'float32[1, 4, 5]', { attributes: { group: 4, dilations: [2] } }],
  [
    'Conv',
    [f(1, 4, 10), weight(6, 4, 3)],
    'float32[1, 6, 4]',
    { attributes: { auto_pad: 'SAME_UPPER', strides: [3] } },
  ],
  [
    'Conv',
    [f(1, 4, 10), weight(6, 4, 3)],
    'float32[1, 6, 5]',
    { attributes: { auto_pad: 'SAME_LOWER', strides: [2] } },
  ],
  ['Conv', [f(1, 4, 10), weight(6, 4, 3)], 'float32[1, 6, 4]', { attributes: { auto_pad: 'VALID', strides: [2] } }],
  ['Conv', [f(1, 4, 10), weight(6, 4, 3)], 'float32[1, 6, 11]', { attributes: { pads: [3, 0] } }],
  [
    'ConvTranspose',
    [f(1, 4, 1, 201), weight(4, 2, 1, 16)],
    'float32[1, 2, 1, 1600]',
    { attributes: { strides: [1, 8], pads: [0, 8, 0, 8] } },
  ],
  [
    'ConvTranspose',
    [f(1, 4, 9), weight(4, 3, 5)],
    'float32[1, 6, 22]',
    { attributes: { group: 2, strides: [2], output_padding: [1] } },
  ],
  [
    'ConvTranspose',
    [f(1, 4, 9), weight(4, 3, 5)],
    'float32[1, 3, 19]',
    { attributes: { strides: [2], output_shape: [19] } },
  ],
  [
    'ConvTranspose',
    [f(1, 4, 9), weight(4, 3, 5)],
    'float32[1, 3, 18]',
    { attributes: { strides: [2], auto_pad: 'SAME_UPPER' } },
  ],
  ['ConvTranspose', [f(1, 4, 9), weight(4, 3, 3)], 'float32[1, 3, 13]', { attributes: { dilations: [2] } }],
  ['MaxPool', [f(1, 2, 9)], 'float32[1, 2, 4]', { attributes: { kernel_shape: [3], strides: [2] } }],
  ['MaxPool', [f(1, 2, 10)], 'float32[1, 2, 5]', { attributes: { kernel_shape: [3], strides: [2], ceil_mode: 1 } }],
  ['MaxPool', [f(1, 2, 5)], 'float32[1, 2, 3]', { attributes: { kernel_shape: [1], strides: [2], ceil_mode: 1 } }],
  [
    'AveragePool',
    [f(1, 2, 9, 8)],
    'float32[1, 2, 9, 4]',
    { attributes: { kernel_shape: [3, 2], strides: [1, 2], pads: [1, 0, 1, 0] } },
  ],
  ['GlobalAveragePool', [f(2, 5, 7, 3)], 'float32[2, 5, 1, 1]'],
]

test('inferShapes() agrees with ONNX Runtime on convolutions and pooling', () =>
  checkAll(convolutions, { oracle: true }))

const layouts: Case[] = [
  ['Squeeze', [f(1, 2, 1, 5)], 'float32[1, 2, 5]', { attributes: { axes: [2] }, opset: 12 }],
  ['Squeeze', [f(1, 2, 1, 5), ints([-2])], 'float32[1, 2, 5]'],
  ['Squeeze', [f(1, 2, 1, 5)], 'float32[2, 5]'],
  ['Unsqueeze', [f(2, 5)], 'float32[1, 2, 5, 1]', { attributes: { axes: [0, 3] }, opset: 11 }],
  ['Unsqueeze', [f(2, 5), ints([0, -1])], 'float32[1, 2, 5, 1]'],
  ['Reshape', [f(2, 3, 4), ints([0, -1])], 'float32[2, 12]'],
  ['Reshape', [f(2, 3, 4), ints([-1, 0, 2])], 'float32[4, 3, 2]'],
  ['Reshape', [f(0, 3), ints([3, 0])], 'float32[3, 0]', { opset: 14, attributes: { allowzero: 1 } }],
  ['Flatten', [f(2, 3, 4)], 'float32[2, 12]'],
  ['Flatten', [f(2, 3, 4)], 'float32[1, 24]', { attributes: { axis: 0 } }],
  ['Flatten', [f(2, 3, 4)], 'float32[6, 4]', { attributes: { axis: -1 } }],
  ['Transpose', [f(2, 3, 4)], 'float32[4, 3, 2]'],
  ['Transpose', [f(2, 3, 4)], 'float32[3, 4, 2]', { attributes: { perm: [1, 2, 0] } }],
  ['Concat', [f(2, 3), f(2, 4)], 'float32[2, 7]', { attributes: { axis: -1 } }],
  [
    'Slice',
    [f(10, 8)],
    'float32[8, 3]',
    { opset: 9, attributes: { starts: [1, -3], ends: [9, 2147483647], axes: [0, 1] } },
  ],
  ['Slice', [f(10, 8), ints([9, 0]), ints([-100, 5]), ints([0, 1]), ints([-2, 1])], 'float32[5, 5]'],
  ['Slice', [f(10, 8), ints([6]), ints([3])], 'float32[0, 8]'],
  [
    'Split',
    [f(2, 9)],
    'float32[2, 4]; float32[2, 5]',
    { opset: 12, outputs: 2, attributes: { axis: 1, split: [4, 5] } },
  ],
  ['Split', [f(2, 9), ints([4, 5])], 'float32[2, 4]; float32[2, 5]', { outputs: 2, attributes: { axis: -1 } }],
  ['Split', [f(2, 9)], 'float32[2, 3]; float32[2, 3]; float32[2, 3]', { outputs: 3, attributes: { axis: 1 } }],
  [
    'Split',
    [f(2, 10)],
    'float32[2, 4]; float32[2, 4]; float32[2, 2]',
    { opset: 18, outputs: 3, attributes: { axis: 1, num_outputs: 3 } },
  ],
  ['Pad', [f(2, 9)], 'float32[2, 14]', { opset: 10, attributes: { pads: [0, 2, 0, 3] } }],
  ['Pad', [f(2, 9), ints([0, 2, 0, -1])], 'float32[2, 10]'],
  ['Pad', [f(2, 9), ints([2, 3]), null, ints([1])], 'float32[2, 14]', { opset: 18 }],
  ['Expand', [f(2, 1), ints([3, 1, 4])], 'float32[3, 2, 4]'],
  ['Tile', [f(2, 3), ints([1, 4])], 'float32[2, 12]'],
  ['Gather', [f(5, 6), { dtype: 'int64', shape: [2, 2], data: BigInt64Array.of(0n, 1n, 2n, 3n) }], 'float32[2, 2, 6]'],
  ['Gather', [f(5, 6), scalar(-1)], 'float32[5]', { attributes: { axis: 1 } }],
  ['ConstantOfShape', [ints([2, 3])], 'float32[2, 3]'],
  ['Range', [scalar(2), scalar(9), scalar(3)], 'int64[3]'],
  [
    'Resize',
    [f(1, 2, 4, 6), null, float32([4], [1, 1, 2, 0.5])],
    'float32[1, 2, 8, 3]',
    { attributes: { mode: 'nearest' } },
  ],
  [
    'Resize',
    [f(1, 2, 4, 6), null, null, ints([1, 2, 5, 7])],
    'float32[1, 2, 5, 7]',
    { attributes: { mode: 'linear' } },
  ],
]

test('inferShapes() agrees with ONNX Runtime on operators that move elements, in old and new operator sets', () =>
  checkAll(layouts, { oracle: true }))

const others: Case[] = [
  ['Add', [f(2, 1, 4), f(3, 1)], 'float32[2, 3, 4]'],
  ['Mul', [f(2, 3), float32([], [2])], 'float32[2, 3]'],
  ['Sum', [f(2, 1), f(3), f(1, 1)], 'float32[2, 3]'],
  ['Pow', [f(2, 3), ints([2])], 'float32[2, 3]'],
  ['Greater', [f(2, 1), f(3)], 'bool[2, 3]'],
  ['Where', [['bool', [2, 1]], f(3), f(1)], 'float32[2, 3]'],
  ['Clip', [f(2, 3)], 'float32[2, 3]', { opset: 10, attributes: { min: 0.5, max: 6.5 } }],
  ['Clip', [f(2, 3), float32([], [0]), float32([], [6])], 'float32[2, 3]'],
  ['Sigmoid', [f(2, 3)], 'float32[2, 3]'],
  ['Softmax', [f(2, 3)], 'float32[2, 3]', { attributes: { axis: -1 } }],
  ['LayerNormalization', [f(2, 3, 4), weight(4), weight(4)], 'float32[2, 3, 4]', { opset: 17 }],
  ['BatchNormalization', [f(2, 3, 4), weight(3), weight(3), weight(3), weight(3)], 'float32[2, 3, 4]'],
  ['Gemm', [f(2, 5), weight(7, 5), weight(7)], 'float32[2, 7]', { attributes: { transB: 1 } }],
  ['Gemm', [f(5, 2), weight(5, 7)], 'float32[2, 7]', { attributes: { transA: 1 } }],
  ['MatMul', [f(4, 1, 2, 5), weight(3, 5, 7)], 'float32[4, 3, 2, 7]'],
  ['MatMul', [f(5), weight(3, 5, 7)], 'float32[3, 7]'],
  ['MatMul', [f(2, 5), weight(5)], 'float32[2]'],
  ['ReduceMean', [f(2, 3, 4)], 'float32[2, 1, 4]', { attributes: { axes: [1] } }],
  ['ReduceMean', [f(2, 3, 4), ints([-1])], 'float32[2, 3]', { opset: 18, attributes: { keepdims: 0 } }],
  ['ReduceSum', [f(2, 3, 4)], 'float32[1, 1, 1]'],
  ['ReduceSum', [f(2, 3, 4)], 'float32[2, 3, 4]', { attributes: { noop_with_empty_axes: 1 } }],
  ['ArgMax', [f(2, 3, 4)], 'int64[2, 4]', { attributes: { axis: 1, keepdims: 0 } }],
  ['Cast', [f(2, 3)], 'int32[2, 3]', { attributes: { to: 6 } }],
  [
    'LSTM',
    [f(5, 2, 3), weight(1, 16, 3), weight(1, 16, 4)],
    'float32[5, 1, 2, 4]; float32[1, 2, 4]; float32[1, 2, 4]',
    { outputs: 3, attributes: { hidden_size: 4 } },
  ],
  [
    'GRU',
    [f(5, 2, 3), weight(2, 12, 3), weight(2, 12, 4)],
    'float32[5, 2, 2, 4]; float32[2, 2, 4]',
    { outputs: 2, attributes: { hidden_size: 4, direction: 'bidirectional' } },
  ],
  ['QuantizeLinear', [f(2, 3), float32([], [0.5])], 'uint8[2, 3]'],
  [
    'QuantizeLinear',
    [f(2, 3), float32([3], [1, 2, 3]), { dtype: 'int8', shape: [3], data: new Int8Array(3) }],
    'int8[2, 3]',
    { attributes: { axis: 1 } },
  ],
  ['DequantizeLinear', [['uint8', [2, 3]], float32([], [0.5])], 'float32[2, 3]'],
  ['DynamicQuantizeLinear', [f(2, 3)], 'uint8[2, 3]; float32[]; uint8[]', { outputs: 3 }],
  ['Dropout', [f(2, 3)], 'float32[2, 3]; bool[2, 3]', { outputs: 2 }],
]

test('inferShapes() agrees with ONNX Runtime on arithmetic, products, reductions and quantisation', () =>
  checkAll(others, { oracle: true }))

const named: Case[] = [
  ['Conv', [f('B', 4, 'T'), weight(6, 4, 3)], 'float32[B, 6, T]', { attributes: { pads: [1, 1] } }],
  ['Conv', [f('B', 4, 'T'), weight(6, 4, 3)], 'float32[B, 6, ?]'],
  ['Conv', [f('B', 4, 'T'), weight(6, 4, 1)], 'float32[B, 6, ?]', { attributes: { strides: [2] } }],
  ['Add', [f('B', 3), f(1, 3)], 'float32[B, 3]'],
  ['Add', [f('B', 3), f('B', 1)], 'float32[B, 3]'],
  ['Add', [f('B', 3), f('C', 3)], 'float32[?, 3]'],
  ['Add', [f('B', 3), f(8, 3)], 'float32[8, 3]'],
  ['Reshape', [f('B', 3, 4), ints([-1, 12])], 'float32[B, 12]'],
  ['Reshape', [f('B', 3, 4), ints([-1, 6])], 'float32[?, 6]'],
  ['Reshape', [f('B', 3, 4), ints([0, -1])], 'float32[B, 12]'],
  ['Reshape', [f('B', 3, 4), ['int64', [2]]], 'float32[?, ?]'],
  ['Reshape', [f('B', 3, 4), ['int64', ['n']]], '-'],
  ['Flatten', [f('B', 3, 4)], 'float32[B, 12]'],
  ['Squeeze', [f('B', 1)], '-'],
  ['Squeeze', [f('B', 1), ints([1])], 'float32[B]'],
  ['Concat', [f('B', 3), f('B', 4)], 'float32[B, 7]', { attributes: { axis: 1 } }],
  ['Concat', [f('B', 3), f(2, 'n')], 'float32[2, ?]', { attributes: { axis: 1 } }],
  ['Slice', [f('B', 8), ints([0, 2]), ints([2147483647, 4])], 'float32[B, 2]'],
  ['Slice', [f('B', 8), ['int64', [1]], ['int64', [1]]], 'float32[?, ?]'],
  ['MatMul', [f('B', 2, 'k'), weight(5, 7)], 'float32[B, 2, 7]'],
  [
    'LSTM',
    [f('T', 'B', 3), weight(1, 16, 3), weight(1, 16, 4)],
    'float32[T, 1, B, 4]',
    { attributes: { hidden_size: 4 } },
  ],
]

test('inferShapes() keeps names of dimensions, and says ? for what follows from no name', () =>
  checkAll(named, { oracle: false }))

const contradictions: [Case, RegExp][] = [
  [
    ['Conv', [f(1, 1, 1, 16000), weight(64, 3, 1, 16)], ''],
    /"it" \(Conv\): weight \[64, 3, 1, 16\] takes 3 channels a group, but the input float32\[1, 1, 1, 16000\] has 1$/,
  ],
  [
    ['Conv', [f(1, 4, 9), weight(4, 4, 3)], '', { attributes: { group: 2 } }],
    /takes 4 channels a group, but the input float32\[1, 4, 9\] has 4 in 2 groups/,
  ],
  [
    ['Conv', [f(1, 4, 9), weight(3, 2, 3)], '', { attributes: { group: 2 } }],
    /makes 3 channels, which 2 groups cannot share/,
  ],
  [
    ['Conv', [f(1, 4, 9), weight(6, 4, 3)], '', { attributes: { kernel_shape: [5] } }],
    /kernel_shape \[5\] does not fit the weight \[6, 4, 3\]/,
  ],
  [['Conv', [f(1, 4, 9), weight(6, 4, 3), weight(5)], ''], /bias \[5\] does not fit its 6 output channels/],
  [
    ['Conv', [f(1, 4, 9), weight(6, 4, 3)], '', { attributes: { dilations: [5] } }],
    /window of 11 is wider than dimension 2 of the input float32\[1, 4, 9\] with 0/,
  ],
  [['Conv', [f(1, 4, 9), weight(6, 4, 3)], '', { attributes: { pads: [1] } }], /pads \[1\] should hold 2 numbers/],
  [['Conv', [f(1, 4, 9), weight(6, 4, 3)], '', { attributes: { strides: [0] } }], /at least 1/],
  [['Conv', [f(1, 4, 9, 9), weight(6, 4, 3)], ''], /does not fit the rank of the input/],
  [['Conv', [['int32', [1, 4, 9]], weight(6, 4, 3)], ''], /differ in element type/],
  [['ConvTranspose', [f(1, 4, 9), weight(5, 2, 3)], ''], /takes 5 channels, but the input float32\[1, 4, 9\] has 4/],
  [
    ['ConvTranspose', [f(1, 4, 9), weight(4, 2, 3)], '', { attributes: { group: 3 } }],
    /takes 4 channels, which 3 groups cannot share/,
  ],
  [
    ['ConvTranspose', [f(1, 4, 1), weight(4, 2, 3)], '', { attributes: { pads: [2, 2] } }],
    /4 of padding leave nothing of dimension 2/,
  ],
  [['Add', [f(2, 3), f(2, 4)], ''], /\(Add\): float32\[2, 3\] and float32\[2, 4\] do not broadcast/],
  [['Add', [f(2, 3), ints([1])], ''], /float32\[2, 3\] and int64\[1\] differ in element type/],
  [['MatMul', [f(2, 3), weight(4, 5)], ''], /float32\[2, 3\] and float32\[4, 5\] do not multiply/],
  [['Gemm', [f(2, 3), weight(4, 5)], ''], /do not multiply: 3 against 4/],
  [['Gemm', [f(2, 3), weight(3, 5), weight(4)], ''], /float32\[4\] does not broadcast to the product \[2, 5\]/],
  [['Squeeze', [f(1, 2, 3), ints([1])], ''], /axis 1 of float32\[1, 2, 3\] is not 1/],
  [['Squeeze', [f(1, 2, 3), ints([3])], ''], /axis 3 lies outside the 3 dimensions/],
  [['Unsqueeze', [f(2), ints([0, 0])], ''], /name one axis twice/],
  [['Reshape', [f(2, 3), ints([4, 2])], ''], /float32\[2, 3\] holds 6 elements, but \[4, 2\] takes 8/],
  [['Reshape', [f(2, 3), ints([4, -1])], ''], /does not divide into \[4\]/],
  [['Reshape', [f(2, 3), ints([-1, -1])], ''], /holds -1 twice/],
  [['Transpose', [f(2, 3)], '', { attributes: { perm: [0, 0] } }], /perm \[0, 0\] does not permute/],
  [['Concat', [f(2, 3), f(3, 3)], '', { attributes: { axis: 1 } }], /cannot be joined along axis 1/],
  [
    ['Split', [f(2, 9), ints([4, 4])], '', { attributes: { axis: 1 }, outputs: 2 }],
    /parts of \[4, 4\] do not add up to axis 1/,
  ],
  [['Pad', [f(2, 9), ints([1, 1])], ''], /should hold 4 numbers/],
  [['Slice', [f(2, 9), ints([0]), ints([1]), ints([0]), ints([0])], ''], /step of 0/],
  [['Expand', [f(2, 3), ints([4])], ''], /does not expand to \[4\]/],
  [['Tile', [f(2, 3), ints([4])], ''], /repeats \[4\] do not fit/],
  [
    ['LSTM', [f(5, 2, 3), weight(1, 16, 4), weight(1, 16, 4)], '', { attributes: { hidden_size: 4 } }],
    /weight \[1, 16, 4\] does not fit the input float32\[5, 2, 3\] and hidden_size 4/,
  ],
  [['BatchNormalization', [f(2, 3, 4), weight(4), weight(4), weight(4), weight(4)], ''], /does not fit the 3 channels/],
  [['DequantizeLinear', [['int8', [2, 3]], float32([2], [1, 1])], ''], /scale \[2\] does not fit axis 1/],
]

test('inferShapes() names node, operator and both shapes when a graph contradicts itself', () => {
  for (const [entry, message] of contradictions) {
    assert.throws(
      () => inferShapes(graphOf(entry)),
      { name: 'RunbookError', exit: 'usage', message },
      `${entry[0]} ${message}`,
    )
  }
})
