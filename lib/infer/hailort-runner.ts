/**
 * How do the frames of one model travel to a Hailo device and back?
 *
 * On a Hailo-8, 8L or 15 through streams that stay open, all inputs written and all outputs read at once. On a Hailo-10H, where
 * HailoRT's C interface runs no models, through the functions that are compiled on that machine (`ffi/hailort/infer-model.ts`).
 * After a failure everything on its way is dropped, so that no late answer is taken for the next question's.
 */
import { allDone, orUndo } from '../../ffi/errors.ts'
import type { Device, Identity, VDevice } from '../../ffi/hailort/device.ts'
import type { InferModel } from '../../ffi/hailort/infer-model.ts'
import type { Hailort } from '../../ffi/hailort/library.ts'
import type { NetworkGroup } from '../../ffi/hailort/network-group.ts'
import { describeStream, type StreamInfo } from '../../ffi/hailort/stream-info.ts'
import { closeStreams, type VStream } from '../../ffi/hailort/vstreams.ts'
import { usageError } from '../notebook/errors.ts'
import type { HailortOptions, HailortTensorInfo } from './hailort.ts'
import { layoutOfStream, type StreamLayout } from './hailort-layout.ts'

/** A stream and its memory. */
export interface Port {
  readonly info: HailortTensorInfo
  readonly layout: StreamLayout
  /** What travels. */
  readonly frame: Float32Array
  /** What is given back; the frame itself where both lie alike. */
  readonly tensor: Float32Array
}

export interface Runner {
  readonly deviceId: string
  readonly identity: Identity
  readonly inputs: readonly Port[]
  /** In the order that the HEF gives them. */
  readonly outputs: readonly Port[]
  /** Run what lies in the inputs' frames; the answer lies in the outputs'. Not while another run is under way. Errors: FfiError. */
  run(): Promise<void>
  /** Ask the physical device something. */
  ask<T>(question: (device: Device) => Promise<T>): Promise<T>
  latencyMs(): number
  close(): Promise<void>
}

interface Order {
  readonly path: string
  readonly hailort: Hailort
  readonly options: HailortOptions
  /** Called with the device's architecture before the library opens the file. What it throws ends the opening. */
  judge(architecture: string): void
}

/** Models of one process share a device; without a common name the second would find none free. */
export const groupId = 'rungbook'
const timeoutMsDefault = 10_000

/** Take a device and load the file onto it. Errors: FfiError, and what `judge` throws. */
export async function openRunner(order: Order): Promise<Runner> {
  const { hailort, options } = order
  const { VDevice: VDevices } = await import('../../ffi/hailort/device.ts')
  const vdevice = await VDevices.open(hailort, { groupId, ...(options.deviceId && { deviceIds: [options.deviceId] }) })
  const release = () => vdevice[Symbol.asyncDispose]()
  return orUndo(async () => {
    const device = vdevice.devices()[0]!
    const identity = device.identify()
    order.judge(identity.architecture)
    if (identity.architecture === 'HAILO10H') return openOn10H(order, { identity, deviceId: device.id, release })
    return openOnStreams(order, { vdevice, device, identity })
  }, release)
}

function portsOf(streams: readonly StreamInfo[], outputNames: readonly string[]): { inputs: Port[]; outputs: Port[] } {
  const rank = ({ name }: StreamInfo) => outputNames.indexOf(name) >>> 0
  const outputs = streams.filter(({ isInput }) => !isInput).toSorted((a, b) => rank(a) - rank(b))
  return { inputs: streams.filter(({ isInput }) => isInput).map(portOf), outputs: outputs.map(portOf) }
}

function portOf(stream: StreamInfo): Port {
  const layout = layoutOfStream(stream)
  const frame = new Float32Array(layout.frameValues)
  const values = layout.shape.reduce((product, n) => product * n, 1)
  const info = {
    name: stream.name, dtype: 'float32' as const, shape: layout.shape,
    layout: describeStream(stream).slice(stream.name.length + 1), quantisation: stream.quantisation,
  }
  return { info, layout, frame, tensor: layout.isPlain ? frame : new Float32Array(values) }
}

/** The library says how many bytes a frame has; what we would send must be just as many. */
function mustFit({ info, frame }: Port, frameBytes: number): void {
  if (frameBytes === frame.byteLength) return
  const state = `${info.layout} takes ${frame.byteLength} bytes, and HailoRT wants ${frameBytes}`
  throw usageError(`Cannot use "${info.name}": ${state}`, 'report it, with the HEF')
}

async function openOnStreams(o: Order, on: { vdevice: VDevice; device: Device; identity: Identity }): Promise<Runner> {
  const { Hef } = await import('../../ffi/hailort/hef.ts')
  const { configure } = await import('../../ffi/hailort/network-group.ts')
  const { group: name, measuresLatency = false } = o.options
  const hef = await Hef.fromFile(o.hailort, o.path)
  const close = () => hef[Symbol.asyncDispose]()
  const group = await orUndo(() => configure(on.vdevice, hef, { ...(name && { group: name }), measuresLatency }), close)
  await close()
  const ports = portsOf(group.streams, group.outputNames)
  const streams = new Streams({ group, ports, timeoutMs: o.options.timeoutMs ?? timeoutMsDefault })
  await streams.open()
  return {
    ...ports,
    deviceId: on.device.id,
    identity: on.identity,
    run: () => streams.run(),
    ask: question => question(on.device),
    latencyMs: () => group.latencyMs(),
    close: () => on.vdevice[Symbol.asyncDispose](),
  }
}

/** The open streams of a group. */
class Streams {
  readonly #group: NetworkGroup
  readonly #ports: { inputs: readonly Port[]; outputs: readonly Port[] }
  readonly #timeoutMs: number
  #open: { inputs: VStream[]; outputs: VStream[] } | null = null

  constructor(o: { group: NetworkGroup; ports: { inputs: readonly Port[]; outputs: readonly Port[] }; timeoutMs: number }) {
    this.#group = o.group
    this.#ports = o.ports
    this.#timeoutMs = o.timeoutMs
  }

  async open(): Promise<{ inputs: VStream[]; outputs: VStream[] }> {
    const match = (ports: readonly Port[], streams: readonly VStream[]) => ports.map(port => {
      const stream = streams.find(({ info }) => info.name === port.info.name)!
      mustFit(port, stream.frameBytes)
      return stream
    })
    const opened = await this.#group.openStreams({ type: 'float32', timeoutMs: this.#timeoutMs })
    return orUndo(async () => (this.#open = {
      inputs: match(this.#ports.inputs, opened.inputs), outputs: match(this.#ports.outputs, opened.outputs),
    }), () => closeStreams([...opened.outputs, ...opened.inputs]))
  }

  async run(): Promise<void> {
    const { inputs, outputs } = this.#open ?? (await this.open())
    await orUndo(async () => {
      // First all that goes in: when the device does not take it, there is no answer to wait for.
      await allDone(inputs.flatMap((stream, i) => send(stream, this.#ports.inputs[i]!.frame)))
      await allDone(outputs.map((stream, i) => stream.read(this.#ports.outputs[i]!.frame)))
    }, () => {
      this.#open = null
      return closeStreams([...outputs, ...inputs])
    })
  }
}

// CONTRACT: a frame of at most this many bytes is written on the calling thread
// SOURCE: decision D-73
// WHY: quantising this much takes the library well under a millisecond; a larger frame would hold the event loop up
const inlineBytesMax = 64 * 1024

/**
 * Every earlier frame was answered, so the stream has room, and a small frame is handed over faster than a thread is woken.
 * A larger one is quantised on a worker thread: what is to be waited for.
 */
function send(stream: VStream, frame: Float32Array): Promise<void>[] {
  if (frame.byteLength > inlineBytesMax) return [stream.write(frame)]
  stream.writeNow(frame)
  return []
}

async function openOn10H(o: Order, on: { identity: Identity; deviceId: string; release: () => Promise<void> }): Promise<Runner> {
  const { Hef } = await import('../../ffi/hailort/hef.ts')
  const { InferModel: Models, compileShim } = await import('../../ffi/hailort/infer-model.ts')
  const { Device: Devices } = await import('../../ffi/hailort/device.ts')
  const { hailort, path, options } = o
  // First what may be lacking: a compiler takes longer to be missed than a device to be taken.
  await compileShim(hailort, options.env ? { env: options.env } : {})
  await using hef = await Hef.fromFile(hailort, path)
  const ports = portsOf(hef.vstreams(options.group ?? null), hef.outputNames(options.group ?? null))
  // The model takes the device through a handle of its own.
  await on.release()
  const open = () => Models.open({
    hailort, path, deviceId: on.deviceId, groupId, measuresLatency: options.measuresLatency ?? false,
    ...(options.env && { env: options.env }),
  })
  let model: InferModel | null = await open()
  const framesOf = (opened: InferModel, isInput: boolean) => opened.names(isInput).map(name => {
    const port = [...ports.inputs, ...ports.outputs].find(({ info }) => info.name === name)!
    mustFit(port, opened.frameBytes(name))
    return port.frame
  })
  return {
    ...ports,
    deviceId: on.deviceId,
    identity: on.identity,
    async run() {
      const current = (model ??= await open())
      await orUndo(() => current.run({
        inputs: framesOf(current, true), outputs: framesOf(current, false), timeoutMs: options.timeoutMs ?? timeoutMsDefault,
      }), () => {
        model = null
        return current[Symbol.asyncDispose]()
      })
    },
    async ask(question) {
      await using device = await Devices.open(hailort, on.deviceId)
      return await question(device)
    },
    latencyMs: () => model?.latencyMs() ?? Number.NaN,
    async close() {
      await model?.[Symbol.asyncDispose]()
    },
  }
}
