/**
 * Loads a HEF onto a device.
 *
 * `configure` loads it. A group lives as long as its device; its streams end before that.
 */
import { FfiError } from '../errors.ts'
import { orUndo } from '../jobs.ts'
import type { VDevice } from './device.ts'
import type { Hef } from './hef.ts'
import { handlesIn, plausible, type Handle } from './library.ts'
import type { StreamInfo } from './stream-info.ts'
import { closeStreams, openStreams, type VStream, type VStreamOptions } from './vstreams.ts'

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
 * Load a HEF.
 *
 * @throws HailoError, `usage` for one of another architecture; FfiError `usage` for a group that is not in it
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
  const call = 'hailo_configure_vdevice'
  await hailort.callAsync(call, deed, vdevice.handle, hef.handle, params, groups, count)
  plausible({ call, count: count[0], max: names.length, deed })
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
 *
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

  /** @throws FfiError `usage` after the device was closed: the group went with it */
  get handle(): Handle {
    return this.vdevice.handle && this.#handle
  }

  /**
   * Open all inputs.
   *
   * @throws HailoError
   */
  openInputs(options: VStreamOptions = {}): Promise<VStream[]> {
    return openStreams({ group: this, infos: this.streams, isInput: true, options })
  }

  /**
   * Open all outputs.
   *
   * @throws HailoError
   */
  openOutputs(options: VStreamOptions = {}): Promise<VStream[]> {
    return openStreams({ group: this, infos: this.streams, isInput: false, options })
  }

  /**
   * Open all inputs and all outputs, or none.
   *
   * @throws HailoError
   */
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

  /**
   * Mean latency on the device in ms.
   *
   * @throws HailoError unless configured with `measuresLatency`, and after a frame
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
}
