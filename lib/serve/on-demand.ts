/**
 * Keeps one costly thing, such as a model, open while it is used and for a while after.
 *
 * Opened at the first use, once however many wait for it; closed when nobody has used it for the time that was asked
 * for, and never while somebody does. An opening that fails is told to all who waited for it, and tried again at the
 * next use.
 */

/** How long it is kept, and who opens it. */
export interface OnDemandOptions<T> {
  readonly open: () => Promise<T>
  readonly close: (value: T) => Promise<void>
  /** Seconds that it stays open without a user; 0 closes it after its last one, -1 never. */
  readonly keepAliveS: number
}

/**
 * A value that is there when it is needed.
 *
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { OnDemand } from './on-demand.ts'
 *
 * const told: string[] = []
 * const model = new OnDemand({
 *   open: async () => told.push('open'),
 *   close: async () => void told.push('close'),
 *   keepAliveS: 0,
 * })
 * await Promise.all([model.use(async () => told.push('a')), model.use(async () => told.push('b'))])
 * await model.close()
 * assert.deepEqual(told, ['open', 'a', 'b', 'close'])
 * ```
 */
export class OnDemand<T> {
  readonly #options: OnDemandOptions<T>
  #opening: Promise<T> | null = null
  #closing: Promise<void> = Promise.resolve()
  #users = 0
  #timer: NodeJS.Timeout | undefined
  #isOpen = false
  #isEnded = false

  constructor(options: OnDemandOptions<T>) {
    this.#options = options
  }

  /** Whether it is open now. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** How many use it now. */
  get users(): number {
    return this.#users
  }

  /**
   * Do something with it.
   * @throws what `open` or `work` throws, and an Error after `close`
   */
  async use<R>(work: (value: T) => Promise<R>): Promise<R> {
    if (this.#isEnded) throw new Error('it was closed for good')
    this.#users++
    clearTimeout(this.#timer)
    try {
      return await work(await this.#opened())
    } finally {
      this.#users--
      if (this.#users === 0) this.#rest()
    }
  }

  /** Close it for good, when its last user is done. */
  async close(): Promise<void> {
    this.#isEnded = true
    clearTimeout(this.#timer)
    if (this.#users === 0) this.#shut()
    while (this.#users > 0 || this.#opening !== null) await new Promise(resolve => setTimeout(resolve, 5))
    await this.#closing
  }

  #opened(): Promise<T> {
    this.#opening ??= this.#open()
    return this.#opening
  }

  async #open(): Promise<T> {
    try {
      // The one before must be gone: a device takes one user at a time.
      await this.#closing
      const value = await this.#options.open()
      this.#isOpen = true
      return value
    } catch (thrown) {
      this.#opening = null
      throw thrown
    }
  }

  /** Nobody uses it any more. */
  #rest(): void {
    const { keepAliveS } = this.#options
    if (keepAliveS === 0 || this.#isEnded) this.#shut()
    else if (keepAliveS > 0) {
      this.#timer = setTimeout(() => this.#shut(), keepAliveS * 1000)
      this.#timer.unref()
    }
  }

  #shut(): void {
    const opening = this.#opening
    if (opening === null || this.#users > 0) return
    this.#opening = null
    this.#isOpen = false
    this.#closing = opening.then(value => this.#options.close(value)).catch(() => {})
  }
}
