/**
 * Rows of a table of defects: each is tried on this project and on the behaviour that it replaced.
 */
import assert from 'node:assert/strict'

/**
 * A defect of the original. `is` holds for what this project does, and not once the original's behaviour stands in its
 * place: each row is so its own mutation test.
 */
interface Defect<T = unknown> {
  readonly defect: string
  readonly ours: () => T | Promise<T>
  readonly original: () => T | Promise<T>
  readonly is: (value: T) => boolean
}

/** One row of the table. */
export const row = <T>(defect: string, o: Omit<Defect<T>, 'defect'>): Defect => ({ defect, ...o }) as Defect

/** Try every row. @param count how many there are, so that none is lost unseen */
export async function check(defects: readonly Defect[], count: number): Promise<void> {
  assert.equal(defects.length, count)
  for (const { defect, ours, original, is } of defects) {
    assert.equal(is(await ours()), true, `ours: ${defect}`)
    assert.equal(is(await original()), false, `the original's behaviour passes: ${defect}`)
  }
}
