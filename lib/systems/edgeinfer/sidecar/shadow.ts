/**
 * Asks a second model about a share of the windows, and tells how far its latents turned; clients never notice.
 *
 * One window at a time: while the shadow is busy the others are passed over, so that it takes no more than it is given.
 */
import { compare } from '../../../parity/compare.ts'
import { asError } from '../../../base/errors.ts'
import { openEngine, type Engine, type EngineOptions } from '../model/engine.ts'

/** How a shadow is run. */
export interface ShadowOptions extends Omit<EngineOptions, 'slots'> {
  readonly path: string
  /** Share of the windows, 0 to 1. */
  readonly share: number
}

/** What the shadow found so far. */
export interface ShadowCounts {
  readonly path: string
  readonly asked: number
  readonly passedOver: number
  readonly cosineMin: number | null
  readonly error: string | null
}

/** A second model that runs along. */
export class Shadow implements AsyncDisposable {
  readonly #engine: Engine
  readonly #share: number
  readonly #onCosine: (cosine: number) => void
  #owed = 0
  #busy: Promise<void> | null = null
  #counts: { asked: number; passedOver: number; cosineMin: number | null; error: string | null } = {
    asked: 0,
    passedOver: 0,
    cosineMin: null,
    error: null,
  }

  /** @throws RunbookError as `openEngine` */
  static async open(o: ShadowOptions, onCosine: (cosine: number) => void): Promise<Shadow> {
    return new Shadow(await openEngine(o.path, { backend: o.backend, slots: 1 }), o.share, onCosine)
  }

  private constructor(engine: Engine, share: number, onCosine: (cosine: number) => void) {
    this.#engine = engine
    this.#share = share
    this.#onCosine = onCosine
  }

  /** See `ShadowCounts`. */
  get counts(): ShadowCounts {
    return { path: this.#engine.path, ...this.#counts }
  }

  /** Maybe ask the shadow too. Never throws, never waits. */
  follow(window: Float32Array, latent: Float32Array): void {
    this.#owed += this.#share
    if (this.#owed < 1) return
    this.#owed -= 1
    if (this.#busy) {
      this.#counts.passedOver++
      return
    }
    this.#busy = this.#ask(window, latent).finally(() => {
      this.#busy = null
    })
  }

  async #ask(window: Float32Array, latent: Float32Array): Promise<void> {
    try {
      const other = await this.#engine.infer(window)
      const { cosine } = compare(other.latent, latent, { atol: 0, rtol: 0 })
      this.#counts.asked++
      this.#counts.cosineMin = Math.min(this.#counts.cosineMin ?? 1, cosine)
      this.#onCosine(cosine)
    } catch (thrown) {
      this.#counts.error = asError(thrown).message
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#busy
    await this.#engine[Symbol.asyncDispose]()
  }
}
