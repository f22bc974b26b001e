/**
 * Runs the frames of a HEF, also after the device has failed.
 *
 * After a failure the whole device is given back, and taken again at the next question: a frame that was late would
 * come out of streams that are merely opened again, as the answer to the wrong question. The failure is told before the
 * device is given back.
 */
import type { Device, Identity } from '../../../ffi/hailort/device.ts'
import { FfiError } from '../../../ffi/errors.ts'
import { orUndo } from '../../../ffi/jobs.ts'
import { loadOn10H, loadOnStreams, takeDevice, type Loaded, type Order } from './load.ts'
import type { Ports } from './ports.ts'

/** What is to be loaded, and who judges the device before that. */
export interface RunnerOrder extends Order {
  /** Called with the device's architecture before the library opens the file. What it throws ends the opening. */
  judge(architecture: string): void
}

/**
 * Take a device and load the file onto it.
 *
 * @throws FfiError, and what `judge` throws
 */
export async function openRunner(order: RunnerOrder): Promise<Runner> {
  const vdevice = await takeDevice(order, order.options.deviceId)
  const release = () => vdevice[Symbol.asyncDispose]()
  return orUndo(async () => {
    const device = vdevice.devices()[0]!
    const identity = device.identify()
    order.judge(identity.architecture)
    if (identity.architecture !== 'HAILO10H') {
      const loaded = await loadOnStreams(order, vdevice)
      const again = async () => {
        const taken = await takeDevice(order, device.id)
        return orUndo(
          () => loadOnStreams(order, taken, loaded.ports),
          () => taken[Symbol.asyncDispose](),
        )
      }
      return new Runner({ identity, deviceId: device.id, loaded, again })
    }
    // The model takes the device through a handle of its own, when it has been compiled for.
    await release()
    const loaded = await loadOn10H(order, device.id)
    return new Runner({ identity, deviceId: device.id, loaded, again: () => loadOn10H(order, device.id, loaded.ports) })
  }, release)
}

/** One thing is asked of it at a time. */
export class Runner {
  readonly deviceId: string
  readonly identity: Identity
  readonly ports: Ports
  readonly #again: () => Promise<Loaded>
  #loaded: Loaded | null
  #leaving: Promise<unknown> = Promise.resolve()

  constructor(o: { identity: Identity; deviceId: string; loaded: Loaded; again: () => Promise<Loaded> }) {
    this.identity = o.identity
    this.deviceId = o.deviceId
    this.ports = o.loaded.ports
    this.#loaded = o.loaded
    this.#again = o.again
  }

  /**
   * Run what lies in the inputs' frames; the answer lies in the outputs'.
   *
   * @throws FfiError
   */
  async run(): Promise<void> {
    const loaded = await this.#load()
    try {
      await loaded.run()
    } catch (thrown) {
      this.#loaded = null
      // What giving a failed device back meets is the same failure once more.
      this.#leaving = loaded.close().catch(() => {})
      throw thrown
    }
  }

  /** Ask the physical device something. */
  async ask<T>(question: (device: Device) => Promise<T>): Promise<T> {
    return (await this.#load()).ask(question)
  }

  /**
   * Mean on the device, in ms.
   *
   * @throws FfiError, also between a failure and the next run
   */
  latencyMs(): number {
    if (this.#loaded) return this.#loaded.latencyMs()
    throw new FfiError(
      'status',
      'Cannot measure the latency: the device was given back after a failure',
      'ask after the next frame',
    )
  }

  async close(): Promise<void> {
    await this.#leaving
    await this.#loaded?.close()
  }

  async #load(): Promise<Loaded> {
    if (this.#loaded) return this.#loaded
    await this.#leaving
    return (this.#loaded = await this.#again())
  }
}
