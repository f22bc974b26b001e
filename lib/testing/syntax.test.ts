import assert from 'node:assert/strict'
import test from 'node:test'
import { examplesOf, exportsOf, functionsOf } from './syntax.ts'

const source = `/** The file. */
import x from 'node:fs'

/** Documented. */
export const arrow = () => {
  return [1].map(n => {
    return n
  })
}
export function plain(): void {
  x()
}
// no docstring
export interface Shape {
  readonly a: number
}
/**
 * Overloaded.
 *
 * @example
 * \`\`\`ts
 * import { over } from './a.ts'
 *
 * over(1)
 * \`\`\`
 */
export function over(a: number): void
export function over(a: string): void
export function over(a: unknown): void {
  class Inside {
    method() {
      return a
    }
  }
  void Inside
}
`

test('functionsOf() counts declarations, arrow functions and methods from their first line to their last', () => {
  assert.deepEqual(
    functionsOf('a.ts', source).map(({ line, lines }) => [line, lines]),
    [
      [5, 5],
      [6, 3],
      [10, 3],
      [29, 8],
      [31, 3],
    ],
  )
})

test('exportsOf() gives each export once, and whether a docstring stands right before it', () => {
  assert.deepEqual(
    exportsOf('a.ts', source).map(({ name, line, isDocumented }) => [name, line, isDocumented]),
    [
      ['arrow', 5, true],
      ['plain', 10, false],
      ['Shape', 14, false],
      ['over', 27, true],
    ],
  )
})

test('examplesOf() gives the code of an example without its stars', () => {
  assert.deepEqual(examplesOf(source), [{ line: 20, code: "import { over } from './a.ts'\n\nover(1)" }])
  assert.deepEqual(examplesOf('/** none */'), [])
})
