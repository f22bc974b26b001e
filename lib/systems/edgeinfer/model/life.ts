/**
 * Holds the model that serves, and exchanges it for another only after that one passed its self-test.
 *
 * While there is none, the reason is kept for `/healthz`. A file that changes under a serving model is opened and
 * tested beside it; if it fails, the old model goes on and the error shows in `/status`.
 */
import { statSync } from 'node:fs'
import { asError, usageError } from '../../../base/errors.ts'
import { openEngine, type Engine, type EngineOptions } from './engine.ts'
import { goldenOf, selfTest, type SelfTest } from './self-test.ts'

/** What is known of the model right now. */
export interface ModelState {
  readonly engine: Engine | null
  readonly selfTest: SelfTest | null
  /** Why there is no model, or why the last exchange failed; null when the last one went well. */
  readonly error: string | null
  /** How many models were taken into service. */
  readonly loads: number
  readonly loadedAt: Date | null
}

/** How a model is found. */
export interface LifeOptions extends EngineOptions {
  /** Where the model's file is; called at each load, so that a file that is made later is found. */
  readonly path: () => string
  /** How many motifs clients count on; a model with another number is refused. */
  readonly motifs: number
  /** Told of every change. */
  readonly onChange?: (state: ModelState) => void
}

/** The life of the model of one sidecar. */
export class ModelLife implements AsyncDisposable {
  readonly #o: LifeOptions
  #state: ModelState = { engine: null, selfTest: null, error: 'the model is being loaded', loads: 0, loadedAt: null }
  #loading: Promise<void> | null = null
  #next: Promise<void> | null = null
  #watch: NodeJS.Timeout | undefined
  #seen = ''

  constructor(o: LifeOptions) {
    this.#o = o
  }

  /** See `ModelState`. */
  get state(): ModelState {
    return this.#state
  }

  /**
   * Open the file, test it, and let it serve from now on. Never throws: a failure is in `state.error`. While another
   * load is under way, which may have read what the file was before, this one follows it.
   */
  load(): Promise<void> {
    if (this.#loading === null) return this.#begin()
    return (this.#next ??= this.#loading.then(() => {
      this.#next = null
      return this.#begin()
    }))
  }

  #begin(): Promise<void> {
    return (this.#loading = this.#load().finally(() => {
      this.#loading = null
    }))
  }

  /** Look every so often whether the file changed, and load it then. */
  watch(everyMs: number): void {
    this.#seen = this.#mark()
    this.#watch = setInterval(() => {
      const mark = this.#mark()
      if (mark === this.#seen) return
      this.#seen = mark
      void this.load()
    }, everyMs).unref()
  }

  async #load(): Promise<void> {
    let engine: Engine | undefined
    try {
      engine = await openEngine(this.#o.path(), this.#o)
      if (engine.motifs.length !== this.#o.motifs) {
        throw usageError(
          `Cannot serve "${engine.path}": it has ${engine.motifs.length} motifs, and NUM_MOTIFS is ${this.#o.motifs}`,
          `set NUM_MOTIFS=${engine.motifs.length}, or export again`,
        )
      }
      const tested = await selfTest(engine, await goldenOf(engine))
      const old = this.#state.engine
      this.#change({ engine, selfTest: tested, error: null, loads: this.#state.loads + 1, loadedAt: new Date() })
      // Requests under way end on the old model before it closes.
      await old?.[Symbol.asyncDispose]()
    } catch (thrown) {
      if (engine && engine !== this.#state.engine) await closeQuietly(engine)
      this.#change({ ...this.#state, error: asError(thrown).message })
    }
  }

  #change(state: ModelState): void {
    this.#state = state
    this.#o.onChange?.(state)
  }

  #mark(): string {
    try {
      const { ino, mtimeMs, size } = statSync(this.#o.path())
      return `${ino} ${mtimeMs} ${size}`
    } catch {
      return 'absent'
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#watch)
    await (this.#next ?? this.#loading)
    await this.#state.engine?.[Symbol.asyncDispose]()
  }
}

/** A model that never served may fail to close; what it failed with before is what is told. */
async function closeQuietly(engine: Engine): Promise<void> {
  try {
    await engine[Symbol.asyncDispose]()
  } catch {
    // Told already.
  }
}
