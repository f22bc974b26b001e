import assert from 'node:assert/strict'
import test from 'node:test'
import { unusedExports } from './unused.ts'

test('unusedExports() takes a word of the same name for no use, and follows what is passed on or loaded', () => {
  const texts = {
    'lib/a.ts': `/** Says used, passed and loaded. */
export const used = 1
export const unused = 2
export const own = 3
export const passed = own
export const loaded = 4
export function nobody() {}
export class Kept {}
export type Shape = { readonly nobody: number }
`,
    'lib/index.ts': `export { passed, nobody } from './a.ts'\nexport * from './b.ts'\n`,
    'lib/b.ts': 'export const all = 5\nexport const none = 6\n',
    'lib/c.ts': `import { used, Kept as Other } from './a.ts'
import { passed, all } from './index.ts'
const row = { unused: used, none: passed + all, kept: Other }
const { loaded } = await import('./a.ts')
const nobodyElse = row.none + loaded
`,
  }
  assert.deepEqual(
    unusedExports(new Map(Object.entries(texts))).map(({ path, name }) => `${path} ${name}`),
    ['lib/a.ts unused', 'lib/a.ts nobody', 'lib/b.ts none'],
  )
})
