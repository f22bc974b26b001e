/**
 * Finds the runtimes that the project claims to run under, for tests that run it under each.
 *
 * `RUNGBOOK_RUNTIMES` names a folder into which npm installed the packages `deno`, `node22` and `node24`, as
 * `.ci/run` does.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { starterOf, typescriptCommand } from '../host/typescript.ts'

/** A runtime, and the words that start a script under it as a person would. */
export interface Tried {
  readonly name: string
  /** The program and its flags; null when it is not here. */
  readonly command: readonly string[] | null
  /** What it says that a person types, at the start of every proposed command. */
  readonly starter: string
}

const folder = process.env.RUNGBOOK_RUNTIMES
const inFolder = (...parts: string[]): string | null => {
  const path = folder === undefined ? null : join(folder, 'node_modules', ...parts)
  return path !== null && existsSync(path) ? path : null
}

/** Deno's program for this machine, as its npm package brings it. */
export function denoProgram(): string | null {
  const scope = inFolder('@deno')
  const [name] = scope === null ? [] : readdirSync(scope)
  return name === undefined ? null : inFolder('@deno', name, 'deno')
}

const words = (program: string | null, flags: readonly string[] = []) => (program === null ? null : [program, ...flags])

/** This runtime first, then the others, here or not. */
export function runtimes(): readonly Tried[] {
  const deno = ['run', '-A', '--quiet', '--node-modules-dir=manual']
  return [
    {
      name: `Node ${process.versions.node} with tsx`,
      command: typescriptCommand('').slice(0, -1),
      starter: starterOf(),
    },
    { name: 'Node 22', command: words(inFolder('node22', 'bin', 'node')), starter: 'node' },
    { name: 'Node 24', command: words(inFolder('node24', 'bin', 'node')), starter: 'node' },
    { name: 'Deno 2', command: words(denoProgram(), deno), starter: `deno run -A --node-modules-dir=manual` },
  ]
}
