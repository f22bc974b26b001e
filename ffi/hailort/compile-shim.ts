/**
 * Compiles what runs models on a Hailo-10H, on this machine and on first use.
 *
 * `infer-model.cpp` is compiled with the headers of the very library that is installed, and the result is kept under
 * its version. Without a compiler or headers the answer is what to install.
 */
import { execFile } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { FfiError } from '../errors.ts'
import { headerFolders } from './abi/header-folders.ts'
import { versionText } from './abi/profiles.ts'
import type { Hailort } from './library.ts'

type Environment = Readonly<Record<string, string | undefined>>

const source = join(import.meta.dirname, 'infer-model.cpp')
/** What installs compiler and headers. */
export const install = 'sudo apt install g++ hailo-h10-all (the headers may be in a package of their own, hailort-dev)'

/**
 * The folder that has `hailo/hailort.hpp`. `HAILORT_INCLUDE` names it; else the usual ones.
 *
 * @throws FfiError `absent`
 */
export function findHeaders(hailort: Hailort, env: Environment = process.env): string {
  const candidates = headerFolders(hailort.library.path, env)
  const found = candidates.find(folder => existsSync(join(folder, 'hailo/hailort.hpp')))
  if (found !== undefined) return found
  throw new FfiError(
    'absent',
    `Cannot run a model on a Hailo-10H: it takes HailoRT's header hailo/hailort.hpp, which is in none of ` +
      `${candidates.join(', ')}`,
    `${install}, or say where it is: export HAILORT_INCLUDE=/path/to/include`,
  )
}

/**
 * Where compiled functions are kept: `XDG_CACHE_HOME`, else `~/.cache`.
 *
 * @throws FfiError `absent` for a user without a home
 */
function cacheOf(env: Environment): string {
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, 'rungbook')
  try {
    return join(homedir(), '.cache/rungbook')
  } catch {
    throw noRoom('~/.cache', 'this user has no home')
  }
}

/** Many times what a Raspberry Pi takes; a compiler that hangs must not hold the device for ever. */
const compileTimeoutMs = 300_000

/**
 * The compiled functions for this library. Compiling takes some 20 s on a Raspberry Pi, once.
 * @param options.env `CXX` names the compiler, `XDG_CACHE_HOME` where results are kept
 * @throws FfiError `absent` without compiler or headers, or without room for the result; `refused` with the compiler's
 *   words when the headers do not fit, and when it does not end in time
 */
export async function compileShim(
  hailort: Hailort,
  options: { env?: Environment; timeoutMs?: number } = {},
): Promise<string> {
  const env = options.env ?? process.env
  const headers = findHeaders(hailort, env)
  const compiler = env.CXX ?? 'g++'
  const flags = ['-std=c++17', '-O2', '-fPIC', '-shared', `-I${headers}`]
  const { path } = hailort.library
  const digest = createHash('sha256')
    .update(readFileSync(source))
    .update(JSON.stringify([versionText(hailort.version), path, compiler, flags, process.arch]))
    .digest('hex')
    .slice(0, 24)
  const folder = join(cacheOf(env), `infer-model-${digest}`)
  const result = join(folder, 'librungbook-infer-model.so')
  if (existsSync(result)) return result
  writingInto(folder, () => makeFolder(folder))
  // A name of its own for each attempt: two models may be opened at once.
  const draft = join(folder, `.${process.pid}-${randomUUID()}.so`)
  try {
    await compile({
      compiler,
      args: [...flags, '-o', draft, source, path, `-Wl,-rpath,${dirname(path)}`],
      folder,
      timeoutMs: options.timeoutMs ?? compileTimeoutMs,
    })
    writingInto(folder, () => renameSync(draft, result))
  } finally {
    rmSync(draft, { force: true })
  }
  return result
}

/** One by one: node's own "recursive" goes round for ever where a parent cannot be made, as under `/proc`. */
function makeFolder(path: string): void {
  if (existsSync(path)) return
  makeFolder(dirname(path))
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (thrown) {
    // Another process was quicker.
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown
  }
}

/**
 * Do what writes into the folder of results.
 *
 * @throws FfiError `absent` when the folder cannot be written
 */
function writingInto(folder: string, write: () => void): void {
  try {
    write()
  } catch (thrown) {
    throw noRoom(folder, (thrown as NodeJS.ErrnoException).code ?? String(thrown))
  }
}

const noRoom = (folder: string, why: string) =>
  new FfiError(
    'absent',
    `Cannot run a model on a Hailo-10H: what is compiled for it cannot be kept in "${folder}" (${why})`,
    'make room there, or name a folder that can be written: export XDG_CACHE_HOME=/path/to/folder',
  )

interface Compilation {
  readonly compiler: string
  readonly args: readonly string[]
  readonly folder: string
  readonly timeoutMs: number
}

/**
 * Run the compiler, which ends at its time limit and when this process exits. Where that is killed, it finishes for
 * nobody.
 */
function compile({ compiler, args, folder, timeoutMs }: Compilation): Promise<void> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, LC_ALL: 'C' }
    const child = execFile(
      compiler,
      args,
      { env, maxBuffer: 16 << 20, timeout: timeoutMs, killSignal: 'SIGKILL' },
      (error, _, stderr) => {
        process.removeListener('exit', end)
        if (error) reject(refusalOf({ compiler, folder, timeoutMs, error, stderr }))
        else resolve()
      },
    )
    const end = () => void child.kill('SIGKILL')
    process.once('exit', end)
  })
}

/** What the file system says, in the words of compiler, assembler and linker. */
const unwritable = /No space left on device|Disk quota exceeded|Read-only file system|cannot open output file .*: (.*)/

function refusalOf(
  o: Omit<Compilation, 'args'> & { error: Error & { code?: unknown; killed?: boolean }; stderr: string },
): FfiError {
  const { compiler, error, stderr } = o
  const cannot = 'Cannot run a model on a Hailo-10H:'
  if (error.killed) {
    const state = `${compiler} did not compile infer-model.cpp within ${o.timeoutMs / 1000} s, and was ended`
    return new FfiError(
      'refused',
      `${cannot} ${state}`,
      `see whether it compiles anything: ${compiler} -std=c++17 -fsyntax-only ${source}`,
    )
  }
  if (typeof error.code === 'string') {
    return new FfiError(
      'absent',
      `${cannot} it takes a C++ compiler, and ${compiler} does not run (${error.code})`,
      install,
    )
  }
  const room = unwritable.exec(stderr)
  if (room) return noRoom(o.folder, room[1] ?? room[0])
  const lines = stderr.split('\n').filter(line => line.trim() !== '')
  const errors = lines.filter(line => line.includes('error'))
  const words = (errors.length > 0 ? errors : lines).slice(0, 5).join('\n')
  return new FfiError('refused', `${cannot} ${compiler} refuses infer-model.cpp with these headers:\n${words}`, install)
}
