/**
 * Compiles our own C into native libraries for tests.
 *
 * Result is kept in the system's temporary folder under the digest of everything that went in, so that a second test
 * file waits for nothing. Only tests and `runbooks/` that demonstrate a stand-in call this; nothing compiles at import
 * time.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { FfiError } from '../errors.ts'

/** What a stand-in is compiled with, next to the warnings that are errors for every stand-in. */
export interface BuildOptions {
  /** Name of the result, as the loader would look for it: `libhailort.so`. */
  readonly out: string
  /** `-DNAME=value`; `true` gives a bare `-DNAME`. */
  readonly defines?: Readonly<Record<string, string | number | true>>
  /** More flags, after the usual ones: include folders, libraries. */
  readonly flags?: readonly string[]
  /**
   * Build for AddressSanitizer and UBSan: so it is where `sanitizerEnv()` is in force, and only there the result loads
   * into node.
   */
  readonly sanitize?: boolean | undefined
  /** Who compiles. `gcc` unless told; a `.cpp` or `.cc` among the sources makes it `g++`. */
  readonly compiler?: string
  /** `shared` unless told: a library. `program` is something to execute. */
  readonly kind?: 'shared' | 'program'
}

// Optimised and with debug information, one stand-in takes g++ 17 s under the sanitizers; so it takes 2 s.
const usualFlags = ['-O0', '-fPIC', '-Wall', '-Wextra', '-Werror', '-pthread']

/**
 * Compile sources into one library (or program), or find what an earlier call compiled from the same sources and flags.
 *
 * @param sources paths; every header in their folders counts for the digest
 * @returns the absolute path of the result
 * @throws FfiError `absent` without a compiler, `usage` with the compiler's own words when it refuses
 */
export function buildStandin(sources: readonly string[], options: BuildOptions): string {
  const files = sources.map(source => resolve(source))
  const command = commandOf(files, options)
  const folder = join(cacheFolder(), digestOf(files, command))
  const result = join(folder, options.out)
  if (existsSync(result)) return result
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  // Two test files may compile the same thing at once: each writes its own file, and the last rename wins with equal
  // bytes.
  const draft = join(folder, `.${process.pid}-${Date.now()}-${options.out}`)
  const { status, stderr, error } = spawnSync(
    command[0]!,
    [...command.slice(1), '-o', draft, ...files, '-lm', '-ldl'],
    // The compiler itself is not to be sanitized.
    { encoding: 'utf8', env: { ...process.env, LD_PRELOAD: '' } },
  )
  if (error)
    throw new FfiError(
      'absent',
      `Cannot compile "${options.out}": ${command[0]} does not run (${error.message})`,
      'sudo apt install gcc g++',
    )
  if (status !== 0) {
    rmSync(draft, { force: true })
    throw new FfiError(
      'usage',
      `Cannot compile "${options.out}": ${command[0]} refuses it:\n${stderr.trim()}`,
      `${command.join(' ')} ${files.join(' ')}`,
    )
  }
  keepFirst(draft, result)
  return result
}

/** Whoever finished first stays: another process may have loaded that file already. */
function keepFirst(draft: string, result: string): void {
  try {
    linkSync(draft, result)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Whether this process was started with `sanitizerEnv()`, so that every stand-in is built for the sanitizers. */
export const isSanitized = (): boolean => process.env.RUNGBOOK_SANITIZE === '1'

/**
 * Environment for a node that loads a library built with `sanitize`.
 *
 * @param o.logs a folder that gets a file for each complaint; without it they go to stderr
 * @throws FfiError `absent` without gcc or its sanitizer runtime
 */
export function sanitizerEnv({ logs }: { logs?: string } = {}): Record<string, string> {
  const find = (name: string) => {
    const path = execFileSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim()
    if (!path.startsWith('/'))
      throw new FfiError(
        'absent',
        `Cannot run under AddressSanitizer: gcc has no ${name}`,
        'sudo apt install libasan8 libubsan1',
      )
    return path
  }
  // Node itself keeps memory until it exits; only errors of the stand-in and of our calls into it are looked for. A
  // crash that a test orders stays a crash with its signal: only memory that is used wrongly is the sanitizers'
  // business.
  const asan = [
    'detect_leaks=0',
    'verify_asan_link_order=0',
    'allocator_may_return_null=1',
    'handle_segv=0',
    'handle_abort=0',
    'handle_sigfpe=0',
    'handle_sigbus=0',
    'handle_sigill=0',
  ]
  const to = logs ? [`log_path=${join(logs, 'sanitizer')}`] : []
  return {
    RUNGBOOK_SANITIZE: '1',
    LD_PRELOAD: `${find('libasan.so')}:${find('libubsan.so')}`,
    ASAN_OPTIONS: [...asan, ...to].join(':'),
    UBSAN_OPTIONS: ['halt_on_error=1', 'print_stacktrace=1', ...to].join(':'),
  }
}

function commandOf(files: readonly string[], o: BuildOptions): string[] {
  const { defines = {}, flags = [], sanitize = isSanitized(), compiler, kind = 'shared' } = o
  const isCpp = files.some(file => ['.cpp', '.cc'].includes(extname(file)))
  return [
    compiler ?? (isCpp ? 'g++' : 'gcc'),
    isCpp ? '-std=c++17' : '-std=c11',
    ...(kind === 'shared' ? ['-shared'] : []),
    ...usualFlags,
    ...(sanitize ? ['-fsanitize=address,undefined', '-fno-omit-frame-pointer'] : []),
    ...Object.entries(defines).map(([name, value]) => (value === true ? `-D${name}` : `-D${name}=${value}`)),
    ...flags,
  ]
}

/**
 * Of the command, and of every source and header that it may read; and of the machine, for a temporary folder may be
 * shared.
 */
function digestOf(files: readonly string[], command: readonly string[]): string {
  const hash = createHash('sha256').update(JSON.stringify([process.arch, command]))
  const headers = [...new Set(files.map(dirname))].flatMap(folder =>
    readdirSync(folder)
      .filter(name => /\.(h|hpp|inc)$/.test(name))
      .toSorted()
      .map(name => join(folder, name)),
  )
  for (const file of [...files, ...headers]) hash.update(`\0${basename(file)}\0`).update(readFileSync(file))
  return hash.digest('hex').slice(0, 24)
}

/** Where what tests compile is kept from run to run. */
export const cacheFolder = (): string => join(tmpdir(), `rungbook-standins-${process.getuid?.() ?? 'user'}`)
