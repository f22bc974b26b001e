/**
 * Loads a HEF onto a Hailo device, and moves its frames there and back.
 *
 * On a Hailo-8, 8L or 15 through streams that stay open. On a Hailo-10H, where HailoRT's C interface runs no models,
 * through the functions that are compiled on that machine (`ffi/hailort/infer-model.ts`). What is loaded is used until
 * it fails once.
 */
import type { Device, VDevice } from '../../../ffi/hailort/device.ts'
import { allDone, orUndo } from '../../../ffi/jobs.ts'
import type { Hailort } from '../../../ffi/hailort/library.ts'
import type { VStream } from '../../../ffi/hailort/vstreams.ts'
import { usageError } from '../../base/errors.ts'
import type { HailortOptions } from './types.ts'
import { mustFit, portsOf, type Port, type Ports } from './ports.ts'

/** A model on a device. */
export interface Loaded {
  readonly ports: Ports
  /**
   * Run what lies in the inputs' frames; the answer lies in the outputs'.
   *
   * @throws FfiError; nothing is to be run after one
   */
  run(): Promise<void>
  /** Ask the physical device something. */
  ask<T>(question: (device: Device) => Promise<T>): Promise<T>
  latencyMs(): number
  /**
   * Give the device back.
   *
   * @throws FfiError
   */
  close(): Promise<void>
}

/** What is to be loaded, with which library. */
export interface Order {
  readonly path: string
  readonly hailort: Hailort
  readonly options: HailortOptions
}

/** Models of one process share a device; without a common name the second would find none free. */
export const groupId = 'rungbook'
const timeoutMsDefault = 10_000

/**
 * Take a device, which `loadOnStreams` gives back with the model.
 *
 * @param id which one; any that is free unless told
 */
export async function takeDevice({ hailort }: Order, id: string | undefined): Promise<VDevice> {
  const { VDevice: VDevices } = await import('../../../ffi/hailort/device.ts')
  return VDevices.open(hailort, { groupId, ...(id && { deviceIds: [id] }) })
}

/**
 * Load a HEF onto a device that was taken.
 *
 * @param known the ports of an earlier load of this file, whose memory is to be used again
 */
export async function loadOnStreams(o: Order, vdevice: VDevice, known?: Ports): Promise<Loaded> {
  const { Hef } = await import('../../../ffi/hailort/hef.ts')
  const { configure } = await import('../../../ffi/hailort/network-group.ts')
  const { group: name, measuresLatency = false, timeoutMs = timeoutMsDefault } = o.options
  const hef = await Hef.fromFile(o.hailort, o.path)
  const drop = () => hef[Symbol.asyncDispose]()
  const group = await orUndo(() => configure(vdevice, hef, { ...(name && { group: name }), measuresLatency }), drop)
  await drop()
  const ports = known ?? portsOf(group.streams, group.outputNames)
  const streams = await group.openStreams({ type: 'float32', timeoutMs })
  const [inputs, outputs] = [matched(ports.inputs, streams.inputs), matched(ports.outputs, streams.outputs)]
  const device = vdevice.devices()[0]!
  return {
    ports,
    async run() {
      // First all that goes in: when the device does not take it, there is no answer to wait for.
      await allDone(inputs.flatMap(({ stream, port }) => send(stream, port.frame)))
      await allDone(outputs.map(({ stream, port }) => stream.read(port.frame)))
    },
    ask: question => question(device),
    latencyMs: () => group.latencyMs(),
    close: () => vdevice[Symbol.asyncDispose](),
  }
}

function matched(ports: readonly Port[], streams: readonly VStream[]): { port: Port; stream: VStream }[] {
  return ports.map(port => {
    const stream = streams.find(({ info }) => info.name === port.info.name)!
    mustFit(port, stream.frameBytes)
    return { port, stream }
  })
}

// CONTRACT: a frame of at most this many bytes is written on the calling thread
// SOURCE: decision D-73
// WHY: quantising this much takes the library well under a millisecond; a larger frame would hold the event loop up
const inlineBytesMax = 64 * 1024

/**
 * Every earlier frame was answered, so the stream has room, and a small frame is handed over faster than a thread is
 * woken. A larger one is quantised on a worker thread: what is to be waited for.
 */
function send(stream: VStream, frame: Float32Array): Promise<void>[] {
  if (frame.byteLength > inlineBytesMax) return [stream.write(frame)]
  stream.writeNow(frame)
  return []
}

/**
 * Load a HEF onto a Hailo-10H, which takes the device through a handle of its own.
 *
 * @throws RunbookError as `compileShim`; FfiError
 */
export async function loadOn10H(o: Order, deviceId: string, known?: Ports): Promise<Loaded> {
  const { Device: Devices } = await import('../../../ffi/hailort/device.ts')
  const { InferModel } = await import('../../../ffi/hailort/infer-model.ts')
  const {
    hailort,
    path,
    options: { env, measuresLatency = false, timeoutMs = timeoutMsDefault },
  } = o
  const { group, ...inFile } = await readFile(o)
  const ports = known ?? inFile.ports
  const model = await InferModel.open({ hailort, path, deviceId, groupId, measuresLatency, group, ...(env && { env }) })
  const framesOf = (side: readonly Port[], isInput: boolean) =>
    model.names(isInput).map(name => {
      const port = side.find(({ info }) => info.name === name)
      if (!port)
        throw usageError(
          `Cannot use "${path}": HailoRT made a stream "${name}" that the HEF does not list`,
          'report it, with the HEF',
        )
      mustFit(port, model.frameBytes(name))
      return port.frame
    })
  const close = () => model[Symbol.asyncDispose]()
  const frames = await orUndo(
    async () => ({ inputs: framesOf(ports.inputs, true), outputs: framesOf(ports.outputs, false) }),
    close,
  )
  return {
    ports,
    run: () => model.run({ ...frames, timeoutMs }),
    async ask(question) {
      await using device = await Devices.open(hailort, deviceId)
      return await question(device)
    },
    latencyMs: () => model.latencyMs(),
    close,
  }
}

/** The streams of the group that is meant, and its name where the file has several. */
async function readFile({ hailort, path, options }: Order): Promise<{ ports: Ports; group: string | null }> {
  const { Hef } = await import('../../../ffi/hailort/hef.ts')
  const { chosenGroup } = await import('../../../ffi/hailort/network-group.ts')
  await using hef = await Hef.fromFile(hailort, path)
  const { name, names } = chosenGroup(hef, options.group)
  return { ports: portsOf(hef.vstreams(name), hef.outputNames(name)), group: names.length > 1 ? name : null }
}
