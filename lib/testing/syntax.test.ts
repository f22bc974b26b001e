import assert from 'node:assert/strict'
import test from 'node:test'
import { clockComparisonsOf, examplesOf, exportsOf, functionsOf, messageReadersOf } from './syntax.ts'

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

test('clockComparisonsOf() finds a time that is compared, and leaves alone one that is only measured', () => {
  const lines = (...code: string[]) => clockComparisonsOf('x.ts', code.join('\n'))
  assert.deepEqual(lines('const startMs = performance.now()', 'assert.ok(performance.now() - startMs < 10)'), [2])
  assert.deepEqual(lines('const start = Date.now()', 'const took = Date.now() - start', 'if (took > 5) fail()'), [3])
  assert.deepEqual(lines('assert.ok(result.durationMs >= 200 && durationMs < 300)'), [1, 1])
  assert.deepEqual(lines('for (const endMs = performance.now() + 9; endMs > performance.now();) wait()'), [1])
  assert.deepEqual(lines('assert.ok(process.hrtime.bigint() < 7n)', 'x(5 < process.uptime())'), [1, 2])
  assert.deepEqual(lines('assert.ok(result.durationMs > 0)', 'run({ nowMs: Date.now() })', 'a.b < c.d'), [])
})

test('messageReadersOf() finds every way to ask what a sentence says, and lets one be shortened or quoted', () => {
  const asks = [
    "if (error.message.includes('absent')) leave()",
    'const found = /no such file/.exec(thrown.message)',
    "const isOld = why.startsWith('old')",
    "const isSame = o.hint === 'try again'",
    "const inside = oneLine(error.message).split('\\n')[0].match(/x/)",
    "switch (message) { case 'a': leave() }",
    'const m = new RegExp(word).test(`${error.message} of ${name}`)',
  ]
  for (const line of asks) assert.deepEqual(messageReadersOf('a.ts', `\n${line}\n`), [2], line)
  const asksNot = [
    "const first = error.message.split('\\n')[0].slice(0, 80)",
    'throw new Error(`cannot: ${error.message}`)',
    "if (error.code === 'absent') leave()",
    "if (message.kind === 'told') leave()",
    "const said = typeof why === 'string' ? why : ''",
    "const isEmpty = why === ''",
    "log.includes('message')",
  ]
  for (const line of asksNot) assert.deepEqual(messageReadersOf('a.ts', `${line}\n`), [], line)
})
