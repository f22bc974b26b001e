/**
 * Starts TypeScript files under the runtime at hand: Node 20 with tsx, a newer Node alone, or Deno 2.
 *
 * A child that talks to its parent does so over Node's own channel (`'ipc'` in `stdio`, `process.send`), which all of
 * them have.
 */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'

/** What a runtime is, as far as it decides how a script starts. */
export interface Runtime {
  readonly name: 'node' | 'deno'
  /** Without the leading `v`. */
  readonly version: string
  /** It takes TypeScript as it is, without a loader. */
  readonly readsTypescript: boolean
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
    hasTsx: process.execArgv.some(word => /[\\/]tsx[\\/]|^(--import=)?tsx$/.test(word)),
  }
}

/** What stands before a script's path for a person who starts one, such as `npx tsx`. */
export function personsCommand(runtime: Runtime = currentRuntime()): string {
  if (runtime.name === 'deno') return 'deno run -A --node-modules-dir=manual'
  return runtime.readsTypescript && !runtime.hasTsx ? 'node' : 'npx tsx'
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
  if (runtime.readsTypescript) return []
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
