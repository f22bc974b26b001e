/**
 * Runs a HEF on a Hailo device.
 *
 * Our own reader judges the file before the library opens it; `runner.ts` moves the frames. Numbers are float32
 * outside, and quantised by the library to what the device computes in. A crash of the library takes the process along:
 * whoever must survive one opens the model in a child process.
 */
import { performance } from 'node:perf_hooks'
import { orUndo } from '../../../ffi/jobs.ts'
import type { Device } from '../../../ffi/hailort/device.ts'
import { versionText } from '../../../ffi/hailort/abi/profiles.ts'
import { describe } from '../../formats/tensors/tensor.ts'
import { requireRunnable } from '../../formats/hef/preflight.ts'
import { readHef } from '../../formats/hef/read.ts'
import { Turns } from '../../base/async.ts'
import { usageError } from '../../base/errors.ts'
import { checkFeeds, type Backend, type Feeds, type Results, type Vitals } from '../backend.ts'
import type { Port } from './ports.ts'
import type { Runner } from './runner.ts'
import type { HailortOptions, HailortTensorInfo } from './types.ts'
import { operatingError } from '../native-error.ts'

/** A `Backend`, and questions that only such a device answers. */
export interface HailortBackend extends Backend {
  readonly name: 'hailort'
  readonly inputs: readonly HailortTensorInfo[]
  readonly outputs: readonly HailortTensorInfo[]
  /** `HailoRT 4.23.0 (profile C)` */
  readonly library: string
  /**
   * Mean on the device, in ms.
   *
   * @throws RunbookError fail unless opened with `measuresLatency`, and after a frame
   */
  deviceLatencyMs(): number
  /** Of two sensors on the chip. */
  temperatureC(): Promise<readonly [number, number]>
  /**
   * One measurement.
   *
   * @throws RunbookError fail on a board that does not measure current
   */
  powerW(): Promise<number>
}

/**
 * Open a HEF on a device.
 * @throws RunbookError blocked when the file, library or a free device is absent, or the library is one that nobody has
 *   measured; usage for a file that is damaged, for another architecture, or known to crash the library, and for an
 *   unknown output
 */
export async function openHailortBackend(path: string, options: HailortOptions = {}): Promise<HailortBackend> {
  const file = readHef(path)
  requireRunnable(file, {})
  const { openHailort } = await import('../../../ffi/hailort/library.ts')
  const { openRunner } = await import('./runner.ts')
  return translated(async () => {
    const hailort = openHailort(options.env ? { env: options.env } : {})
    const startedMs = performance.now()
    const libraryVersion = versionText(hailort.version)
    requireRunnable(file, { libraryVersion })
    let warnings: readonly string[] = []
    const judge = (arch: string) => {
      warnings = requireRunnable(file, { arch, libraryVersion }).map(({ message }) => message)
    }
    const runner = await openRunner({ path, hailort, options, judge })
    return orUndo(
      async () =>
        backendOf({ path, library: hailort.title, runner, warnings, options, loadMs: performance.now() - startedMs }),
      () => runner.close(),
    )
  })
}

interface Opened {
  readonly path: string
  readonly library: string
  readonly runner: Runner
  readonly warnings: readonly string[]
  readonly loadMs: number
  readonly options: HailortOptions
}

function backendOf({ path, library, runner, warnings, loadMs, options }: Opened): HailortBackend {
  const given = options.outputs?.map(name => outputNamed(name, runner.ports.outputs, path)) ?? runner.ports.outputs
  const queue = new Queue({ path, runner, given })
  const { architecture, firmware } = runner.identity
  return {
    name: 'hailort',
    device: `${architecture.replace(/^HAILO/, 'Hailo-')} ${runner.deviceId} fw ${versionText(firmware)}`,
    library,
    warnings,
    loadMs,
    inputs: runner.ports.inputs.map(({ info }) => info),
    outputs: given.map(({ info }) => info),
    infer: feeds => queue.infer(feeds),
    deviceLatencyMs() {
      queue.mustBeOpen()
      return translatedSync(() => runner.latencyMs())
    },
    temperatureC: () => queue.inTurn(() => runner.ask(async device => device.temperatureC())),
    powerW: () => queue.inTurn(() => runner.ask(device => device.powerW())),
    vitals: () => queue.inTurn(() => runner.ask(vitalsOf)),
    [Symbol.asyncDispose]: () => queue.close(),
  }
}

/** Many boards do not measure current; that is no failure. */
async function vitalsOf(device: Device): Promise<Vitals> {
  return { temperatureC: Math.max(...device.temperatureC()), powerW: await device.powerW().catch(() => null) }
}

/** Whatever is asked, of the model or of the device, is answered one after another. */
class Queue {
  readonly #path: string
  readonly #runner: Runner
  readonly #given: readonly Port[]
  readonly #turns = new Turns()
  #closing: Promise<void> | undefined

  constructor(o: { path: string; runner: Runner; given: readonly Port[] }) {
    this.#path = o.path
    this.#runner = o.runner
    this.#given = o.given
  }

  /** Results are views until the next question. Those of questions that were asked together are copies, and last. */
  async infer(feeds: Feeds): Promise<Results> {
    this.mustBeOpen()
    checkFeeds(
      feeds,
      this.#runner.ports.inputs.map(({ info }) => info),
    )
    return this.inTurn(() => this.#answer(feeds))
  }

  /**
   * Do a job when those that were asked for before have ended.
   *
   * @throws FfiError as an operating error; Error after `close`
   */
  async inTurn<T>(job: () => Promise<T>): Promise<T> {
    this.mustBeOpen()
    return translated(() => this.#turns.take(job))
  }

  /** @throws Error after `close` */
  mustBeOpen(): void {
    if (this.#closing) throw new Error(`the model "${this.#path}" is closed`)
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#turns.settled().then(() => translated(() => this.#runner.close())))
  }

  async #answer(feeds: Feeds): Promise<Results> {
    for (const { info, layout, frame } of this.#runner.ports.inputs)
      layout.frameFromTensor(feeds[info.name]!.data as Float32Array, frame)
    await this.#runner.run()
    return Object.fromEntries(
      this.#given.map(({ info, layout, frame, tensor }) => {
        if (tensor !== frame) layout.tensorFromFrame(frame, tensor)
        return [
          info.name,
          { dtype: 'float32', shape: layout.shape, data: this.#turns.waiting > 0 ? tensor.slice() : tensor },
        ]
      }),
    )
  }
}

function outputNamed(name: string, outputs: readonly Port[], path: string): Port {
  const found = outputs.filter(({ info }) => info.name === name || info.name.endsWith(`/${name}`))
  if (found.length === 1) return found[0]!
  const listed = outputs.map(({ info }) => `${info.name} ${describe(info)} (${info.layout})`).join(', ')
  throw usageError(`Cannot read the output "${name}" of "${path}": the model gives ${listed}`, 'choose one of them')
}

/** The earlier scripts asked for the Python package, and whoever comes from there looks for it. */
const operating = (thrown: unknown) =>
  operatingError(thrown, ({ code, hint }) =>
    code === 'library-absent' ? { hint: `${hint} (its Python package, pyhailort/hailo_platform, is not needed)` } : {},
  )

async function translated<T>(body: () => Promise<T>): Promise<T> {
  try {
    return await body()
  } catch (thrown) {
    throw operating(thrown)
  }
}

function translatedSync<T>(body: () => T): T {
  try {
    return body()
  } catch (thrown) {
    throw operating(thrown)
  }
}
