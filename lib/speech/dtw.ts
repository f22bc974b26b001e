/**
 * Aligns two sequences by dynamic time warping: the cheapest path through a table of costs that never goes back.
 *
 * Source: dtw_cpu of openai/whisper, timing.py; ties go where they go there.
 */

/** The path, as the row and the column of each of its steps. */
export interface WarpingPath {
  readonly rows: readonly number[]
  readonly columns: readonly number[]
}

/** @param costs row-major [rows][columns] */
export function warpingPath(costs: Float32Array, rows: number, columns: number): WarpingPath {
  const width = columns + 1
  const total = new Float32Array((rows + 1) * width).fill(Infinity)
  const came = new Uint8Array((rows + 1) * width)
  total[0] = 0
  for (let column = 1; column <= columns; column++) {
    for (let row = 1; row <= rows; row++) {
      const at = row * width + column
      const both = total[at - width - 1]!
      const down = total[at - width]!
      const right = total[at - 1]!
      const [least, step] =
        both < down && both < right ? [both, 0] : down < both && down < right ? [down, 1] : [right, 2]
      total[at] = costs[(row - 1) * columns + column - 1]! + least
      came[at] = step
    }
  }
  const path = { rows: [] as number[], columns: [] as number[] }
  let row = rows
  let column = columns
  while (row > 0 || column > 0) {
    path.rows.push(row - 1)
    path.columns.push(column - 1)
    const step = row === 0 ? 2 : column === 0 ? 1 : came[row * width + column]!
    if (step !== 2) row--
    if (step !== 1) column--
  }
  return { rows: path.rows.toReversed(), columns: path.columns.toReversed() }
}
