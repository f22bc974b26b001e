/**
 * Runs a runbook by a short name: `npx rungbook sweep`, `npx rungbook explain log.txt`, `npx rungbook doctor`.
 *
 * The name is that of a file in `runbooks/`, or a word of it that no other has. Everything behind it goes to the
 * runbook. With no name it lists them. `rungbook.mjs` is the program.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { exitCodes } from '../../base/errors.ts'
import { closest } from '../../base/text.ts'
import { projectRoot } from '../../base/version.ts'
import { starterVariable } from '../../host/typescript.ts'

/** The runbooks that a name means: the one that has it whole, else all that have it as a word. */
export function runbooksNamed(name: string, known: readonly string[]): readonly string[] {
  if (known.includes(name)) return [name]
  return known.filter(id => id.split('-').includes(name))
}

const known = (folder: string): string[] =>
  readdirSync(folder)
    .filter(file => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map(file => file.slice(0, -'.ts'.length))
    .toSorted()

/** Run the runbook that the first word names, with the others; the exit code where there is none. */
export async function main([first = 'book', ...words]: readonly string[]): Promise<number | undefined> {
  const name = ['--help', '-h'].includes(first) ? 'book' : first
  const folder = join(projectRoot, 'runbooks')
  const all = known(folder)
  const found = runbooksNamed(name, all)
  if (found.length !== 1) {
    const near = closest(name, all)
    const state = found.length > 1 ? `it may be ${found.join(' or ')}` : 'there is no such runbook'
    const hint = near === null ? 'npx rungbook' : `did you mean ${near}?`
    process.stderr.write(`error: Cannot run "${name}": ${state}\n\nhint: ${hint}\n`)
    process.stdout.write(`USAGE rungbook gates=0/0 run=none next="npx rungbook"\n`)
    return exitCodes.usage
  }
  const path = join(folder, `${found[0]}.ts`)
  process.env[starterVariable] = 'npx rungbook'
  // As the entry script the runbook runs by itself when it is imported.
  process.argv.splice(1, process.argv.length - 1, path, ...words)
  await import(pathToFileURL(path).href)
  return undefined
}
