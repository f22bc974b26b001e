/**
 * How is a model run on a Hailo-10H?
 *
 * HailoRT runs models there through its C++ classes only. `infer-model.cpp` puts C functions before them; it is
 * compiled on this
 * machine on first use, with the headers of the very library that is installed, and kept under its version. Without a
 * compiler or headers the answer is what to install.
 */
import { execFile } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { FfiError } from '../errors.ts'
import { bind, openLibrary, type NativeFunction, type OpenedLibrary } from '../load.ts'
import { keeping, settled } from '../settled.ts'
import { memoryOf, type Hailort, type Handle } from './library.ts'
import { headerFolders } from './abi/header-folders.ts'
import { versionText } from './abi/profiles.ts'
import { check } from './status.ts'

type Environment = Readonly<Record<string, string | undefined>>

interface ShimFunctions {
  rungbook_model_open: NativeFunction<readonly unknown[], number>
  rungbook_model_frame_bytes: NativeFunction<readonly unknown[], number>
  rungbook_model_name: NativeFunction<readonly unknown[], string | null>
  rungbook_model_run: NativeFunction<readonly unknown[], number>
  rungbook_model_latency: NativeFunction<readonly unknown[], number>
  rungbook_model_close: NativeFunction<readonly unknown[], number>
}

const prototypes = {
  rungbook_model_open: {
    prototype: `int32_t rungbook_model_open(const char *path, const char *group, const char *device_id, const char *group_id,
      bool measures_latency, _Out_ void **out)`,
  },
  rungbook_model_frame_bytes: { prototype: 'size_t rungbook_model_frame_bytes(void *model, const char *name)' },
  rungbook_model_name: { prototype: 'const char *rungbook_model_name(void *model, bool is_input, uint32_t index)' },
  rungbook_model_run: {
    prototype: 'int32_t rungbook_model_run(void *model, const void *inputs, const void *outputs, uint32_t timeout_ms)',
  },
  rungbook_model_latency: { prototype: 'int32_t rungbook_model_latency(void *model, _Out_ double *latency_ms)' },
  rungbook_model_close: { prototype: 'int32_t rungbook_model_close(void *model)' },
}

const source = join(import.meta.dirname, 'infer-model.cpp')
const install = 'sudo apt install g++ hailo-h10-all (the headers may be in a package of their own, hailort-dev)'

/**
 * The folder that has `hailo/hailort.hpp`. `HAILORT_INCLUDE` names it; else the usual ones. Errors: FfiError `absent`.
 */
export function findHeaders(hailort: Hailort, env: Environment = process.env): string {
  const candidates = headerFolders(hailort.library.path, env)
  const found = candidates.find(folder => existsSync(join(folder, 'hailo/hailort.hpp')))
  if (found !== undefined) return found
  throw new FfiError(
    'absent',
    `Cannot run a model on a Hailo-10H: it takes HailoRT's header hailo/hailort.hpp, which is in none of ${candidates.join(', ')}`,
    `${install}, or say where it is: export HAILORT_INCLUDE=/path/to/include`,
  )
}

/**
 * Where compiled functions are kept: `XDG_CACHE_HOME`, else `~/.cache`. Errors: FfiError `absent` for a user without a
 * home.
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
 * words when
 *   the headers do not fit, and when it does not end in time
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

/** Do what writes into the folder of results. Errors: FfiError `absent` when the folder cannot be written. */
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

/** Errors: FfiError `absent` when what was kept does not open, as on a file system that runs no programs. */
function openShim(path: string): OpenedLibrary {
  try {
    return openLibrary({ title: 'infer-model', env: '', names: [path], folders: [], install }, { env: {} })
  } catch (thrown) {
    if (!(thrown instanceof FfiError)) throw thrown
    const why = thrown.message.split('\n').at(-1)!.trim()
    throw new FfiError(
      'absent',
      `Cannot run a model on a Hailo-10H: what was compiled for it does not open: ${why}`,
      `compile it again: rm -r ${dirname(path)}; or elsewhere: export XDG_CACHE_HOME=/path/to/folder`,
      { cause: thrown },
    )
  }
}

/** More than any model has. */
const streamsMax = 1024

/** A model, configured on a device of its own handle. */
export class InferModel implements AsyncDisposable {
  readonly #hailort: Hailort
  readonly #functions: ShimFunctions
  readonly #path: string
  #handle: Handle | null
  #running: Promise<unknown> = Promise.resolve()
  #closing: Promise<void> | undefined

  private constructor(o: { hailort: Hailort; functions: ShimFunctions; path: string; handle: Handle }) {
    this.#hailort = o.hailort
    this.#functions = o.functions
    this.#path = o.path
    this.#handle = o.handle
  }

  /** Configure a HEF for float32 frames. Errors: as `compileShim`; HailoError as on any device. */
  static async open(o: {
    hailort: Hailort
    path: string
    group?: string | null
    deviceId?: string
    groupId?: string
    measuresLatency?: boolean
    env?: Environment
  }): Promise<InferModel> {
    const shim = await compileShim(o.hailort, o.env ? { env: o.env } : {})
    const functions = bind<ShimFunctions>(openShim(shim), prototypes)
    const out: [Handle | null] = [null]
    const { group = null, deviceId = null, groupId = null, measuresLatency = false } = o
    const status = await settled(functions.rungbook_model_open, o.path, group, deviceId, groupId, measuresLatency, out)
    check({
      call: 'hailo_configure (InferModel)',
      status,
      version: o.hailort.version,
      deed: { act: 'configure', thing: o.path },
    })
    return new InferModel({ hailort: o.hailort, functions, path: o.path, handle: out[0]! })
  }

  /** Bytes of one frame of a stream; 0 when there is none of this name. */
  frameBytes(name: string): number {
    return Number(this.#functions.rungbook_model_frame_bytes(this.#opened(), name))
  }

  /** Names of the inputs or outputs, in the order in which `run` takes their frames. */
  names(isInput: boolean): string[] {
    const names: string[] = []
    while (names.length < streamsMax) {
      const name = this.#functions.rungbook_model_name(this.#opened(), isInput, names.length)
      if (name === null) return names
      names.push(name)
    }
    const state = `its ${isInput ? 'inputs' : 'outputs'} do not end after ${streamsMax}`
    throw new FfiError('refused', `Cannot use "${this.#path}": ${state}`, `${install}; then rm -r ~/.cache/rungbook`)
  }

  /**
   * Run one frame; frames are in the order of `names`, and each has its stream's size.
   * @throws HailoError; after one the model must be closed, for the device may still work on the frame
   */
  async run(o: {
    inputs: readonly Float32Array[]
    outputs: readonly Float32Array[]
    timeoutMs: number
  }): Promise<void> {
    const handle = this.#opened()
    const pointers = [o.inputs, o.outputs].map(frames => memoryOf(frames.map(frame => this.#hailort.addressOf(frame))))
    const job = keeping(
      [o, pointers],
      settled(this.#functions.rungbook_model_run, handle, pointers[0], pointers[1], o.timeoutMs),
    )
    this.#running = job.catch(() => {})
    check({
      call: 'hailo_infer (InferModel)',
      status: await job,
      version: this.#hailort.version,
      deed: { act: 'infer with', thing: this.#path },
    })
  }

  /** Mean latency on the device in ms. Errors: HailoError unless opened with `measuresLatency`, and after a frame. */
  latencyMs(): number {
    const out: [number] = [0]
    const status = this.#functions.rungbook_model_latency(this.#opened(), out)
    check({
      call: 'get_hw_latency_measurement',
      status,
      version: this.#hailort.version,
      deed: { act: 'measure the latency of', thing: this.#path },
    })
    return out[0]
  }

  /** Give the device back. A second call does nothing. */
  async [Symbol.asyncDispose](): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    const handle = this.#opened()
    this.#handle = null
    await this.#running
    const status = await settled(this.#functions.rungbook_model_close, handle)
    check({ call: 'shutdown', status, version: this.#hailort.version, deed: { act: 'close', thing: this.#path } })
  }

  #opened(): Handle {
    if (this.#handle === null) throw new FfiError('usage', `Cannot use "${this.#path}": it is closed`, 'open it again')
    return this.#handle
  }
}
