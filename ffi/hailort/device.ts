/**
 * Opens Hailo devices, and asks them what they are.
 *
 * A `VDevice` is what models are configured on: one physical device, or several seen as one. A `Device` is a physical
 * one, for questions only. Opening and closing take their time and run on worker threads.
 */
import { FfiError } from '../errors.ts'
import { allDone, orUndo } from '../jobs.ts'
import { keeping } from '../settled.ts'
import { enumName } from './abi/table.ts'
import { given, handlesIn, plausible, type Hailort, type Handle } from './library.ts'
import type { Version } from './abi/profiles.ts'
import { HailoError } from './status.ts'

/** What a device says that it is. */
export interface Identity {
  /** Of the firmware: `4.23.0`. */
  readonly firmware: Version
  /** The board's own name. A Hailo-8L's may say Hailo-8: `architecture` is what counts. */
  readonly board: string
  /** `HAILO8`, `HAILO8L`, `HAILO10H`, `HAILO15H`, … */
  readonly architecture: string
  readonly serialNumber: string
  readonly partNumber: string
  readonly product: string
}

interface RawIdentity {
  fw_version: Version
  board_name: string
  device_architecture: number
  serial_number: string
  part_number: string
  product_name: string
}

/** Ids (for PCIe as `0000:01:00.0`) of the devices whose driver is loaded; empty when there are none. */
export function scan(hailort: Hailort): string[] {
  try {
    const { items } = hailort.list<{ id: string }>({
      name: 'hailo_scan_devices',
      struct: 'hailo_device_id_t',
      deed: { act: 'scan for', thing: 'Hailo devices' },
      fill: (memory, count) => [null, memory, count],
    })
    return items.map(({ id }) => id)
  } catch (thrown) {
    // Before 4.23, and in 5.0.0, a machine without a driver is an error.
    if (thrown instanceof HailoError && thrown.status === statusDriverNotInstalled) return []
    throw thrown
  }
}

/** More than a virtual device has. */
const devicesMax = 32

/** Into a `hailo_device_id_t`, which ends in a zero however long the id is. */
const writeId = (memory: Buffer, at: number, id: string) => memory.write(id.slice(0, idCharsMax), at, 'latin1')
const idCharsMax = 31

const statusDriverNotInstalled = 64

/** A physical device, open for questions. */
export class Device implements AsyncDisposable {
  readonly id: string
  readonly #hailort: Hailort
  #handle: Handle | null
  /** Whom it is borrowed from; null for one that was opened for itself. */
  readonly #owner: VDevice | null

  private constructor(o: { hailort: Hailort; handle: Handle; id: string; owner: VDevice | null }) {
    this.#hailort = o.hailort
    this.#handle = o.handle
    this.id = o.id
    this.#owner = o.owner
  }

  /**
   * Open a device by its id.
   *
   * @throws HailoError, `absent` when it is not there or held by another process
   */
  static async open(hailort: Hailort, id: string): Promise<Device> {
    const memory = Buffer.alloc(hailort.structs.sizeOf('hailo_device_id_t'))
    writeId(memory, 0, id)
    const out: [Handle | null] = [null]
    const deed = { act: 'open', thing: `Hailo device ${id}` }
    const call = 'hailo_create_device_by_id'
    await hailort.callAsync(call, deed, memory, out)
    return new Device({ hailort, handle: given(out, call, deed), id, owner: null })
  }

  /** A device that belongs to a virtual device, and is closed with it. */
  static borrowed(owner: VDevice, handle: Handle): Device {
    const { hailort } = owner
    const { id } = hailort.read<{ id: string }>(
      'hailo_get_device_id',
      'hailo_device_id_t',
      { act: 'name', thing: 'a Hailo device' },
      handle,
    )
    return new Device({ hailort, handle, id, owner })
  }

  identify(): Identity {
    const raw = this.#read<RawIdentity>('hailo_identify', 'hailo_device_identity_t')
    return {
      firmware: { ...raw.fw_version },
      board: raw.board_name,
      architecture: enumName('hailo_device_architecture_t', raw.device_architecture, this.#hailort.version),
      serialNumber: raw.serial_number,
      partNumber: raw.part_number,
      product: raw.product_name,
    }
  }

  /** Of two sensors on the chip, in °C. */
  temperatureC(): readonly [number, number] {
    const raw = this.#read<{ ts0_temperature: number; ts1_temperature: number }>(
      'hailo_get_chip_temperature',
      'hailo_chip_temperature_info_t',
    )
    return [raw.ts0_temperature, raw.ts1_temperature]
  }

  /**
   * One measurement of power in W.
   *
   * @throws HailoError on a board that does not measure current
   */
  async powerW(): Promise<number> {
    const out: [number] = [0]
    await this.#hailort.callAsync(
      'hailo_power_measurement',
      this.#deed('measure the power of'),
      this.#opened(),
      automatic,
      automatic,
      out,
    )
    return out[0]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const handle = this.#handle
    this.#handle = null
    if (handle !== null && this.#owner === null)
      await this.#hailort.callAsync('hailo_release_device', { act: 'close', thing: `Hailo device ${this.id}` }, handle)
  }

  #read<T>(name: 'hailo_identify' | 'hailo_get_chip_temperature', struct: string): T {
    return this.#hailort.read<T>(name, struct, this.#deed('ask'), this.#opened())
  }

  #deed(act: string): { act: string; thing: string } {
    return { act, thing: `Hailo device ${this.id}` }
  }

  #opened(): Handle {
    if (this.#handle === null || this.#owner?.isClosed)
      throw new FfiError('usage', `Cannot ask "Hailo device ${this.id}": it is closed`, 'ask before closing')
    return this.#handle
  }
}

/** DVM and type that the library chooses by the board. */
const automatic = 0x7fffffff

/** `HAILO_SCHEDULING_ALGORITHM_ROUND_ROBIN`: the library activates groups itself. */
const roundRobin = 1

/** How devices are shared. */
export interface VDeviceOptions {
  /** Ids of the devices; one that the library chooses unless told. */
  readonly deviceIds?: readonly string[]
  /** Virtual devices with one id share their devices. Without it nobody else may have them. */
  readonly groupId?: string
}

/** Something that lives on a virtual device, and ends before it. */
export interface Dependent {
  close(): Promise<void>
}

/** One or several physical devices, on which models are configured. What lives on it is closed with it. */
export class VDevice implements AsyncDisposable {
  readonly hailort: Hailort
  readonly #dependents = new Set<Dependent>()
  #handle: Handle | null
  #closing: Promise<void> | undefined

  private constructor(hailort: Hailort, handle: Handle) {
    this.hailort = hailort
    this.#handle = handle
  }

  /**
   * Take devices.
   *
   * @throws HailoError, `absent` when none is free
   */
  static async open(hailort: Hailort, options: VDeviceOptions = {}): Promise<VDevice> {
    const { structs } = hailort
    const name = 'hailo_vdevice_params_t'
    const thing = options.deviceIds ? `Hailo device ${options.deviceIds.join(', ')}` : 'a Hailo device'
    const params = Buffer.alloc(structs.sizeOf(name))
    hailort.call('hailo_init_vdevice_params', { act: 'open', thing }, params)
    const ids = Buffer.alloc(structs.sizeOf('hailo_device_id_t') * (options.deviceIds?.length ?? 0))
    if (options.deviceIds) {
      for (const [i, id] of options.deviceIds.entries()) writeId(ids, i * structs.sizeOf('hailo_device_id_t'), id)
      params.writeUInt32LE(options.deviceIds.length, structs.offsetOf(name, 'device_count'))
      params.writeBigUInt64LE(hailort.addressOf(ids), structs.offsetOf(name, 'device_ids'))
    }
    const group = Buffer.from(`${options.groupId ?? ''}\0`, 'latin1')
    if (options.groupId) params.writeBigUInt64LE(hailort.addressOf(group), structs.offsetOf(name, 'group_id'))
    params.writeInt32LE(roundRobin, structs.offsetOf(name, 'scheduling_algorithm'))
    const out: [Handle | null] = [null]
    const [call, deed] = ['hailo_create_vdevice', { act: 'open', thing }] as const
    await keeping([ids, group], hailort.callAsync(call, deed, params, out))
    return new VDevice(hailort, given(out, call, deed))
  }

  get isClosed(): boolean {
    return this.#handle === null
  }

  get handle(): Handle {
    if (this.#handle === null) throw new FfiError('usage', 'Cannot use "a Hailo device": it is closed', 'open it again')
    return this.#handle
  }

  /** Physical devices behind it. They are closed with it. */
  devices(): Device[] {
    const count: [number] = [devicesMax]
    const memory = Buffer.alloc(8 * count[0])
    const deed = { act: 'list', thing: 'Hailo devices' }
    const call = 'hailo_get_physical_devices'
    this.hailort.call(call, deed, this.handle, memory, count)
    plausible({ call, count: count[0], max: devicesMax, deed })
    return handlesIn(memory, count[0]).map(handle => Device.borrowed(this, handle))
  }

  /** Have something closed before this device is. */
  own(dependent: Dependent): void {
    this.#dependents.add(dependent)
  }

  disown(dependent: Dependent): void {
    this.#dependents.delete(dependent)
  }

  /** Close what lives on it, then the device itself. A second call does nothing. */
  async [Symbol.asyncDispose](): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    const handle = this.handle
    const closeAll = async () => {
      // Newest first, one after another; one that fails must not keep the others open.
      const ends: Promise<void>[] = []
      for (const dependent of [...this.#dependents].toReversed()) {
        ends.push(dependent.close())
        await Promise.allSettled(ends)
      }
      await allDone(ends)
    }
    const release = () => {
      this.#handle = null
      return this.hailort.callAsync('hailo_release_vdevice', { act: 'close', thing: 'a Hailo device' }, handle)
    }
    await orUndo(closeAll, release)
    await release()
  }
}
