/**
 * Declares a runbook.
 *
 * `runbook(import.meta, sheet, body)` runs only as the entry script; tests and other runbooks import it and call `run`.
 * How one execution goes is `lifecycle.ts`; how a runbook behaves as a process is `process/entry.ts`.
 */
import { readFileSync, realpathSync } from 'node:fs'
import { basename, relative } from 'node:path'
import { projectRoot } from '../../base/version.ts'
import type { Inputs } from '../inputs/inputs.ts'
import { execute, type Runbook, type Sheet } from './lifecycle.ts'
import type { Tools } from './session.ts'
import { introOf } from './source.ts'

export { choice, file, folder, number, paths, secret, text, toggle } from '../inputs/inputs.ts'
export type { Runbook, Sheet, Surroundings } from './lifecycle.ts'

/**
 * Declare a runbook; run it when its file is the entry script. A file exports it by default.
 *
 * @param meta `import.meta` of the runbook's file
 * @param body what it does, with its tools
 * @example
 * ```ts
 * import { number, runbook } from './lib/notebook/run/runbook.ts'
 *
 * const sum = runbook(import.meta, {
 *   asks: 'is the sum large enough?',
 *   inputs: { n: number({ env: null, default: 10, help: 'how many terms', min: 1, max: 100 }) },
 *   evidence: false,
 * }, async ({ inputs, cell, gate }) => {
 *   const total = await cell('Add', () => (inputs.n * (inputs.n + 1)) / 2)
 *   gate('sum', total, { atLeast: 55 })
 * })
 * const silent = { write: () => true }
 * const { exit } = await sum.run({ argv: ['--n', '10'], stdout: silent, stderr: silent })
 * assert.equal(exit, 0)
 * ```
 */
export function runbook<const S extends Inputs>(
  meta: ImportMeta,
  sheet: Sheet<S>,
  body: (tools: Tools<S>) => Promise<void>,
): Runbook<S> {
  const path = meta.filename
  const self: Runbook<S> = {
    id: basename(path, '.ts'),
    file: relative(projectRoot, path),
    sheet,
    intro: () => introOf(readFileSync(path, 'utf8')),
    run: surroundings => execute({ self, path, body }, surroundings ?? {}),
  }
  if (isEntry(path)) void import('./process/entry.ts').then(({ runAsEntry }) => runAsEntry(self, path))
  return self
}

function isEntry(path: string): boolean {
  try {
    return process.argv[1] !== undefined && realpathSync(process.argv[1]) === realpathSync(path)
  } catch {
    return false
  }
}
