/**
 * Bins and thins values, so that few enough marks are drawn.
 *
 * A histogram is binned and a long line is thinned here, before vega sees them: the size of an SVG is the number of its
 * marks.
 */

/** One point of a line, or one bar. `y` is null where the value was not finite. */
export interface Point {
  readonly x: number | string
  readonly y: number | null
  /** Empty when there is only one. */
  readonly series: string
}

/** One bar of a histogram. */
export interface Bin {
  readonly from: number
  readonly to: number
  readonly count: number
}

interface BinOptions {
  /** How many about; from 5 to 40 by the number of values unless given. */
  readonly bins?: number | undefined
  /** A number that the bins shall reach, though no value may be there. */
  readonly include?: number | undefined
}

/** Values in bins of one round width (1, 2 or 5 times a power of ten), which begin and end on round numbers. */
export function binned(values: ArrayLike<number>, o: BinOptions = {}): { bins: Bin[]; finite: number[]; lost: number } {
  const finite = Array.from(values).filter(Number.isFinite)
  const lost = values.length - finite.length
  if (finite.length === 0) return { bins: [], finite, lost }
  const reach = o.include !== undefined && Number.isFinite(o.include) ? [o.include] : []
  const low = [...reach].concat(finite).reduce((a, b) => Math.min(a, b))
  const high = [...reach].concat(finite).reduce((a, b) => Math.max(a, b))
  const wanted = o.bins ?? Math.min(40, Math.max(5, Math.ceil(Math.sqrt(finite.length))))
  const step = roundStep((high - low) / Math.max(1, wanted), low)
  const first = Math.floor(low / step)
  const counts = Array.from({ length: Math.max(1, Math.floor(high / step) - first + 1) }, () => 0)
  for (const value of finite) counts[Math.min(counts.length - 1, Math.floor(value / step) - first)]!++
  const edge = (i: number) => clean((first + i) * step)
  return { bins: counts.map((count, i) => ({ from: edge(i), to: edge(i + 1), count })), finite, lost }
}

/** The round number nearest above `step`; where all values are equal, a thousandth of the value, or 1. */
function roundStep(step: number, value: number): number {
  // Below a part in 1e10 of the value, or near the smallest double, the edges of bins would no longer differ.
  const isVisible = step > Math.max(Math.abs(value) * 1e-10, 1e-290)
  const wanted = isVisible ? step : Math.abs(value) > 1e-290 ? Math.abs(value) / 1000 : 1
  const power = 10 ** Math.floor(Math.log10(wanted))
  return [1, 2, 5, 10].find(factor => factor * power >= wanted * (1 - 1e-9))! * power
}

/** Without the last digits that multiplying by a step leaves, as in 0.30000000000000004. */
const clean = (value: number): number => Number(value.toPrecision(13))

/**
 * At most `most` points: of each stretch the lowest and the highest, in their order. A shorter line is returned as it
 * is.
 */
export function thinned(points: readonly Point[], most: number): readonly Point[] {
  if (points.length <= most) return points
  const stretches = Math.floor(most / 2)
  return Array.from({ length: stretches }, (_, i) => {
    const stretch = points.slice(
      Math.floor((i * points.length) / stretches),
      Math.floor(((i + 1) * points.length) / stretches),
    )
    const known = stretch.filter(point => point.y !== null)
    if (known.length === 0) return stretch.slice(0, 1)
    const low = known.reduce((a, b) => (b.y! < a.y! ? b : a))
    const high = known.reduce((a, b) => (b.y! > a.y! ? b : a))
    return low === high ? [low] : stretch.filter(point => point === low || point === high)
  }).flat()
}
