/**
 * Starts TypeScript files under the runtime at hand: Node 20 with tsx, a newer Node alone, or Deno 2.
 *
 * A child that talks to its parent does so over Node's own channel (`'ipc'` in `stdio`, `process.send`), which all of
 * them have.
 */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { basename, join, relative } from 'node:path'
import { shellWord } from '../base/text.ts'
import { projectRoot } from '../base/version.ts'

/** What a runtime is, as far as it decides how a script starts. */
export interface Runtime {
  readonly name: 'node' | 'deno'
  /** Without the leading `v`. */
  readonly version: string
  /** It takes TypeScript as it is, without a loader. */
  readonly readsTypescript: boolean
  /** It knows the syntax `using`, which Node has from 24 on. */
  readonly hasUsing: boolean
  /** tsx is loaded into this process. */
  readonly hasTsx: boolean
}

/** The runtime of this process. */
export function currentRuntime(): Runtime {
  const { deno } = process.versions as { deno?: string }
  const { typescript } = process.features as { typescript?: string | false }
  return {
    name: deno === undefined ? 'node' : 'deno',
    version: deno ?? process.versions.node,
    readsTypescript: deno !== undefined || Boolean(typescript),
    hasUsing: knowsUsing(),
    hasTsx: process.execArgv.some(word => /[\\/]tsx[\\/]|^(--import=)?tsx$/.test(word)),
  }
}

function knowsUsing(): boolean {
  try {
    return Function('{ using nothing = null } return true')() as boolean
  } catch {
    return false
  }
}

/** Whether this process loads every file of the project as it is; if not, a child that does is to be started. */
export function loadsEverything({ readsTypescript, hasUsing, hasTsx } = currentRuntime()): boolean {
  return hasTsx || (readsTypescript && hasUsing)
}

/** The variable in which a process tells its children how the person started it: one of `starters`. */
export const starterVariable = 'RUNGBOOK_STARTER'

const [deno, node, tsx, bin] = ['deno run -A --node-modules-dir=manual', 'node', 'npx tsx', 'npx rungbook']
const starters: readonly string[] = [deno, node, tsx, bin]

/** What a person types before a script's path, such as `npx tsx`; `npx rungbook` takes a runbook's name instead. */
export function starterOf(
  runtime: Runtime = currentRuntime(),
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  // A child is started without a loader where the runtime needs none, so only its parent knows of `npx tsx`.
  const told = env[starterVariable]
  if (told !== undefined && starters.includes(told)) return told
  if (runtime.name === 'deno') return deno
  return runtime.readsTypescript && !runtime.hasTsx ? node : tsx
}

/**
 * The command that runs a runbook, as it can be pasted here: with the runtime at hand, seen from the working folder.
 *
 * @param file the runbook's file, relative to the project: `runbooks/doctor.ts`
 * @param words flags and their values; each is quoted where a shell would split it
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { runbookCommand } from './lib/host/typescript.ts'
 *
 * const doctor = (o: { starter: string; cwd: string }) => runbookCommand('runbooks/doctor.ts', ['--json'], o)
 * assert.equal(doctor({ starter: 'npx rungbook', cwd: '/' }), 'npx rungbook doctor --json')
 * assert.match(doctor({ starter: 'node', cwd: '/' }), /^node .*runbooks\/doctor\.ts'? --json$/)
 * ```
 */
export function runbookCommand(
  file: string,
  words: readonly (string | number)[] = [],
  { starter = starterOf(), cwd = process.cwd() }: { starter?: string; cwd?: string } = {},
): string {
  const said = words.map(word => shellWord(String(word)))
  if (starter === bin && file.startsWith('runbooks/')) return [bin, basename(file, '.ts'), ...said].join(' ')
  const path = join(projectRoot, file)
  const isInside = !relative(projectRoot, cwd).startsWith('..')
  return [starter === bin ? tsx : starter, shellWord(isInside ? relative(cwd, path) : path), ...said].join(' ')
}

/** The words that start a script: the program, its flags, the script and its own words. */
export function typescriptCommand(
  script: string,
  argv: readonly string[] = [],
  { flags = [], runtime = currentRuntime() }: { flags?: readonly string[]; runtime?: Runtime } = {},
): string[] {
  return [process.execPath, ...flagsOf(runtime), ...flags, script, ...argv]
}

function flagsOf(runtime: Runtime): string[] {
  if (runtime.name === 'deno') return ['run', '-A', '--quiet', '--node-modules-dir=manual']
  // Where Node reads TypeScript a child needs no loader, and starts in a third of the time.
  if (runtime.readsTypescript && runtime.hasUsing) return []
  try {
    return ['--import', import.meta.resolve('tsx')]
  } catch {
    return [] // tsx is not installed: the child says so when it starts.
  }
}

/**
 * Start a script as a child process.
 *
 * @param options as for `spawn`; `'ipc'` in `stdio` opens the channel
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { once } from 'node:events'
 * import { mkdtempSync, writeFileSync } from 'node:fs'
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 * import { startTypescript } from './lib/host/typescript.ts'
 *
 * const script = join(mkdtempSync(join(tmpdir(), 'example-')), 'child.ts')
 * writeFileSync(script, 'const answer: number = 42\nprocess.send!({ answer })\n')
 * const child = startTypescript(script, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
 * assert.deepEqual(await once(child, 'message').then(([message]) => message), { answer: 42 })
 * ```
 */
export function startTypescript(script: string, argv: readonly string[], options: SpawnOptions): ChildProcess {
  const [program, ...words] = typescriptCommand(script, argv)
  return spawn(program!, words, options)
}
