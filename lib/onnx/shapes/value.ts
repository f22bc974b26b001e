/**
 * Defines what a shape rule is given, and what it answers.
 *
 * A rule gets one node with what is known of its inputs and says what its outputs are. A dimension is a number, the
 * name that the file gives it, or '' when nothing is known of it. Integer tensors that shapes are made of carry their
 * values too. The rules themselves are in `rules*.ts`, folding of values in `fold.ts`, the walk over a
 * graph in `infer.ts`.
 */
import { attributeInts } from '../../formats/onnx/access.ts'
import type { NodeProto } from '../../formats/onnx/schema.ts'
import type { Dtype } from '../../formats/tensors/tensor.ts'
import { usageError } from '../../base/errors.ts'

/** A number, a name, or '' for unknown. */
export type Dim = number | string

/** What is known of a value. `constant` holds its elements, row-major, when they are few and known before the run. */
export interface Value {
  readonly dtype: Dtype
  readonly shape: readonly Dim[]
  readonly constant?: readonly Dim[]
}

/**
 * One node, as a rule sees it: `inputs[i]` is undefined when that input is left out, and also when nothing is known of
 * it.
 */
export interface Call {
  readonly node: NodeProto
  readonly opset: number
  readonly inputs: readonly (Value | undefined)[]
}

/**
 * Says what the outputs are, in order; undefined for one that cannot be known.
 *
 * @throws RunbookError usage on a contradiction
 */
export type Rule = (call: Call) => readonly (Value | undefined)[]

/** `float32[1, T, 64]`; an unknown dimension shows as `?`. */
export const show = ({ dtype, shape }: Pick<Value, 'dtype' | 'shape'>): string => `${dtype}${showShape(shape)}`

/** `[1, T, 64]`; an unknown dimension shows as `?`. */
export const showShape = (shape: readonly Dim[]): string => `[${shape.map(dim => (dim === '' ? '?' : dim)).join(', ')}]`

/**
 * Throw the contradiction of a node.
 *
 * @throws RunbookError usage, always
 */
export function contradiction({ node }: Call, what: string): never {
  const name = node.name || node.output[0] || '(unnamed)'
  throw usageError(
    `Cannot infer the shape of "${name}" (${node.opType}): ${what}`,
    'mend the graph where it is authored, or export it again',
  )
}

/** Whether the node names an input there. */
export const given = ({ node }: Call, index: number): boolean => (node.input[index] ?? '') !== ''

/** The elements of a constant input as numbers; undefined when it is left out, not constant, or holds an unknown. */
export function numbersAt(call: Call, index: number): number[] | undefined {
  const constant = call.inputs[index]?.constant
  return constant?.every(dim => typeof dim === 'number') ? [...constant] : undefined
}

/**
 * A list that older operator sets keep in an attribute and newer ones in an input. `absent`: the node has neither.
 * `unknown`: it has the input, but nothing says what it holds.
 */
export function listOf(call: Call, o: { input: number; attribute: string }): number[] | 'absent' | 'unknown' {
  if (given(call, o.input)) return numbersAt(call, o.input) ?? 'unknown'
  return attributeInts(call.node, o.attribute) ?? 'absent'
}

/**
 * An axis counted from the front.
 *
 * @throws RunbookError usage when it lies outside the rank
 */
export function axisOf(call: Call, axis: number, rank: number): number {
  const index = axis < 0 ? axis + rank : axis
  if (index < 0 || index >= rank) contradiction(call, `axis ${axis} lies outside the ${rank} dimensions of its input`)
  return index
}

/** The product of known dimensions; undefined when one of them is not a number. */
export function productOf(dims: readonly Dim[]): number | undefined {
  return dims.reduce<number | undefined>(
    (product, dim) => (product === undefined || typeof dim === 'string' ? undefined : product * dim),
    1,
  )
}

/** Two shapes broadcast as NumPy does; undefined when they cannot be. */
export function broadcast(a: readonly Dim[], b: readonly Dim[]): Dim[] | undefined {
  const rank = Math.max(a.length, b.length)
  const out: Dim[] = []
  for (let i = 0; i < rank; i++) {
    const dim = broadcastDim(a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1)
    if (dim === undefined) return undefined
    out.push(dim)
  }
  return out
}

function broadcastDim(a: Dim, b: Dim): Dim | undefined {
  if (a === b || b === 1) return a
  if (a === 1) return b
  if (typeof a === 'number') return typeof b === 'number' ? undefined : a
  return typeof b === 'number' ? b : ''
}

/** Where a slice begins and how many elements it takes. */
export function sliceRange(
  length: number,
  o: { start: number; end: number; step: number },
): { begin: number; count: number } {
  const clamp = (at: number, low: number, high: number) => Math.min(Math.max(at < 0 ? at + length : at, low), high)
  const begin = o.step > 0 ? clamp(o.start, 0, length) : clamp(o.start, 0, length - 1)
  const end = o.step > 0 ? clamp(o.end, 0, length) : clamp(o.end, -1, length - 1)
  return { begin, count: Math.max(0, Math.ceil((end - begin) / o.step)) }
}

/** Starts, ends, axes and steps of a Slice; undefined when one of them is not known. */
export function slicesOf(
  call: Call,
  rank: number,
): { axis: number; start: number; end: number; step: number }[] | undefined {
  const starts = listOf(call, { input: 1, attribute: 'starts' })
  const ends = listOf(call, { input: 2, attribute: 'ends' })
  const axes = listOf(call, { input: 3, attribute: 'axes' })
  const steps = given(call, 4) ? numbersAt(call, 4) : []
  if (typeof starts === 'string' || typeof ends === 'string' || axes === 'unknown' || steps === undefined)
    return undefined
  return starts.map((start, i) => {
    const step = steps[i] ?? 1
    if (step === 0) contradiction(call, 'a step of 0 never ends')
    return { axis: axisOf(call, axes === 'absent' ? i : axes[i]!, rank), start, end: ends[i]!, step }
  })
}
