/**
 * Shape rules of convolutions and pooling.
 *
 * Sources: the operators' texts in the ONNX specification; where it is silent (SAME of ConvTranspose, the last window
 * under ceil_mode), what ONNX Runtime does. Layout is N, C, then any number of spatial dimensions.
 */
import { attributeInt, attributeInts, attributeString } from '../../formats/onnx/access.ts'
import { contradiction, productOf, show, showShape, type Call, type Dim, type Rule, type Value } from './value.ts'

interface Window {
  kernel: number[]
  strides: number[]
  dilations: number[]
  /** Begin and end of each dimension together; undefined when `autoPad` decides. */
  padsTotal: number[] | undefined
  padsBegin: number[]
  autoPad: string
}

function windowOf(call: Call, rank: number, weight: Value | undefined): Window | undefined {
  const { node } = call
  const declared = attributeInts(node, 'kernel_shape')
  const fromWeight = weight?.shape.slice(2)
  const kernel = declared ?? fromWeight
  if (kernel === undefined || !kernel.every(k => typeof k === 'number')) return undefined
  if (fromWeight?.every(k => typeof k === 'number') && declared && declared.join() !== fromWeight.join()) {
    contradiction(call, `kernel_shape ${showShape(declared)} does not fit the weight ${showShape(weight!.shape)}`)
  }
  const listed = (name: string, count: number, otherwise: number): number[] => {
    const list = attributeInts(node, name) ?? Array<number>(count).fill(otherwise)
    if (list.length !== count)
      contradiction(call, `${name} ${showShape(list)} should hold ${count} numbers for ${rank} spatial dimensions`)
    return list
  }
  if (kernel.length !== rank) contradiction(call, `kernel ${showShape(kernel)} does not fit ${rank} spatial dimensions`)
  const strides = listed('strides', rank, 1)
  const dilations = listed('dilations', rank, 1)
  if ([...kernel, ...strides, ...dilations].some(n => n < 1))
    contradiction(call, 'kernel_shape, strides and dilations must be at least 1')
  const autoPad = attributeString(node, 'auto_pad') ?? 'NOTSET'
  const pads = autoPad === 'NOTSET' ? listed('pads', 2 * rank, 0) : Array<number>(2 * rank).fill(0)
  const isSame = autoPad.startsWith('SAME')
  return {
    kernel,
    strides,
    dilations,
    autoPad,
    padsBegin: pads,
    padsTotal: isSame ? undefined : kernel.map((_, i) => pads[i]! + pads[i + rank]!),
  }
}

/** The length after sliding a window over one dimension. */
function slide(call: Call, x: Value, window: Window, axis: number, ceil: boolean): Dim {
  const input = x.shape[axis + 2]!
  const stride = window.strides[axis]!
  const width = window.dilations[axis]! * (window.kernel[axis]! - 1) + 1
  const pads = window.padsTotal?.[axis]
  if (typeof input === 'string') return stride === 1 && (pads === undefined || pads === width - 1) ? input : ''
  if (pads === undefined) return Math.ceil(input / stride)
  const free = input + pads - width
  if (free < 0) {
    contradiction(
      call,
      `its window of ${width} is wider than dimension ${axis + 2} of the input ${show(x)} with ${pads} of padding`,
    )
  }
  if (!ceil) return Math.floor(free / stride) + 1
  const out = Math.ceil(free / stride) + 1
  return (out - 1) * stride >= input + window.padsBegin[axis]! ? out - 1 : out
}

function checkBias(call: Call, bias: Value | undefined, channels: Dim | undefined): void {
  const fits =
    bias === undefined ||
    channels === undefined ||
    (bias.shape.length === 1 &&
      (typeof bias.shape[0] === 'string' || typeof channels === 'string' || bias.shape[0] === channels))
  if (!fits) contradiction(call, `bias ${showShape(bias.shape)} does not fit its ${channels} output channels`)
}

function checkRanks(call: Call, x: Value, weight: Value): void {
  if (x.shape.length < 3 || x.shape.length !== weight.shape.length) {
    contradiction(call, `weight ${showShape(weight.shape)} does not fit the rank of the input ${show(x)}`)
  }
}

/** Conv of `x`, `weight` and `bias`, wherever they stand among the inputs. */
export function convShape(
  call: Call,
  x: Value | undefined,
  weight: Value | undefined,
  bias: Value | undefined,
): Dim[] | undefined {
  if (x === undefined || weight === undefined) return undefined
  checkRanks(call, x, weight)
  const group = attributeInt(call.node, 'group') ?? 1
  const channels = x.shape[1]!
  const [outputs, perGroup] = weight.shape as [Dim, Dim]
  if (typeof channels === 'number' && typeof perGroup === 'number' && channels !== perGroup * group) {
    contradiction(
      call,
      `weight ${showShape(weight.shape)} takes ${perGroup} channels a group, ` +
        `but the input ${show(x)} has ${channels}${group === 1 ? '' : ` in ${group} groups`}`,
    )
  }
  if (typeof outputs === 'number' && outputs % group !== 0) {
    contradiction(
      call,
      `weight ${showShape(weight.shape)} makes ${outputs} channels, which ${group} groups cannot share`,
    )
  }
  checkBias(call, bias, outputs)
  const window = windowOf(call, x.shape.length - 2, weight)
  return [
    x.shape[0]!,
    outputs,
    ...x.shape.slice(2).map((_, axis) => (window === undefined ? '' : slide(call, x, window, axis, false))),
  ]
}

const conv: Rule = call => {
  const [x, weight, bias] = call.inputs
  if (x && weight && x.dtype !== weight.dtype)
    contradiction(call, `weight ${show(weight)} and input ${show(x)} differ in element type`)
  const shape = convShape(call, x, weight, bias)
  return [shape && { dtype: x!.dtype, shape }]
}

const convTranspose: Rule = call => {
  const [x, weight, bias] = call.inputs
  if (x === undefined || weight === undefined) return []
  checkRanks(call, x, weight)
  const [inputs, perGroup] = weight.shape as [Dim, Dim]
  if (typeof inputs === 'number' && typeof x.shape[1] === 'number' && inputs !== x.shape[1]) {
    contradiction(
      call,
      `weight ${showShape(weight.shape)} takes ${inputs} channels, but the input ${show(x)} has ${x.shape[1]}`,
    )
  }
  const group = attributeInt(call.node, 'group') ?? 1
  if (typeof inputs === 'number' && inputs % group !== 0) {
    contradiction(
      call,
      `weight ${showShape(weight.shape)} takes ${inputs} channels, which ${group} groups cannot share`,
    )
  }
  const outputs = typeof perGroup === 'number' ? perGroup * group : ''
  checkBias(call, bias, outputs)
  const rank = x.shape.length - 2
  const window = windowOf(call, rank, weight)
  const asked = attributeInts(call.node, 'output_shape')?.slice(-rank)
  const extra = attributeInts(call.node, 'output_padding') ?? []
  const spread = (input: Dim, axis: number): Dim => {
    if (asked) return asked[axis] ?? ''
    if (typeof input === 'string' || window === undefined) return ''
    if (window.padsTotal === undefined) return input * window.strides[axis]!
    const width = (window.kernel[axis]! - 1) * window.dilations[axis]! + 1
    const out = window.strides[axis]! * (input - 1) + (extra[axis] ?? 0) + width - window.padsTotal[axis]!
    return out > 0
      ? out
      : contradiction(call, `${window.padsTotal[axis]} of padding leave nothing of dimension ${axis + 2} of ${show(x)}`)
  }
  return [{ dtype: x.dtype, shape: [x.shape[0]!, outputs, ...x.shape.slice(2).map(spread)] }]
}

const pool: Rule = call => {
  const x = call.inputs[0]
  const window = x && windowOf(call, x.shape.length - 2, undefined)
  if (x === undefined || window === undefined) return []
  const ceil = (attributeInt(call.node, 'ceil_mode') ?? 0) === 1
  const shape = [...x.shape.slice(0, 2), ...x.shape.slice(2).map((_, axis) => slide(call, x, window, axis, ceil))]
  return [
    { dtype: x.dtype, shape },
    { dtype: 'int64', shape },
  ]
}

const globalPool: Rule = ({ inputs: [x] }) => [
  x && { dtype: x.dtype, shape: x.shape.map((dim, i) => (i < 2 ? dim : 1)) },
]

/** x, x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, bias. */
const qlinearConv: Rule = call => {
  const shape = convShape(call, call.inputs[0], call.inputs[3], call.inputs[8])
  const zero = call.inputs[7]
  return [shape && zero && { dtype: zero.dtype, shape }]
}

/** Multiply-accumulates of one node, the bias not counted; undefined when a shape is not known. */
export function convolutionMacs(
  op: string,
  x: readonly Dim[],
  weight: readonly Dim[],
  y: readonly Dim[],
): number | undefined {
  // Each output of Conv reads one window; each input of ConvTranspose feeds one.
  return productOf(op === 'ConvTranspose' ? [...x, ...weight.slice(1)] : [...y, ...weight.slice(1)])
}

/** Operator to rule. */
export const convolutionRules: ReadonlyMap<string, Rule> = new Map([
  ['Conv', conv],
  ['ConvTranspose', convTranspose],
  ['QLinearConv', qlinearConv],
  ['MaxPool', pool],
  ['AveragePool', pool],
  ['LpPool', pool],
  ['GlobalAveragePool', globalPool],
  ['GlobalMaxPool', globalPool],
])
