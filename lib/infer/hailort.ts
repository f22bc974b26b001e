/**
 * How is a HEF run on a Hailo device? Through HailoRT's C interface, with streams that stay open.
 *
 * Our own reader judges the file before the library opens it. Every wait is on a worker thread; all inputs are written and all
 * outputs read at once. Numbers are float32 outside, and quantised by the library to what the device computes in. A crash of the
 * library takes the process along: whoever must survive one opens the model in a child process.
 */
import { performance } from 'node:perf_hooks'
import { FfiError } from '../../ffi/errors.ts'
import type { Device, VDevice } from '../../ffi/hailort/device.ts'
import type { Hailort } from '../../ffi/hailort/library.ts'
import type { NetworkGroup } from '../../ffi/hailort/network-group.ts'
import { describeStream, type Quantisation, type StreamInfo } from '../../ffi/hailort/stream-info.ts'
import type { VStream } from '../../ffi/hailort/vstreams.ts'
import { describe } from '../formats/tensor.ts'
import { requireRunnable } from '../formats/hef-preflight.ts'
import { readHef } from '../formats/hef.ts'
import { RunbookError, usageError } from '../notebook/errors.ts'
import { checkFeeds, type Backend, type Feeds, type Results, type TensorInfo } from './backend.ts'
import { layoutOfStream, type StreamLayout } from './hailort-layout.ts'

export interface HailortOptions {
  /** Id of the device, as a scan tells it; one that the library chooses unless told. */
  readonly deviceId?: string
  /** Which network group of the HEF, where it has several. */
  readonly group?: string
  /** How long one frame may take; 10 s unless told. */
  readonly timeoutMs?: number
  /** Which outputs are given back; all unless told. The others are read nevertheless, for the device waits for that. */
  readonly outputs?: readonly string[]
  /** Have the device measure its own latency. */
  readonly measuresLatency?: boolean
  /** Where the library is looked for; `process.env` unless told. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** A stream: what any backend tells of it, and what the device does with its numbers. */
export interface HailortTensorInfo extends TensorInfo {
  /** How it lies on the device: `NHWC 1x16000x1`. */
  readonly layout: string
  /** null when each feature has its own. */
  readonly quantisation: Quantisation | null
}

/** A `Backend`, and questions that only such a device answers. */
export interface HailortBackend extends Backend {
  readonly name: 'hailort'
  readonly inputs: readonly HailortTensorInfo[]
  readonly outputs: readonly HailortTensorInfo[]
  /** `HailoRT 4.23.0 (profile C)` */
  readonly library: string
  /** Warnings about this file on this device. */
  readonly warnings: readonly string[]
  /** Mean on the device, in ms. Errors: fail unless opened with `measuresLatency`, and after a frame. */
  deviceLatencyMs(): number
  /** Of two sensors on the chip. */
  temperatureC(): readonly [number, number]
  /** One measurement. Errors: fail on a board that does not measure current. */
  powerW(): Promise<number>
}

/** Models of one process share a device; without a common name the second would find none free. */
const sharedGroup = 'rungbook'

/**
 * Open a HEF on a device.
 * @throws blocked when the file, the library or a free device is absent, or the library is one that nobody has measured; usage for a
 *   file that is damaged, for another architecture, or known to crash the library, and for an unknown output
 */
export async function openHailortBackend(path: string, options: HailortOptions = {}): Promise<HailortBackend> {
  const file = readHef(path)
  requireRunnable(file, {})
  const { openHailort } = await import('../../ffi/hailort/library.ts')
  const { VDevice: VDevices } = await import('../../ffi/hailort/device.ts')
  return translated(async () => {
    const hailort = openHailort(options.env ? { env: options.env } : {})
    const startedMs = performance.now()
    const vdevice = await VDevices.open(hailort, { groupId: sharedGroup, ...(options.deviceId && { deviceIds: [options.deviceId] }) })
    try {
      const device = vdevice.devices()[0]!
      const libraryVersion = `${hailort.version.major}.${hailort.version.minor}.${hailort.version.revision}`
      const warnings = requireRunnable(file, { arch: device.identify().architecture, libraryVersion }).map(({ message }) => message)
      const model = await HailortModel.open({ path, hailort, vdevice, device, options })
      return model.backend({ loadMs: performance.now() - startedMs, warnings })
    } catch (thrown) {
      await vdevice[Symbol.asyncDispose]()
      throw thrown
    }
  })
}

interface Port {
  readonly info: HailortTensorInfo
  readonly layout: StreamLayout
  /** What travels. */
  readonly frame: Float32Array
  /** What is given back; the frame itself where both lie alike. */
  readonly tensor: Float32Array
}

class HailortModel {
  readonly #path: string
  readonly #vdevice: VDevice
  readonly #device: Device
  readonly #group: NetworkGroup
  readonly #options: HailortOptions
  readonly #inputs: readonly Port[]
  readonly #outputs: readonly Port[]
  readonly #given: readonly Port[]
  #streams: { inputs: readonly VStream[]; outputs: readonly VStream[] } | null = null
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0
  #closing: Promise<void> | undefined

  private constructor(o: { path: string; vdevice: VDevice; device: Device; group: NetworkGroup; options: HailortOptions }) {
    this.#path = o.path
    this.#vdevice = o.vdevice
    this.#device = o.device
    this.#group = o.group
    this.#options = o.options
    const { streams, outputNames } = o.group
    this.#inputs = streams.filter(({ isInput }) => isInput).map(portOf)
    const outputs = streams.filter(({ isInput }) => !isInput).map(portOf)
    const rank = (port: Port) => outputNames.indexOf(port.info.name) >>> 0
    this.#outputs = outputs.toSorted((a, b) => rank(a) - rank(b))
    this.#given = o.options.outputs?.map(name => this.#outputNamed(name)) ?? this.#outputs
  }

  static async open(o: { path: string; hailort: Hailort; vdevice: VDevice; device: Device; options: HailortOptions }): Promise<HailortModel> {
    const { Hef } = await import('../../ffi/hailort/hef.ts')
    const { configure } = await import('../../ffi/hailort/network-group.ts')
    const hef = await Hef.fromFile(o.hailort, o.path)
    try {
      const { group, measuresLatency = false } = o.options
      const model = new HailortModel({ ...o, group: await configure(o.vdevice, hef, { ...(group && { group }), measuresLatency }) })
      await model.#openStreams()
      return model
    } finally {
      await hef[Symbol.asyncDispose]()
    }
  }

  backend(o: { loadMs: number; warnings: readonly string[] }): HailortBackend {
    const { architecture, firmware } = this.#device.identify()
    const name = architecture.replace(/^HAILO/, 'Hailo-')
    return {
      ...o,
      name: 'hailort',
      device: `${name} ${this.#device.id} fw ${firmware.major}.${firmware.minor}.${firmware.revision}`,
      library: this.#vdevice.hailort.title,
      inputs: this.#inputs.map(({ info }) => info),
      outputs: this.#given.map(({ info }) => info),
      infer: feeds => this.#infer(feeds),
      deviceLatencyMs: () => translatedSync(() => this.#group.latencyMs()),
      temperatureC: () => translatedSync(() => this.#device.temperatureC()),
      powerW: () => translated(() => this.#device.powerW()),
      [Symbol.asyncDispose]: () => (this.#closing ??= this.#close()),
    }
  }

  /** One after another: results are views until the next question. Those of questions that were asked together are copies, and last. */
  #infer(feeds: Feeds): Promise<Results> {
    if (this.#closing) return Promise.reject(new Error(`the model "${this.#path}" is closed`))
    try {
      checkFeeds(feeds, this.#inputs.map(({ info }) => info))
    } catch (thrown) {
      return Promise.reject(thrown as Error)
    }
    this.#waiting++
    const job = this.#last.then(() => {
      this.#waiting--
      return translated(() => this.#run(feeds))
    })
    this.#last = job.catch(() => {})
    return job
  }

  async #run(feeds: Feeds): Promise<Results> {
    for (const { info, layout, frame } of this.#inputs) layout.frameFromTensor(feeds[info.name]!.data as Float32Array, frame)
    const streams = this.#streams ?? (await this.#openStreams())
    // Inputs first: node's few worker threads take them in this order, and a read may wait for every input.
    const jobs = [
      ...this.#inputs.map(({ info, frame }) => named(streams.inputs, info).write(frame)),
      ...this.#outputs.map(({ info, frame }) => named(streams.outputs, info).read(frame)),
    ]
    const failed = (await Promise.allSettled(jobs)).find(({ status }) => status === 'rejected')
    if (failed) {
      // What is still on its way would be taken for the answer to the next question.
      await this.#closeStreams()
      throw (failed as PromiseRejectedResult).reason
    }
    return Object.fromEntries(this.#given.map(({ info, layout, frame, tensor }) => {
      if (tensor !== frame) layout.tensorFromFrame(frame, tensor)
      return [info.name, { dtype: 'float32', shape: layout.shape, data: this.#waiting > 0 ? tensor.slice() : tensor }]
    }))
  }

  async #openStreams(): Promise<{ inputs: readonly VStream[]; outputs: readonly VStream[] }> {
    const options = { type: 'float32' as const, ...(this.#options.timeoutMs !== undefined && { timeoutMs: this.#options.timeoutMs }) }
    const inputs = await this.#group.openInputs(options)
    const outputs = await this.#group.openOutputs(options)
    for (const [ports, streams] of [[this.#inputs, inputs], [this.#outputs, outputs]] as const) {
      for (const { info, frame } of ports) {
        const { frameBytes } = named(streams, info)
        if (frameBytes === frame.byteLength) continue
        throw usageError(`Cannot use "${info.name}": ${info.layout} takes ${frame.byteLength} bytes, and HailoRT wants ${frameBytes}`, 'report it, with the HEF')
      }
    }
    return (this.#streams = { inputs, outputs })
  }

  async #closeStreams(): Promise<void> {
    const streams = this.#streams
    this.#streams = null
    await Promise.all([...(streams?.outputs ?? []), ...(streams?.inputs ?? [])].map(stream => stream.close()))
  }

  async #close(): Promise<void> {
    await this.#last
    await translated(async () => this.#vdevice[Symbol.asyncDispose]())
  }

  #outputNamed(name: string): Port {
    const found = this.#outputs.filter(({ info }) => info.name === name || info.name.endsWith(`/${name}`))
    if (found.length === 1) return found[0]!
    const listed = this.#outputs.map(({ info }) => `${info.name} ${describe(info)} (${info.layout})`).join(', ')
    throw usageError(`Cannot read the output "${name}" of "${this.#path}": the model gives ${listed}`, 'choose one of them')
  }
}

function portOf(stream: StreamInfo): Port {
  const layout = layoutOfStream(stream)
  const frame = new Float32Array(layout.frameValues)
  const isAlike = layout.isPlain && layout.frameValues === layout.shape.reduce((product, n) => product * n, 1)
  const tensor = isAlike ? frame : new Float32Array(layout.shape.reduce((product, n) => product * n, 1))
  const info = {
    name: stream.name, dtype: 'float32' as const, shape: layout.shape,
    layout: describeStream(stream).slice(stream.name.length + 1), quantisation: stream.quantisation,
  }
  return { info, layout, frame, tensor }
}

const named = (streams: readonly VStream[], { name }: TensorInfo): VStream => streams.find(({ info }) => info.name === name)!

const exitOf = { absent: 'blocked', refused: 'blocked', usage: 'usage', status: 'fail' } as const

/** An error from below as an operating error; anything else as it is. */
function operating(thrown: unknown): unknown {
  return thrown instanceof FfiError ? new RunbookError(exitOf[thrown.kind], thrown.message, thrown.hint, { cause: thrown }) : thrown
}

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
