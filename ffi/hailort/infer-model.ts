/**
 * How is a model run on a Hailo-10H?
 *
 * HailoRT runs models there through its C++ classes only. `infer-model.cpp` puts C functions before them; it is compiled on this
 * machine on first use, with the headers of the very library that is installed, and kept under the digest of both. Without a
 * compiler or headers the answer is what to install.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { FfiError } from '../errors.ts'
import { bind, openLibrary, type NativeFunction } from '../load.ts'
import { memoryOf, type Hailort, type Handle } from './library.ts'
import { versionText } from './profiles.ts'
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
    prototype: `int32_t rungbook_model_open(const char *path, const char *device_id, const char *group_id, bool measures_latency,
      _Out_ void **out)`,
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
const install = 'sudo apt install g++ h10-hailort (the headers may be in a package of their own, hailort-dev)'

/** The folder that has `hailo/hailort.hpp`. `HAILORT_INCLUDE` names it; else the usual ones. Errors: FfiError `absent`. */
export function findHeaders(hailort: Hailort, env: Environment = process.env): string {
  const candidates = env.HAILORT_INCLUDE ? [env.HAILORT_INCLUDE] : [
    join(dirname(hailort.library.path), '../include'), '/usr/include', '/usr/local/include',
  ]
  const found = candidates.find(folder => existsSync(join(folder, 'hailo/hailort.hpp')))
  if (found !== undefined) return found
  throw new FfiError(
    'absent', `Cannot run a model on a Hailo-10H: it takes HailoRT's header hailo/hailort.hpp, which is in none of ${candidates.join(', ')}`,
    `${install}, or say where it is: export HAILORT_INCLUDE=/path/to/include`,
  )
}

/**
 * The compiled functions for this library. Compiling takes some 20 s on a Raspberry Pi, once.
 * @param options.env `CXX` names the compiler, `XDG_CACHE_HOME` where results are kept
 * @throws FfiError `absent` without compiler or headers; `refused` with the compiler's words when the headers do not fit
 */
export async function compileShim(hailort: Hailort, options: { env?: Environment } = {}): Promise<string> {
  const env = options.env ?? process.env
  const headers = findHeaders(hailort, env)
  const compiler = env.CXX ?? 'g++'
  const flags = ['-std=c++17', '-O2', '-fPIC', '-shared', `-I${headers}`]
  const { path } = hailort.library
  const digest = createHash('sha256').update(readFileSync(source))
    .update(JSON.stringify([versionText(hailort.version), path, compiler, flags, process.arch])).digest('hex').slice(0, 24)
  const folder = join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'rungbook', `infer-model-${digest}`)
  const result = join(folder, 'librungbook-infer-model.so')
  if (existsSync(result)) return result
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const draft = join(folder, `.${process.pid}.so`)
  await compile(compiler, [...flags, '-o', draft, source, path, `-Wl,-rpath,${dirname(path)}`]).catch((thrown: unknown) => {
    rmSync(draft, { force: true })
    throw thrown
  })
  renameSync(draft, result)
  return result
}

function compile(compiler: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(compiler, args, { maxBuffer: 16 << 20 }, (error, _stdout, stderr) => {
      if (!error) return resolve()
      if (typeof error.code === 'string') {
        const state = `it takes a C++ compiler, and ${compiler} does not run (${error.code})`
        return reject(new FfiError('absent', `Cannot run a model on a Hailo-10H: ${state}`, install))
      }
      const words = stderr.split('\n').filter(line => line.includes('error')).slice(0, 5).join('\n')
      reject(new FfiError(
        'refused', `Cannot run a model on a Hailo-10H: ${compiler} refuses infer-model.cpp with these headers:\n${words}`, install,
      ))
    })
  })
}

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
    hailort: Hailort; path: string; deviceId?: string; groupId?: string; measuresLatency?: boolean; env?: Environment
  }): Promise<InferModel> {
    const shim = await compileShim(o.hailort, o.env ? { env: o.env } : {})
    const library = openLibrary({ title: 'infer-model', env: '', names: [shim], folders: [], install }, { env: {} })
    const functions = bind<ShimFunctions>(library, prototypes)
    const out: [Handle | null] = [null]
    const status = await settled(
      done => functions.rungbook_model_open.async(o.path, o.deviceId ?? null, o.groupId ?? null, o.measuresLatency ?? false, out, done),
    )
    check({ call: 'hailo_configure (InferModel)', status, version: o.hailort.version, deed: { act: 'configure', thing: o.path } })
    return new InferModel({ hailort: o.hailort, functions, path: o.path, handle: out[0]! })
  }

  /** Bytes of one frame of a stream; 0 when there is none of this name. */
  frameBytes(name: string): number {
    return Number(this.#functions.rungbook_model_frame_bytes(this.#opened(), name))
  }

  /** Names of the inputs or outputs, in the order in which `run` takes their frames. */
  names(isInput: boolean): string[] {
    const names: string[] = []
    for (;;) {
      const name = this.#functions.rungbook_model_name(this.#opened(), isInput, names.length)
      if (name === null) return names
      names.push(name)
    }
  }

  /**
   * Run one frame; frames are in the order of `names`, and each has its stream's size.
   * @throws HailoError; after one the model must be closed, for the device may still work on the frame
   */
  async run(o: { inputs: readonly Float32Array[]; outputs: readonly Float32Array[]; timeoutMs: number }): Promise<void> {
    const handle = this.#opened()
    const pointers = [o.inputs, o.outputs].map(frames => memoryOf(frames.map(frame => this.#hailort.addressOf(frame))))
    const job = this.#hailort.keeping(
      [o, pointers], settled(done => this.#functions.rungbook_model_run.async(handle, pointers[0], pointers[1], o.timeoutMs, done)),
    )
    this.#running = job.catch(() => {})
    check({
      call: 'hailo_infer (InferModel)', status: await job, version: this.#hailort.version, deed: { act: 'infer with', thing: this.#path },
    })
  }

  /** Mean latency on the device in ms. Errors: HailoError unless opened with `measuresLatency`, and after a frame. */
  latencyMs(): number {
    const out: [number] = [0]
    const status = this.#functions.rungbook_model_latency(this.#opened(), out)
    check({ call: 'get_hw_latency_measurement', status, version: this.#hailort.version, deed: {
      act: 'measure the latency of', thing: this.#path,
    } })
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
    const status = await settled(done => this.#functions.rungbook_model_close.async(handle, done))
    check({ call: 'shutdown', status, version: this.#hailort.version, deed: { act: 'close', thing: this.#path } })
  }

  #opened(): Handle {
    if (this.#handle === null) throw new FfiError('usage', `Cannot use "${this.#path}": it is closed`, 'open it again')
    return this.#handle
  }
}

const settled = (start: (done: (error: Error | null, status: number) => void) => void): Promise<number> =>
  new Promise((resolve, reject) => start((error, status) => (error ? reject(error) : resolve(status))))
