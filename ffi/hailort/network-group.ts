/**
 * How does a HEF become something that runs on a device?
 *
 * `configure` loads it. A group lives as long as its device; streams and activations end before that.
 */
import { FfiError } from '../errors.ts'
import { orUndo } from '../jobs.ts'
import { keeping } from '../settled.ts'
import type { Dependent, VDevice } from './device.ts'
import type { Hef } from './hef.ts'
import { handlesIn, type Handle } from './library.ts'
import { describeStream, type StreamInfo } from './stream-info.ts'
import { closeStreams, openStreams, streamParams, type VStream, type VStreamOptions } from './vstreams.ts'

/** How a HEF is loaded. */
export interface ConfigureOptions {
  /** Which group of the HEF; the only one unless told. */
  readonly group?: string
  /** Frames that the device takes at once; 0 leaves it to the library. */
  readonly batchSize?: number
  /** Have the device measure its own latency. */
  readonly measuresLatency?: boolean
}

const latencyMeasure = 1

/**
 * Load a HEF. Errors: HailoError, `usage` for one of another architecture; FfiError `usage` for a group that is not in
 * it.
 */
export async function configure(vdevice: VDevice, hef: Hef, options: ConfigureOptions = {}): Promise<NetworkGroup> {
  const { hailort } = vdevice
  const deed = { act: 'configure', thing: hef.title }
  const { names, index } = chosenGroup(hef, options.group)
  const params = Buffer.alloc(hailort.structs.sizeOf('hailo_configure_params_t'))
  hailort.call('hailo_init_configure_params_by_vdevice', deed, hef.handle, vdevice.handle, params)
  const first = hailort.structs.offsetOf('hailo_configure_params_t', 'network_group_params')
  const struct = 'hailo_configure_network_group_params_t'
  for (const i of names.keys()) {
    const at = first + i * hailort.structs.sizeOf(struct)
    if (options.batchSize !== undefined)
      params.writeUInt16LE(options.batchSize, at + hailort.structs.offsetOf(struct, 'batch_size'))
    if (options.measuresLatency) params.writeInt32LE(latencyMeasure, at + hailort.structs.offsetOf(struct, 'latency'))
  }
  const groups = Buffer.alloc(8 * names.length)
  const count: [number] = [names.length]
  await hailort.callAsync('hailo_configure_vdevice', deed, vdevice.handle, hef.handle, params, groups, count)
  const handle = handlesIn(groups, count[0])[index]
  if (handle === undefined)
    throw new FfiError(
      'status',
      `Cannot configure "${hef.title}": HailoRT gave ${count[0]} groups of ${names.length}`,
      'report it, with the HEF',
    )
  const name = names[index]!
  return new NetworkGroup({
    vdevice,
    handle,
    name,
    title: hef.title,
    streams: hef.vstreams(name),
    outputNames: hef.outputNames(name),
  })
}

/**
 * Which group of a HEF is meant.
 * @param wanted its name; a file with one group needs none
 * @throws FfiError `usage`, listing the groups
 */
export function chosenGroup(hef: Hef, wanted: string | undefined): { names: string[]; index: number; name: string } {
  const names = hef.networkGroups().map(({ name }) => name)
  const index = wanted === undefined ? 0 : names.indexOf(wanted)
  if (index >= 0 && (wanted !== undefined || names.length === 1)) return { names, index, name: names[index]! }
  throw new FfiError(
    'usage',
    `Cannot configure "${hef.title}": it has the groups ${names.join(', ')}`,
    'name one of them: --group NAME',
  )
}

/** A group of a HEF on a device. It ends with the device. */
export class NetworkGroup {
  readonly vdevice: VDevice
  readonly name: string
  readonly title: string
  /** Every stream of the HEF, inputs first. */
  readonly streams: readonly StreamInfo[]
  readonly outputNames: readonly string[]
  readonly #handle: Handle

  constructor(o: {
    vdevice: VDevice
    handle: Handle
    name: string
    title: string
    streams: readonly StreamInfo[]
    outputNames: readonly string[]
  }) {
    this.vdevice = o.vdevice
    this.#handle = o.handle
    this.name = o.name
    this.title = o.title
    this.streams = o.streams
    this.outputNames = o.outputNames
  }

  /** Errors: FfiError `usage` after the device was closed: the group went with it. */
  get handle(): Handle {
    return this.vdevice.handle && this.#handle
  }

  /** Open all inputs. Errors: HailoError. */
  openInputs(options: VStreamOptions = {}): Promise<VStream[]> {
    return openStreams({ group: this, infos: this.streams, isInput: true, options })
  }

  /** Open all outputs. Errors: HailoError. */
  openOutputs(options: VStreamOptions = {}): Promise<VStream[]> {
    return openStreams({ group: this, infos: this.streams, isInput: false, options })
  }

  /** Open all inputs and all outputs, or none. Errors: HailoError. */
  async openStreams(options: VStreamOptions = {}): Promise<{ inputs: VStream[]; outputs: VStream[] }> {
    const inputs = await this.openInputs(options)
    return {
      inputs,
      outputs: await orUndo(
        () => this.openOutputs(options),
        () => closeStreams(inputs),
      ),
    }
  }

  /** Take the device for this group, where no scheduler does. Errors: HailoError under the scheduler. */
  async activate(): Promise<Dependent> {
    const { vdevice, title } = this
    const out: [Handle | null] = [null]
    await vdevice.hailort.callAsync(
      'hailo_activate_network_group',
      { act: 'activate', thing: title },
      this.handle,
      null,
      out,
    )
    let closing: Promise<void> | undefined
    const activation: Dependent = {
      close: () => {
        vdevice.disown(activation)
        return (closing ??= vdevice.hailort.callAsync(
          'hailo_deactivate_network_group',
          { act: 'deactivate', thing: title },
          out[0],
        ))
      },
    }
    vdevice.own(activation)
    return activation
  }

  /** How the scheduler treats this group. Errors: HailoError without a scheduler. */
  schedule(o: { timeoutMs?: number; thresholdFrames?: number; priority?: number }): void {
    const { hailort } = this.vdevice
    const deed = { act: 'schedule', thing: this.title }
    if (o.timeoutMs !== undefined) hailort.call('hailo_set_scheduler_timeout', deed, this.handle, o.timeoutMs, null)
    if (o.thresholdFrames !== undefined)
      hailort.call('hailo_set_scheduler_threshold', deed, this.handle, o.thresholdFrames, null)
    if (o.priority !== undefined) hailort.call('hailo_set_scheduler_priority', deed, this.handle, o.priority, null)
  }

  /**
   * Mean latency on the device in ms. Errors: HailoError unless configured with `measuresLatency`, and after a frame.
   */
  latencyMs(): number {
    const deed = { act: 'measure the latency of', thing: this.title }
    return this.vdevice.hailort.read<{ avg_hw_latency_ms: number }>(
      'hailo_get_latency_measurement',
      'hailo_latency_measurement_result_t',
      deed,
      this.handle,
      null,
    ).avg_hw_latency_ms
  }

  /**
   * Run several frames in one call, which makes and ends its own streams: simple, and slower than open streams.
   * @param inputs by stream name; each holds all frames one after another, and is not changed
   * @param outputs by stream name; filled
   * @throws HailoError; FfiError `usage` when a stream is missing
   */
  async infer(o: { frames: number; inputs: Buffers; outputs: Buffers; options?: VStreamOptions }): Promise<void> {
    const [given, wanted] = [true, false].map(isInput => {
      const { memory, names, stride } = streamParams({ group: this, isInput, options: o.options ?? {} })
      return {
        params: memory,
        count: memory.length / stride,
        buffers: this.#buffersByName(names, isInput ? o.inputs : o.outputs),
      }
    }) as [Side, Side]
    const args = [
      this.handle,
      given.params,
      given.buffers,
      given.count,
      wanted.params,
      wanted.buffers,
      wanted.count,
      o.frames,
    ]
    const { hailort } = this.vdevice
    await keeping(
      [o.inputs, o.outputs],
      hailort.callAsync('hailo_infer', { act: 'infer with', thing: this.title }, ...args),
    )
  }

  #buffersByName(names: readonly string[], buffers: Buffers): Buffer {
    const { hailort } = this.vdevice
    const struct = 'hailo_stream_raw_buffer_by_name_t'
    const stride = hailort.structs.sizeOf(struct)
    const memory = Buffer.alloc(stride * names.length)
    for (const [i, name] of names.entries()) {
      const buffer = buffers[name]
      if (!buffer) {
        const known = this.streams.map(describeStream).join('; ')
        throw new FfiError(
          'usage',
          `Cannot infer with "${this.title}": nothing is given for "${name}"`,
          `its streams are: ${known}`,
        )
      }
      memory.write(name, i * stride, 'latin1')
      memory.writeBigUInt64LE(
        hailort.addressOf(buffer),
        i * stride + hailort.structs.offsetOf(struct, 'raw_buffer.buffer'),
      )
      memory.writeBigUInt64LE(
        BigInt(buffer.byteLength),
        i * stride + hailort.structs.offsetOf(struct, 'raw_buffer.size'),
      )
    }
    return memory
  }
}

/** Memory by stream name. */
export type Buffers = Readonly<Record<string, Buffer>>

interface Side {
  readonly params: Buffer
  readonly count: number
  readonly buffers: Buffer
}
