/**
 * Answers one window: by the model within its deadline, by the stub, or with the reason why not.
 */
import { Admission, Refusal, type AdmitOptions } from '../../../serve/admission.ts'
import { Problem } from '../../../serve/http.ts'
import { asError } from '../../../base/errors.ts'
import { edgeinferContract } from '../contract.ts'
import type { Answer } from '../model/engine.ts'
import type { ModelLife } from '../model/life.ts'
import { stubAnswer, stubName } from '../model/stub.ts'

/** An answer and how it came about. */
export interface Answered extends Answer {
  readonly model: string
  readonly seconds: number
  readonly waitedSeconds: number
}

/** What one request asks for. */
export interface Asked {
  readonly window: Float32Array
  readonly deadlineMs?: number | undefined
  /** As `AdmitOptions.onWait`. */
  readonly onWait?: AdmitOptions['onWait']
}

const { service } = edgeinferContract()

/** The time of inference that is assumed before any was measured. */
const firstEstimateMs = 3

/** The queue and the model behind one door. */
export class Desk {
  readonly admission: Admission
  readonly #life: ModelLife | null
  readonly #motifs: number
  lastSeconds: number | null = null

  /** @param o.life the model's life; null serves the stub */
  constructor(o: { life: ModelLife | null; slots: number; queueMax: number; motifs: number }) {
    this.admission = new Admission({ slots: o.slots, queueMax: o.queueMax, firstEstimateMs })
    this.#life = o.life
    this.#motifs = o.motifs
  }

  /** The name of what answers now; `none` without a model. */
  get model(): string {
    return this.#life === null ? stubName : (this.#life.state.engine?.name ?? 'none')
  }

  /**
   * Answer a window.
   * @throws Problem 503 `model_unavailable`, `overloaded` (too late), `draining`; 429 `queue_full`
   */
  async answer({ window, deadlineMs = service.deadlineMs, onWait }: Asked): Promise<Answered> {
    const startedMs = performance.now()
    if (this.#life === null) {
      return { ...stubAnswer(window, this.#motifs), model: stubName, seconds: 0, waitedSeconds: 0 }
    }
    const { state } = this.#life
    if (state.engine === null) throw unavailable(state.error)
    try {
      return await this.admission.admit(
        async waitedMs => {
          // The model of this moment: it may have been exchanged while the request waited.
          const { engine, error } = this.#life!.state
          if (engine === null) throw unavailable(error)
          const answer = await engine.infer(window)
          const seconds = (performance.now() - startedMs) / 1000
          this.lastSeconds = seconds
          return { ...answer, model: engine.name, seconds, waitedSeconds: waitedMs / 1000 }
        },
        { deadlineMs, onWait },
      )
    } catch (thrown) {
      if (thrown instanceof Refusal) throw problemOf(thrown, deadlineMs)
      if (thrown instanceof Problem) throw thrown
      throw unavailable(asError(thrown).message)
    }
  }
}

const unavailable = (why: string | null) =>
  new Problem(503, 'model_unavailable', `The model cannot answer: ${why ?? 'there is none'}`, {
    headers: { 'retry-after': '5' },
  })

function problemOf({ reason, retryAfterS }: Refusal, deadlineMs: number): Problem {
  const headers = { 'retry-after': String(retryAfterS) }
  if (reason === 'full') return new Problem(429, 'queue_full', 'Too many requests wait already', { headers })
  if (reason === 'late')
    return new Problem(503, 'overloaded', `The answer would take longer than ${deadlineMs} ms`, { headers })
  if (reason === 'cancelled') return new Problem(503, 'cancelled', 'The client went away', { headers })
  return new Problem(503, 'draining', 'The service is stopping', { headers })
}
