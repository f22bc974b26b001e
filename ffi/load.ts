/**
 * Finds a native library and opens it in this process.
 *
 * The one place that loads koffi and the one place that opens libraries. Nothing opens when this file is imported.
 * Which functions a library has, and what their arguments mean, is said in the rooms beside this file.
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import type koffiModule from 'koffi'
import type { LibraryHandle } from 'koffi'
import { FfiError } from './errors.ts'
import { elfProblem } from './elf.ts'
import { MemoryMap } from './memory-map.ts'
import { traced } from './trace.ts'

/** The module, which is loaded at the first call of `koffi()`. */
export type Koffi = typeof koffiModule

let loaded: Koffi | undefined

/** koffi with its stacks set once, before the first native call: vendors' libraries overflow the default of 1 MiB. */
export function koffi(): Koffi {
  if (loaded) return loaded
  const module = createRequire(import.meta.url)('koffi') as Koffi
  module.config({ sync_stack_size: 16 << 20, async_stack_size: 16 << 20, async_heap_size: 1 << 20 })
  return (loaded = module)
}

/** What is looked for, and where. */
export interface LibrarySpec {
  /** As people call it: `HailoRT`. */
  readonly title: string
  /**
   * Environment variable that overrides the search: `HAILORT_LIB`. It names a file, or a folder that has one of
   * `names`.
   */
  readonly env: string
  /**
   * Names for the loader, best first; in folders also with any version behind them. One with a slash in it is a path,
   * and is not looked for in `folders`.
   */
  readonly names: readonly string[]
  /** The usual folders, best first; tried after the loader. */
  readonly folders: readonly string[]
  /** The package that has it, or the line that installs it. */
  readonly install: string
}

/** A library in this process. */
export interface OpenedLibrary {
  readonly title: string
  /** Absolute path of the file that the loader mapped, where the system tells; else the name that was opened. */
  readonly path: string
  /** The variable that names another one. */
  readonly env: string
  readonly handle: LibraryHandle
}

/**
 * Open a library: the environment's override, then the loader's own search, then the usual folders. An override that
 * does not open is an error: nothing else is tried in its place.
 *
 * @param options.env the environment; `process.env` unless told
 * @throws FfiError `absent`, with each path tried (grouped by folder) and what was wrong with it, the package that has
 *   it, and the `export` line
 */
export function openLibrary(
  spec: LibrarySpec,
  options: { env?: Readonly<Record<string, string | undefined>> } = {},
): OpenedLibrary {
  const env = options.env ?? process.env
  const override = env[spec.env]
  const candidates = override ? overridePaths(spec, override) : searchPaths(spec, env)
  const tried: Attempt[] = []
  for (const candidate of candidates) {
    const opened = tryOpen(candidate)
    if (typeof opened !== 'string')
      return { title: spec.title, path: mappedPath(candidate), env: spec.env, handle: opened }
    tried.push({ candidate, wrong: opened })
  }
  const from = override ? ` named by ${spec.env}` : ''
  const example = spec.names.map(name => basename(name))[0] ?? 'library.so'
  const count = tried.length === 1 ? '1 place was' : `${tried.length} places were`
  const places = placesTried(tried)
  const broken = tried.find(attempt => !isAbsent(attempt))
  const search = {
    places: tried.length,
    tried: places,
    broken: broken === undefined ? null : attemptText(broken),
    install: spec.install,
    elsewhere: `say where it is: export ${spec.env}=/path/to/${example}`,
  }
  throw new FfiError(
    'absent',
    [`Cannot open ${spec.title}${from}: ${count} tried`, ...places].join('\n  '),
    override
      ? `unset ${spec.env} # or name a library that opens: export ${spec.env}=/path/to/${example}`
      : `install it (${search.install}), or ${search.elsewhere}`,
    { code: override ? 'override-absent' : 'library-absent', search },
  )
}

interface Attempt {
  readonly candidate: string
  readonly wrong: string
}

const noSuchFile = 'no such file'
const unknownToLoader = 'cannot open shared object file: No such file or directory'
const isAbsent = ({ wrong }: Attempt): boolean => wrong === noSuchFile || wrong === unknownToLoader
const attemptText = ({ candidate, wrong }: Attempt): string => `${candidate}: ${wrong}`

/**
 * First a line for each file that is there and does not open; then one for the loader's own search, and one for all
 * folders that lack the same names, as a shell writes them: `/usr/lib, /usr/local/lib: libx.so, libx.so.{2, 1}: no such
 * file`.
 */
function placesTried(attempts: readonly Attempt[]): string[] {
  const folders = grouped(attempts.filter(isAbsent), ({ candidate }) =>
    candidate.includes('/') ? dirname(candidate) : 'by the loader',
  )
  const lacks = [...folders].map(([folder, inside]) => ({
    folder,
    what: `${inBraces(inside.map(({ candidate }) => basename(candidate)))}: ${inside[0]!.wrong}`,
    path: inside.length === 1 && inside[0]!.candidate.includes('/') ? inside[0]!.candidate : null,
    wrong: inside[0]!.wrong,
  }))
  const absent = [...grouped(lacks, ({ what }) => what)].map(([what, alike]) => {
    const [{ path, wrong }] = alike as [(typeof lacks)[number]]
    return alike.length === 1 && path ? `${path}: ${wrong}` : `${alike.map(({ folder }) => folder).join(', ')}: ${what}`
  })
  return [...attempts.filter(attempt => !isAbsent(attempt)).map(attemptText), ...absent]
}

/** Names that differ only behind `.so.` share one pair of braces. */
function inBraces(names: readonly string[]): string {
  const stemOf = (name: string) => /^.*?\.so\./.exec(name)?.[0] ?? name
  return [...grouped(names, stemOf)]
    .map(([stem, alike]) => {
      const ends = alike.map(name => name.slice(stem.length))
      return ends.length === 1 ? alike[0] : `${stem}{${ends.join(', ')}}`
    })
    .join(', ')
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item])
  return groups
}

function overridePaths(spec: LibrarySpec, override: string): string[] {
  const path = resolve(override)
  const isFolder = existsSync(path) && statSync(path).isDirectory()
  if (!isFolder) return [path]
  const names = [...new Set(spec.names.map(name => basename(name)))]
  // A folder of a package may have the file under its full version alone: libonnxruntime.so.1.26.0.
  return [...new Set([...names, ...versionsIn(path, names)])].map(name => join(path, name))
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    // One that may not be read may still have a file of a known name.
    return []
  }
}

/** By the loader, then in each folder the names, then the same under any full version, newest first. */
function searchPaths(spec: LibrarySpec, env: Readonly<Record<string, string | undefined>>): string[] {
  const bare = spec.names.filter(name => !name.includes('/'))
  const given = (env.LD_LIBRARY_PATH ?? '').split(':').filter(folder => folder.startsWith('/'))
  const inFolders = [...given, ...spec.folders].flatMap(folder => [
    ...bare.map(name => join(folder, name)),
    ...versionsIn(folder, bare).map(name => join(folder, name)),
  ])
  return [...new Set([...spec.names, ...inFolders])]
}

/** Files that have one of these names and a version behind it: `libhailort.so.5.3.0`. Newest first. */
function versionsIn(folder: string, names: readonly string[]): string[] {
  const isOne = (file: string) => names.some(name => file.startsWith(`${name}.`) && /\.so(\.\d+)+$/.test(file))
  return filesIn(folder)
    .filter(isOne)
    .toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }))
}

/**
 * The library, or what is wrong with it. A file is looked at before the loader is asked: the loader's words do not name
 * the arch.
 */
function tryOpen(candidate: string): LibraryHandle | string {
  if (candidate.includes('/')) {
    const wrong = wrongWith(candidate)
    if (wrong) return wrong
  }
  try {
    const library = koffi().load(candidate)
    pin(candidate)
    return library
  } catch (thrown) {
    const words = thrown instanceof Error ? thrown.message : String(thrown)
    const said = words.replace(/^Failed to load shared library: ?/, '').replaceAll(/\s+/g, ' ')
    return said.startsWith(`${candidate}: `) ? said.slice(candidate.length + 2) : said
  }
}

/** RTLD_NOW | RTLD_NODELETE of glibc. */
const pinned = 0x1002
let dlopen: NativeFunction<[string, number]> | undefined

/**
 * Keep a library in memory to the end of the process. koffi lets go of one that nobody holds, and of all of them at the
 * end, while threads of ours still have things in it to clean up: ONNX Runtime before 1.19 then ends the process with a
 * crash.
 */
function pin(path: string): void {
  if (process.platform !== 'linux') return
  dlopen ??= koffi().load(null).func('void *dlopen(const char *path, int flags)') as NativeFunction<[string, number]>
  dlopen(path, pinned)
}

function wrongWith(path: string): string | undefined {
  try {
    return process.platform === 'linux' ? elfProblem(path) : void statSync(path)
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? noSuchFile
      : code === 'EACCES'
        ? 'permission denied'
        : String(thrown)
  }
}

/** The loader does not say which file a bare name came to; the kernel does. */
function mappedPath(opened: string): string {
  if (opened.includes('/')) return resolve(opened)
  const isNamed = (path: string) => basename(path) === opened || basename(path).startsWith(`${opened}.`)
  return new MemoryMap().files().find(isNamed) ?? opened
}

/**
 * One function of a library: its C prototype with its name, as koffi reads it. A lacking `optional` one is left
 * undefined.
 */
export interface FunctionSpec {
  readonly prototype: string
  readonly optional?: true
}

/** A native function. `async` runs it on a worker thread and calls back with (error, result). */
export interface NativeFunction<Args extends readonly unknown[] = readonly unknown[], Result = unknown> {
  (...args: Args): Result
  async(...args: [...Args, (error: Error | null, result: Result) => void]): void
}

/**
 * Declare a library's functions from data. The table's keys are the symbols' names.
 *
 * @throws FfiError `absent` naming the first required symbol that the library lacks; a plain error for a bad prototype
 */
export function bind<T extends object>(library: OpenedLibrary, table: { readonly [K in keyof T]-?: FunctionSpec }): T {
  const entries = Object.entries<FunctionSpec>(table)
  const lacking = entries.filter(([name, spec]) => !spec.optional && !hasSymbol(library, name)).map(([name]) => name)
  if (lacking.length > 0) {
    const rest = `${lacking.slice(1, 6).join(', ')}${lacking.length > 6 ? ', …' : ''}`
    const more = lacking.length > 1 ? ` (and ${lacking.length - 1} more: ${rest})` : ''
    const state = `it has no symbol ${lacking[0]}${more}`
    const another = library.env && `, or name another: export ${library.env}=/path/to/${basename(library.path)}`
    throw new FfiError(
      'absent',
      `Cannot use ${library.title} at "${library.path}": ${state}`,
      `install a version that has it${another}`,
    )
  }
  const here = entries.filter(([name, spec]) => !spec.optional || hasSymbol(library, name))
  return Object.fromEntries(here.map(([name, spec]) => [name, traced(name, library.handle.func(spec.prototype))])) as T
}

/** Whether a library exports a symbol. */
export function hasSymbol(library: OpenedLibrary, name: string): boolean {
  try {
    return Boolean(library.handle.symbol(name))
  } catch {
    return false
  }
}
