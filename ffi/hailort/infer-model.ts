/**
 * Runs a model on a Hailo-10H, where HailoRT runs models through its C++ classes only.
 *
 * `infer-model.cpp` puts C functions before them; `compile-shim.ts` compiles it on this machine on first use.
 */
import { dirname } from 'node:path'
import { shellWord } from '../../lib/base/text.ts'
import { FfiError } from '../errors.ts'
import { bind, openLibrary, type NativeFunction, type OpenedLibrary } from '../load.ts'
import { keeping, settled } from '../settled.ts'
import { memoryOf, type Hailort, type Handle } from './library.ts'
import { compileShim, install } from './compile-shim.ts'
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
    prototype: `int32_t rungbook_model_open(const char *path, const char *group, const char *device_id,
      const char *group_id, bool measures_latency, _Out_ void **out)`,
  },
  rungbook_model_frame_bytes: { prototype: 'size_t rungbook_model_frame_bytes(void *model, const char *name)' },
  rungbook_model_name: { prototype: 'const char *rungbook_model_name(void *model, bool is_input, uint32_t index)' },
  rungbook_model_run: {
    prototype: 'int32_t rungbook_model_run(void *model, const void *inputs, const void *outputs, uint32_t timeout_ms)',
  },
  rungbook_model_latency: { prototype: 'int32_t rungbook_model_latency(void *model, _Out_ double *latency_ms)' },
  rungbook_model_close: { prototype: 'int32_t rungbook_model_close(void *model)' },
}

/** @throws FfiError `absent` when what was kept does not open, as on a file system that runs no programs */
function openShim(path: string): OpenedLibrary {
  try {
    return openLibrary({ title: 'infer-model', env: '', names: [path], folders: [], install }, { env: {} })
  } catch (thrown) {
    if (!(thrown instanceof FfiError)) throw thrown
    const why = thrown.search?.tried.at(-1) ?? thrown.message
    throw new FfiError(
      'absent',
      `Cannot run a model on a Hailo-10H: what was compiled for it does not open: ${why}`,
      `compile it again: rm -r ${shellWord(dirname(path))}; or elsewhere: export XDG_CACHE_HOME=/path/to/folder`,
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

  /**
   * Configure a HEF for float32 frames.
   *
   * @throws FfiError as `compileShim`; HailoError as on any device
   */
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
   *
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

  /**
   * Mean latency on the device in ms.
   *
   * @throws HailoError unless opened with `measuresLatency`, and after a frame
   */
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
