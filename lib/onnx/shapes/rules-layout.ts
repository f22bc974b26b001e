/**
 * Shape rules of operators that move elements.
 *
 * Squeeze, Unsqueeze and Split moved a list from an attribute to an input in operator set 13, Slice in 10, Pad in 11:
 * whichever the node has is read.
 */
import { attributeInt, attributeInts, attributeOf } from '../../formats/onnx/access.ts'
import {
  axisOf,
  broadcast,
  contradiction,
  given,
  listOf,
  numbersAt,
  productOf,
  show,
  showShape,
  sliceRange,
  slicesOf,
  type Call,
  type Dim,
  type Rule,
  type Value,
} from './value.ts'

const unknownLike = (x: Value): Value => ({ dtype: x.dtype, shape: x.shape.map(() => '') })

const squeeze: Rule = call => {
  const x = call.inputs[0]
  if (x === undefined) return []
  const axes = listOf(call, { input: 1, attribute: 'axes' })
  if (axes === 'unknown' || (axes === 'absent' && x.shape.some(dim => typeof dim === 'string'))) return []
  const gone = new Set(
    axes === 'absent'
      ? [...x.shape.keys()].filter(i => x.shape[i] === 1)
      : axes.map(a => axisOf(call, a, x.shape.length)),
  )
  for (const axis of gone) {
    const dim = x.shape[axis]
    if (typeof dim === 'number' && dim !== 1) contradiction(call, `axis ${axis} of ${show(x)} is not 1`)
  }
  return [{ dtype: x.dtype, shape: x.shape.filter((_, i) => !gone.has(i)) }]
}

const unsqueeze: Rule = call => {
  const x = call.inputs[0]
  const axes = listOf(call, { input: 1, attribute: 'axes' })
  if (x === undefined || typeof axes === 'string') return []
  const rank = x.shape.length + axes.length
  const fresh = new Set(axes.map(axis => axisOf(call, axis, rank)))
  if (fresh.size !== axes.length) contradiction(call, `axes ${showShape(axes)} name one axis twice`)
  const rest = [...x.shape]
  return [{ dtype: x.dtype, shape: Array.from({ length: rank }, (_, i) => (fresh.has(i) ? 1 : rest.shift()!)) }]
}

/** Numbers multiplied, names sorted; `isKnown` is false when a dimension has neither. */
function factors(dims: readonly Dim[]): { size: number; names: string[]; isKnown: boolean } {
  const names = dims.filter(dim => typeof dim === 'string')
  return {
    size: productOf(dims.filter(dim => typeof dim === 'number'))!,
    names: names.toSorted(),
    isKnown: !names.includes(''),
  }
}

/** The dimension that -1 stands for: the names cancel, the numbers divide. */
function remaining(call: Call, x: Value, others: readonly Dim[]): Dim {
  const all = factors(x.shape)
  const taken = factors(others)
  if (!all.isKnown || !taken.isKnown) return ''
  const names = [...all.names]
  for (const name of taken.names) {
    const at = names.indexOf(name)
    if (at < 0) return ''
    names.splice(at, 1)
  }
  if (taken.size === 0) return ''
  const ratio = all.size / taken.size
  if (names.length === 1 && ratio === 1) return names[0]!
  if (names.length > 0) return ''
  return Number.isInteger(ratio) ? ratio : contradiction(call, `${show(x)} does not divide into ${showShape(others)}`)
}

const reshape: Rule = call => {
  const [x, target] = call.inputs
  const attribute = attributeInts(call.node, 'shape')
  const wanted: readonly Dim[] | undefined = attribute ?? target?.constant
  if (x === undefined) return []
  if (wanted === undefined) {
    const rank = target?.shape[0]
    return [typeof rank === 'number' ? { dtype: x.dtype, shape: Array<Dim>(rank).fill('') } : undefined]
  }
  const isZeroKept = attributeInt(call.node, 'allowzero') === 1
  const shape = wanted.map((dim, i): Dim => {
    if (dim !== 0 || isZeroKept) return dim
    return (
      x.shape[i] ?? contradiction(call, `0 at ${i} of ${showShape(wanted)} copies a dimension that ${show(x)} lacks`)
    )
  })
  const open = shape.indexOf(-1)
  if (open !== shape.lastIndexOf(-1)) contradiction(call, `${showShape(wanted)} holds -1 twice`)
  if (open >= 0) shape[open] = remaining(call, x, shape.toSpliced(open, 1))
  const [before, after] = [productOf(x.shape), productOf(shape)]
  if (before !== undefined && after !== undefined && before !== after) {
    contradiction(call, `${show(x)} holds ${before} elements, but ${showShape(wanted)} takes ${after}`)
  }
  return [{ dtype: x.dtype, shape }]
}

const flatten: Rule = call => {
  const x = call.inputs[0]
  if (x === undefined) return []
  const axis = attributeInt(call.node, 'axis') ?? 1
  const split = axis < 0 ? axis + x.shape.length : axis
  const side = (dims: readonly Dim[]): Dim => productOf(dims) ?? remaining(call, { dtype: x.dtype, shape: dims }, [])
  return [{ dtype: x.dtype, shape: [side(x.shape.slice(0, split)), side(x.shape.slice(split))] }]
}

const transpose: Rule = call => {
  const x = call.inputs[0]
  if (x === undefined) return []
  const order = attributeInts(call.node, 'perm') ?? [...x.shape.keys()].toReversed()
  if (order.length !== x.shape.length || new Set(order).size !== order.length) {
    contradiction(call, `perm ${showShape(order)} does not permute ${show(x)}`)
  }
  return [{ dtype: x.dtype, shape: order.map(axis => x.shape[axisOf(call, axis, order.length)]!) }]
}

const concat: Rule = call => {
  const parts = call.node.input.map((_, i) => call.inputs[i])
  const first = parts.find(part => part !== undefined)
  if (first === undefined || parts.some(part => part === undefined)) return []
  const axis = axisOf(call, attributeInt(call.node, 'axis') ?? 1, first.shape.length)
  const shape = [...first.shape]
  for (const part of parts.slice(1) as Value[]) {
    const fits = part.dtype === first.dtype && part.shape.length === shape.length
    if (!fits) contradiction(call, `${show(first)} and ${show(part)} cannot be joined`)
    for (const [i, dim] of part.shape.entries()) {
      const mine = shape[i]!
      if (i === axis) shape[i] = typeof mine === 'number' && typeof dim === 'number' ? mine + dim : ''
      else if (typeof mine === 'string') shape[i] = typeof dim === 'number' || mine === '' ? dim : mine
      else if (typeof dim === 'number' && dim !== mine)
        contradiction(call, `${show(first)} and ${show(part)} cannot be joined along axis ${axis}`)
    }
  }
  return [{ dtype: first.dtype, shape }]
}

const slice: Rule = call => {
  const x = call.inputs[0]
  if (x === undefined) return []
  const slices = slicesOf(call, x.shape.length)
  if (slices === undefined) return [unknownLike(x)]
  const shape = [...x.shape]
  for (const { axis, start, end, step } of slices) {
    const dim = shape[axis]!
    const isWhole = start === 0 && step === 1 && end >= 2 ** 31 - 1
    shape[axis] = typeof dim === 'number' ? sliceRange(dim, { start, end, step }).count : isWhole ? dim : ''
  }
  return [{ dtype: x.dtype, shape }]
}

const split: Rule = call => {
  const x = call.inputs[0]
  if (x === undefined) return []
  const axis = axisOf(call, attributeInt(call.node, 'axis') ?? 0, x.shape.length)
  const sizes = listOf(call, { input: 1, attribute: 'split' })
  const whole = x.shape[axis]!
  const count = call.node.output.length
  const part = typeof whole === 'number' ? Math.ceil(whole / count) : ''
  if (Array.isArray(sizes) && typeof whole === 'number' && sizes.reduce((sum, n) => sum + n, 0) !== whole) {
    contradiction(call, `parts of ${showShape(sizes)} do not add up to axis ${axis} of ${show(x)}`)
  }
  const size = (i: number): Dim => {
    if (Array.isArray(sizes)) return sizes[i] ?? ''
    if (sizes === 'unknown' || typeof whole !== 'number' || typeof part !== 'number') return ''
    return Math.min(part, whole - part * i)
  }
  return call.node.output.map((_, i) => ({ dtype: x.dtype, shape: x.shape.with(axis, size(i)) }))
}

const pad: Rule = call => {
  const x = call.inputs[0]
  if (x === undefined) return []
  const rank = x.shape.length
  const pads = listOf(call, { input: 1, attribute: 'pads' })
  const axes = given(call, 3) ? numbersAt(call, 3) : [...x.shape.keys()]
  if (typeof pads === 'string' || axes === undefined) return [unknownLike(x)]
  if (pads.length !== 2 * axes.length)
    contradiction(call, `pads ${showShape(pads)} should hold ${2 * axes.length} numbers for ${show(x)}`)
  const shape = [...x.shape]
  for (const [i, at] of axes.entries()) {
    const axis = axisOf(call, at, rank)
    const dim = shape[axis]!
    const total = pads[i]! + pads[i + axes.length]!
    shape[axis] = typeof dim === 'number' ? dim + total : total === 0 ? dim : ''
  }
  return [{ dtype: x.dtype, shape }]
}

const expand: Rule = call => {
  const [x, target] = call.inputs
  if (x === undefined || target?.constant === undefined) return []
  const shape = broadcast(x.shape, target.constant)
  return [
    shape
      ? { dtype: x.dtype, shape }
      : contradiction(call, `${show(x)} does not expand to ${showShape(target.constant)}`),
  ]
}

/** A dimension taken `n` times, which need not be whole. */
const times = (dim: Dim, n: Dim): Dim =>
  n === 1 ? dim : typeof dim === 'number' && typeof n === 'number' ? Math.floor(dim * n) : ''

const tile: Rule = call => {
  const [x, repeats] = call.inputs
  if (x === undefined) return []
  if (repeats?.constant === undefined) return [unknownLike(x)]
  if (repeats.constant.length !== x.shape.length)
    contradiction(call, `repeats ${showShape(repeats.constant)} do not fit ${show(x)}`)
  return [{ dtype: x.dtype, shape: x.shape.map((dim, i) => times(dim, repeats.constant![i]!)) }]
}

const gather: Rule = call => {
  const [x, indices] = call.inputs
  if (x === undefined || indices === undefined) return []
  const axis = axisOf(call, attributeInt(call.node, 'axis') ?? 0, x.shape.length)
  return [{ dtype: x.dtype, shape: x.shape.toSpliced(axis, 1, ...indices.shape) }]
}

const gatherElements: Rule = ({ inputs: [x, indices] }) => [x && indices && { dtype: x.dtype, shape: indices.shape }]

const resize: Rule = call => {
  const x = call.inputs[0]
  if (x === undefined) return []
  if (attributeOf(call.node, 'axes') || attributeOf(call.node, 'keep_aspect_ratio_policy')) return [unknownLike(x)]
  const sizes = given(call, 3) ? call.inputs[3]?.constant : undefined
  if (sizes?.length === x.shape.length) return [{ dtype: x.dtype, shape: sizes }]
  const scales = numbersAt(call, call.opset < 11 ? 1 : 2)
  if (given(call, 3) || scales?.length !== x.shape.length) return [unknownLike(x)]
  return [{ dtype: x.dtype, shape: x.shape.map((dim, i) => times(dim, scales[i]!)) }]
}

/** Operator to rule. */
export const layoutRules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['Squeeze', squeeze],
  ['Unsqueeze', unsqueeze],
  ['Reshape', reshape],
  ['Flatten', flatten],
  ['Transpose', transpose],
  ['Concat', concat],
  ['Slice', slice],
  ['Split', split],
  ['Pad', pad],
  ['Expand', expand],
  ['Tile', tile],
  ['Gather', gather],
  ['GatherElements', gatherElements],
  ['Resize', resize],
])
