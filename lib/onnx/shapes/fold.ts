/**
 * Computes the values of small tensors that are known before a run.
 *
 * Exports compute shapes inside the graph (Shape, Gather, Concat, Reshape). The elements of such tensors are folded
 * here, names of dimensions included: the elements of Shape of [B, 100] are B and 100. Arithmetic on a name gives ''
 * (unknown), but for x + 0 and x · 1. Larger tensors are not folded, nor is anything that no shape is made of.
 */
import {
  attributeFloat,
  attributeFloats,
  attributeInt,
  attributeInts,
  attributeTensor,
  tensorFromProto,
} from '../../formats/onnx/index.ts'
import type { TensorProto } from '../../formats/onnx/index.ts'
import { numbersAt, productOf, slicesOf, sliceRange, type Call, type Dim, type Value } from './value.ts'

/** Tensors with more elements than this are never folded: no shape is made of so many. */
const maxElements = 256

/** The elements of a small stored tensor; undefined when it is large, lies in another file, or holds no numbers. */
export function constantFromProto(tensor: TensorProto): Dim[] | undefined {
  const size = tensor.dims.reduce((product, dim) => product * Number(dim), 1)
  if (size > maxElements || tensor.dataLocation === 1) return undefined
  const { dtype, data } = tensorFromProto(tensor)
  return dtype.includes('float16') ? undefined : Array.from(data, Number)
}

type Fold = (call: Call, output: Value) => readonly Dim[] | undefined

const through: Fold = ({ inputs }) => inputs[0]?.constant

const shape: Fold = ({ node, inputs: [x] }) =>
  x?.shape.slice(attributeInt(node, 'start') ?? 0, attributeInt(node, 'end') ?? x.shape.length)

const size: Fold = ({ inputs: [x] }) => {
  const product = x && productOf(x.shape)
  return product === undefined ? undefined : [product]
}

const constant: Fold = ({ node }) => {
  const tensor = attributeTensor(node, 'value')
  if (tensor) return constantFromProto(tensor)
  const list = attributeInts(node, 'value_ints') ?? attributeFloats(node, 'value_floats')
  const single = attributeInt(node, 'value_int') ?? attributeFloat(node, 'value_float')
  return list ?? (single === undefined ? undefined : [single])
}

const constantOfShape: Fold = ({ node }, output) => {
  const count = productOf(output.shape)
  const value = attributeTensor(node, 'value')
  const element = value === undefined ? 0 : constantFromProto(value)?.[0]
  return count === undefined || count > maxElements || element === undefined
    ? undefined
    : Array<Dim>(count).fill(element)
}

const range: Fold = (call, output) => {
  const [start, delta] = [numbersAt(call, 0)?.[0], numbersAt(call, 2)?.[0]]
  const count = productOf(output.shape)
  if (start === undefined || delta === undefined || count === undefined || count > maxElements) return undefined
  return Array.from({ length: count }, (_, i) => start + i * delta)
}

const cast: Fold = ({ inputs: [x] }, output) => {
  const isInteger = !output.dtype.startsWith('float')
  if (output.dtype === 'bool') return x?.constant?.map(dim => (typeof dim === 'number' ? Number(dim !== 0) : ''))
  return x?.constant?.map(dim => (isInteger && typeof dim === 'number' ? Math.trunc(dim) : dim))
}

const concat: Fold = ({ node, inputs }, output) => {
  const parts = node.input.map((_, i) => inputs[i]?.constant)
  return output.shape.length === 1 && parts.every(part => part !== undefined) ? parts.flat() : undefined
}

const gather: Fold = (call, output) => {
  const [x] = call.inputs
  const indices = numbersAt(call, 1)
  if (x?.constant === undefined || x.shape.length !== 1 || indices === undefined || output.shape.length > 1)
    return undefined
  const picked = indices.map(i => x.constant!.at(i))
  return picked.every(dim => dim !== undefined) ? picked : undefined
}

/** Elements picked by a stride for each dimension of the output, from `offset` on. */
function strided(
  elements: readonly Dim[],
  o: { shape: readonly number[]; strides: readonly number[]; offset: number },
): Dim[] {
  const [length, ...inner] = o.shape
  const [stride, ...innerStrides] = o.strides
  if (length === undefined || stride === undefined) return [elements[o.offset]!]
  const row = (i: number) => strided(elements, { shape: inner, strides: innerStrides, offset: o.offset + i * stride })
  return Array.from({ length }, (_, i) => row(i)).flat()
}

/** How far apart neighbours along each dimension lie; undefined when the shape is not all numbers. */
function stridesOf(shape: readonly Dim[]): number[] | undefined {
  if (shape.some(dim => typeof dim === 'string')) return undefined
  return shape.map((_, i) => productOf(shape.slice(i + 1))!)
}

const isWhole = (shape: readonly Dim[]): shape is readonly number[] => shape.every(dim => typeof dim === 'number')

const slice: Fold = (call, output) => {
  const [x] = call.inputs
  const strides = x && stridesOf(x.shape)
  const slices = x && slicesOf(call, x.shape.length)
  if (x?.constant === undefined || strides === undefined || slices === undefined || !isWhole(output.shape))
    return undefined
  let offset = 0
  const steps = [...strides]
  for (const { axis, ...bounds } of slices) {
    offset += sliceRange(Number(x.shape[axis]), bounds).begin * strides[axis]!
    steps[axis] = strides[axis]! * bounds.step
  }
  return strided(x.constant, { shape: output.shape, strides: steps, offset })
}

const transpose: Fold = ({ node, inputs: [x] }, output) => {
  const strides = x && stridesOf(x.shape)
  if (x?.constant === undefined || strides === undefined || !isWhole(output.shape)) return undefined
  const order = attributeInts(node, 'perm') ?? [...strides.keys()].toReversed()
  return strided(x.constant, { shape: output.shape, strides: order.map(axis => strides.at(axis)!), offset: 0 })
}

/** An element of an operand of the common length, or of length 1. */
const at = (list: readonly Dim[], i: number): Dim => list[list.length === 1 ? 0 : i]!

/** Element by element; operands have one length, or length 1. */
const elementwise =
  (combine: (a: Dim, b: Dim, output: Value) => Dim): Fold =>
  ({ inputs: [a, b] }, output) => {
    const [left, right] = [a?.constant, b?.constant]
    if (left === undefined || right === undefined || output.shape.length > 1) return undefined
    const length = Math.max(left.length, right.length)
    return Array.from({ length }, (_, i) => combine(at(left, i), at(right, i), output))
  }

/** `neutral` on the right side leaves any dimension as it is; `commutes` says that it does so on the left as well. */
const arithmetic = (compute: (a: number, b: number) => number, neutral?: number, commutes = false): Fold =>
  elementwise((a, b, { dtype }) => {
    if (typeof a === 'number' && typeof b === 'number') {
      const value = compute(a, b)
      return !Number.isFinite(value) ? '' : dtype.startsWith('float') ? value : Math.trunc(value)
    }
    if (b === neutral) return a
    return commutes && a === neutral ? b : ''
  })

/** A named dimension is never negative, so it never equals the −1 that exporters compare with. */
const equal = elementwise((a, b) => {
  if (typeof a === 'number' && typeof b === 'number') return Number(a === b)
  if (a !== '' && b !== '' && [a, b].some(dim => typeof dim === 'number' && dim < 0)) return 0
  return a !== '' && a === b ? 1 : ''
})

const where: Fold = ({ inputs: [condition, x, y] }, output) => {
  const [conditions, left, right] = [condition?.constant, x?.constant, y?.constant]
  if (conditions === undefined || left === undefined || right === undefined || output.shape.length > 1) return undefined
  const length = Math.max(conditions.length, left.length, right.length)
  return Array.from({ length }, (_, i) => {
    const chosen = at(conditions, i)
    return chosen === '' ? '' : at(chosen === 0 ? right : left, i)
  })
}

const rounded =
  (round: (x: number) => number): Fold =>
  ({ inputs: [x] }) =>
    x?.constant?.map(dim => (typeof dim === 'number' ? round(dim) : dim))

const negative: Fold = ({ inputs: [x] }) => x?.constant?.map(dim => (typeof dim === 'number' ? -dim : ''))

const folds: Readonly<Record<string, Fold>> = {
  Shape: shape,
  Size: size,
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Range: range,
  Identity: through,
  Squeeze: through,
  Unsqueeze: through,
  Reshape: through,
  Flatten: through,
  Cast: cast,
  Concat: concat,
  Gather: gather,
  Slice: slice,
  Transpose: transpose,
  Equal: equal,
  Where: where,
  Add: arithmetic((a, b) => a + b, 0, true),
  Sub: arithmetic((a, b) => a - b, 0),
  Mul: arithmetic((a, b) => a * b, 1, true),
  Div: arithmetic((a, b) => a / b, 1),
  Mod: arithmetic((a, b) => ((a % b) + b) % b),
  Min: arithmetic(Math.min),
  Max: arithmetic(Math.max),
  Floor: rounded(Math.floor),
  Ceil: rounded(Math.ceil),
  Neg: negative,
}

/** The elements of the first output, when they are few and follow from what is known. */
export function foldConstant(call: Call, output: Value): readonly Dim[] | undefined {
  const elements = Object.hasOwn(folds, call.node.opType) ? folds[call.node.opType]!(call, output) : undefined
  return elements !== undefined && elements.length <= maxElements ? elements : undefined
}
