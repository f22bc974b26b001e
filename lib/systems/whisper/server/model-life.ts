/**
 * The service's model over time: opened, tried once, kept or closed, and the reason when it cannot be had.
 */
import { asError, RunbookError } from '../../../base/errors.ts'
import { OnDemand } from '../../../serve/on-demand.ts'
import { apiError } from './errors.ts'
import type { Transcriber } from './transcriber.ts'

/** Whether requests can be answered, and if not, why and what helps. */
export type Readiness =
  | { readonly ready: true }
  | { readonly ready: false; readonly reason: string; readonly hint: string }

/**
 * Opens the model that the configuration names.
 *
 * @throws {RunbookError} blocked, with the command that brings it
 */
export type OpenTranscriber = () => Promise<Transcriber>

const probe = {
  language: 'en',
  prompt: undefined,
  temperatures: [0],
  beamSize: 1,
  words: false,
  task: 'transcribe',
} as const

/** A model that opens when it is needed. */
export class ModelLife {
  readonly #model: OnDemand<Transcriber>
  #readiness: Readiness = { ready: false, reason: 'the self-test is under way', hint: 'ask again' }
  #title = ''

  constructor(open: OpenTranscriber, { keepAliveS }: { keepAliveS: number }) {
    this.#model = new OnDemand({ open, close: async model => await model[Symbol.asyncDispose](), keepAliveS })
  }

  /** The newest of what the self-test and the requests showed. */
  get readiness(): Readiness {
    return this.#readiness
  }

  /** Whether the model is in memory now. */
  get isLoaded(): boolean {
    return this.#model.isOpen
  }

  /** What answers, as far as it was ever open; else empty. */
  get title(): string {
    return this.#title
  }

  /** Open the model and let it listen to a second of silence. Never throws: the outcome is the readiness. */
  async selfTest(): Promise<Readiness> {
    try {
      await this.#model.use(async model => {
        this.#title = model.title
        const { segments } = await model.transcribe(new Float32Array(16_000), probe)
        const odd = segments.find(segment => !Number.isFinite(segment.avgLogprob))
        if (odd) throw new Error('the model answers with numbers that are not finite')
      })
      this.#readiness = { ready: true }
    } catch (thrown) {
      this.#fail(thrown)
    }
    return this.#readiness
  }

  /**
   * Do something with the model.
   * @throws {Problem} 503 with the reason, when it cannot be opened
   */
  async use<R>(work: (model: Transcriber) => Promise<R>): Promise<R> {
    let isOpen = false
    try {
      return await this.#model.use(async model => {
        isOpen = true
        this.#title = model.title
        this.#readiness = { ready: true }
        return await work(model)
      })
    } catch (thrown) {
      if (isOpen) throw thrown
      this.#fail(thrown)
      throw apiError(`The model is not available: ${asError(thrown).message}`, {
        status: 503,
        type: 'server_error',
        code: 'model_unavailable',
        cause: thrown,
      })
    }
  }

  /** Close the model for good, when its last user is done. */
  async close(): Promise<void> {
    await this.#model.close()
  }

  #fail(thrown: unknown): void {
    const hint = thrown instanceof RunbookError ? thrown.hint : 'see the log'
    this.#readiness = { ready: false, reason: asError(thrown).message, hint }
  }
}
