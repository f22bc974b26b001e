/**
 * Admits requests: bounds how many wait, and refuses early those that would be answered too late.
 *
 * So many run at once as there are slots; the rest wait in order. A request is refused when the queue is full, or when
 * the estimated wait (what is before it, times the recent time of service) is beyond its deadline, because a late
 * answer costs as much as a good one and helps nobody. One that waited too long after all is dropped before it starts.
 */

/** Why a request was not served. */
export type RefusalReason = 'full' | 'late' | 'draining' | 'cancelled'

/** A request that was refused before its work began. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly reason: RefusalReason
  /** Whole seconds, at least 1, after which another try may succeed: the value of `Retry-After`. */
  readonly retryAfterS: number

  constructor(reason: RefusalReason, retryAfterMs: number) {
    super(`refused: ${reason}`)
    this.reason = reason
    this.retryAfterS = Math.max(1, Math.ceil(retryAfterMs / 1000))
  }
}

/** Limits of one queue. */
export interface AdmissionOptions {
  /** How many run at once. */
  readonly slots: number
  /** How many may wait besides. */
  readonly queueMax: number
  /** The time of service that is assumed before any was measured, in ms. */
  readonly firstEstimateMs: number
  /** A clock in ms that never runs backwards; `performance.now` unless told. */
  readonly now?: () => number
}

/** What one request asks for. */
export interface AdmitOptions {
  /** How long after now the answer is still of use, in ms; without one it waits as long as it must. */
  readonly deadlineMs?: number | undefined
  /** Aborts when the answer is no longer wanted: a request that waits leaves the queue at once. */
  readonly signal?: AbortSignal | undefined
  /**
   * Called when the request has to wait, with what takes it out of the queue again: for callers to whom an AbortSignal
   * for each request is too dear. Once the request has started, `cancel` does nothing.
   */
  readonly onWait?: ((cancel: () => void) => void) | undefined
}

interface Waiting {
  readonly start: () => void
  readonly refuse: (reason: RefusalReason) => void
  readonly lateAtMs: number
}

/** Share of the newest measurement in the running estimate. */
const newest = 0.1

/**
 * A bounded queue in front of a fixed number of slots.
 *
 * @example
 * ```ts
 * const admission = new Admission({ slots: 1, queueMax: 8, firstEstimateMs: 5 })
 * const sum = await admission.admit(async () => 1 + 1, { deadlineMs: 1000 })
 * ```
 */
export class Admission {
  readonly #slots: number
  readonly #queueMax: number
  readonly #now: () => number
  /** In order of arrival; a set, so that one that is cancelled leaves in constant time. */
  readonly #queue = new Set<Waiting>()
  readonly #idle: (() => void)[] = []
  #busy = 0
  #serviceMs: number
  #draining = false

  constructor(o: AdmissionOptions) {
    this.#slots = o.slots
    this.#queueMax = o.queueMax
    this.#serviceMs = o.firstEstimateMs
    this.#now = o.now ?? (() => performance.now())
  }

  /** How many wait. */
  get waiting(): number {
    return this.#queue.size
  }

  /** How many run. */
  get running(): number {
    return this.#busy
  }

  /** The recent time of service, in ms: a running mean that forgets. */
  get serviceMs(): number {
    return this.#serviceMs
  }

  /** How long a request that comes now would wait before it starts, in ms. */
  get waitMs(): number {
    const free = this.#slots - this.#busy
    if (free > 0 && this.#queue.size === 0) return 0
    return ((this.#queue.size + 1) * this.#serviceMs) / this.#slots
  }

  /**
   * Run `work` when a slot is free. `waitedMs` tells it how long it stood in the queue.
   * @throws Refusal when it is not started; whatever `work` throws otherwise
   */
  async admit<T>(work: (waitedMs: number) => Promise<T>, o: AdmitOptions = {}): Promise<T> {
    const arrivedMs = this.#now()
    await this.#turn(arrivedMs, o)
    const startedMs = this.#now()
    try {
      return await work(startedMs - arrivedMs)
    } finally {
      this.#serviceMs += newest * (this.#now() - startedMs - this.#serviceMs)
      this.#leave()
    }
  }

  /** Refuse whatever comes from now on; resolves when all that was admitted before is done. */
  async drain(): Promise<void> {
    this.#draining = true
    if (this.#busy > 0 || this.#queue.size > 0) await new Promise<void>(resolve => this.#idle.push(resolve))
  }

  #turn(arrivedMs: number, { deadlineMs, signal, onWait }: AdmitOptions): Promise<void> | void {
    if (this.#draining) throw new Refusal('draining', 1000)
    if (signal?.aborted) throw new Refusal('cancelled', 0)
    const { waitMs } = this
    if (deadlineMs !== undefined && waitMs + this.#serviceMs > deadlineMs && this.#busy >= this.#slots)
      throw new Refusal('late', waitMs)
    if (this.#busy < this.#slots) {
      this.#busy++
      return
    }
    if (this.#queue.size >= this.#queueMax) throw new Refusal('full', waitMs)
    return this.#wait(arrivedMs + (deadlineMs ?? Infinity), signal, onWait)
  }

  #wait(lateAtMs: number, signal: AbortSignal | undefined, onWait: AdmitOptions['onWait']): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const cancel = () => {
        if (this.#queue.has(entry)) entry.refuse('cancelled')
      }
      const entry: Waiting = {
        lateAtMs,
        start: () => {
          signal?.removeEventListener('abort', cancel)
          resolve()
        },
        refuse: reason => {
          signal?.removeEventListener('abort', cancel)
          this.#queue.delete(entry)
          reject(new Refusal(reason, this.waitMs))
          this.#tellIdle()
        },
      }
      this.#queue.add(entry)
      signal?.addEventListener('abort', cancel, { once: true })
      onWait?.(cancel)
    })
  }

  /** Give the slot to the next that can still be in time. */
  #leave(): void {
    for (const entry of this.#queue) {
      if (this.#now() + this.#serviceMs > entry.lateAtMs) {
        entry.refuse('late')
        continue
      }
      this.#queue.delete(entry)
      entry.start()
      return
    }
    this.#busy--
    this.#tellIdle()
  }

  #tellIdle(): void {
    if (this.#busy > 0 || this.#queue.size > 0) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}
