/**
 * Which elements of a tensor are compared: a box, from index `begin` up to but not including `end` on each axis.
 *
 * The box comes from a contract or from lengths that both sides state. It never comes from the values themselves: a
 * mask made of the reference's data hides the very rows that a fault empties.
 */
import { usageError } from '../base/errors.ts'
import { sizeOf } from '../formats/tensors/tensor.ts'

/** A box in a row-major tensor of `shape`; without `begin` it begins at 0 on every axis. */
export interface Region {
  readonly shape: readonly number[]
  readonly begin?: readonly number[]
  readonly end: readonly number[]
}

/** The first `length` places along one axis, and everything along the others. */
export const firstAlong = (shape: readonly number[], axis: number, length: number): Region => ({
  shape,
  end: shape.map((n, i) => (i === axis ? Math.min(length, n) : n)),
})

/**
 * Runs of consecutive elements that make up the region, as [from, to) pairs.
 * @throws RunbookError usage when the box leaves the shape
 */
export function* runsOf({ shape, begin = shape.map(() => 0), end }: Region): Generator<readonly [number, number]> {
  const fits = [begin, end].every(side => side.length === shape.length)
  if (!fits || shape.some((n, axis) => begin[axis]! < 0 || begin[axis]! > end[axis]! || end[axis]! > n))
    throw usageError(
      `Cannot compare the region [${begin.join(', ')}]..[${end.join(', ')}]: it leaves the shape [${shape.join(', ')}]`,
      'check the lengths that the contract states',
    )
  if (shape.some((_, axis) => begin[axis] === end[axis])) return
  const steps = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)))
  // Axes that are whole join the run of the axis before them.
  let last = shape.length - 1
  while (last > 0 && begin[last] === 0 && end[last] === shape[last]) last--
  if (last < 0) return void (yield [0, 1])
  const index = begin.slice(0, last)
  for (;;) {
    const base = index.reduce((sum, i, axis) => sum + i * steps[axis]!, 0)
    yield [base + begin[last]! * steps[last]!, base + end[last]! * steps[last]!]
    let axis = last - 1
    while (axis >= 0 && ++index[axis]! >= end[axis]!) index[axis] = begin[axis--]!
    if (axis < 0) return
  }
}
