/**
 * The EdgeInfer sidecar: an HTTP service around one model, with its queue, metrics and telemetry.
 */
import { cpus } from 'node:os'
import type { FastifyInstance } from 'fastify'
import { openService, type Problem, type Service } from '../../../serve/http.ts'
import { TelemetryWriter } from '../../../serve/telemetry/writer.ts'
import { edgeinferContract } from '../contract.ts'
import { ModelLife } from '../model/life.ts'
import type { BackendName } from '../../../infer/options.ts'
import { Desk } from './ask.ts'
import { openFamilies, type Families } from './families.ts'
import { recordOf, type Served } from './record.ts'
import { StreamSelector } from '../select/stream.ts'
import { Shadow, type ShadowOptions } from './shadow.ts'

/** How a sidecar is run. */
export interface SidecarOptions {
  readonly host: string
  /** 0 takes any free one. */
  readonly port: number
  /** Where the model's file is; called at each load. */
  readonly modelPath: () => string
  readonly backend: BackendName
  /** False serves the marked stub. */
  readonly useRealModel: boolean
  readonly motifs: number
  /** How many windows at once; one for each core unless told. */
  readonly slots?: number | undefined
  readonly queueMax?: number
  /** Where telemetry goes; nowhere unless told. */
  readonly telemetryFolder?: string | undefined
  /** Share of the windows that are kept for labelling as they come, the most uncertain; the contract's unless told. */
  readonly streamShare?: number | undefined
  readonly shadow?: ShadowOptions | undefined
  readonly log?: { readonly level: string; readonly write: (line: string) => void } | undefined
  /** How often the model's file is looked at, in ms; 2 000 unless told. */
  readonly watchMs?: number
  readonly bodyTimeoutMs?: number
  readonly headersTimeoutMs?: number
}

const contract = edgeinferContract()

/** Paths whose requests count as requests for inference. */
const inferPath = /^\/(infer|stream|v2\/models\/[^/]+(\/versions\/[^/]+)?\/infer)?$/

/** A running sidecar. */
export class Sidecar {
  readonly desk: Desk
  /** Null where the stub serves. */
  readonly life: ModelLife | null
  readonly families: Families
  readonly motifs: number
  readonly logLevel: string
  readonly modelPath: () => string
  readonly #service: Service
  readonly #telemetry: TelemetryWriter | null
  readonly #startedMs = performance.now()
  readonly #selector: StreamSelector
  readonly #counts = { answered: 0, refused: 0, bugs: 0 }
  #shadow: Shadow | null = null
  url = ''

  /** Start one; it listens at once and is ready when the model has passed its self-test. */
  static async start(o: SidecarOptions): Promise<Sidecar> {
    const { addRoutes, serviceOptions } = await import('./interface/routes.ts')
    const counters: { count: (problem: Problem, path: string) => void } = { count: () => {} }
    const service = await openService(serviceOptions(o, (problem, path) => counters.count(problem, path)))
    const { telemetry: bounds } = contract
    const telemetry =
      o.telemetryFolder === undefined
        ? null
        : await TelemetryWriter.open({
            ...bounds,
            folder: o.telemetryFolder,
            onError: error => service.app.log.error({ err: error }, 'telemetry cannot be written'),
          })
    const sidecar = await Sidecar.#make(o, { service, telemetry })
    counters.count = (problem, path) => {
      sidecar.#counts[problem.status === 500 ? 'bugs' : 'refused']++
      if (!inferPath.test(path)) return
      sidecar.families.answered({ status: 'error', model: sidecar.desk.model, code: problem.code })
    }
    await addRoutes(service.app, sidecar)
    sidecar.url = await service.listen(o)
    await sidecar.#loadAll(o)
    return sidecar
  }

  static async #make(o: SidecarOptions, parts: { service: Service; telemetry: TelemetryWriter | null }) {
    const slots = o.slots ?? cpus().length
    const life = o.useRealModel
      ? new ModelLife({
          backend: o.backend,
          slots,
          path: o.modelPath,
          motifs: o.motifs,
          onChange: ({ engine, error }) =>
            parts.service.app.log[error === null ? 'info' : 'error']({ model: engine?.path, error }, 'model'),
        })
      : null
    const desk = new Desk({ life, slots, queueMax: o.queueMax ?? contract.service.queueMax, motifs: o.motifs })
    const vitals: { temperatureC: number | null } = { temperatureC: null }
    const families = await openFamilies({
      model: () => {
        const engine = life?.state.engine
        return engine ? { ...engine, motifs: engine.motifs.length } : null
      },
      isStub: () => life === null,
      queue: () => ({ waiting: desk.admission.waiting, running: desk.admission.running }),
      telemetry: () => parts.telemetry?.counts ?? null,
      temperatureC: () => vitals.temperatureC,
    })
    const poll = setInterval(() => void readVitals(life, vitals), vitalsEveryMs).unref()
    parts.service.app.addHook('onClose', async () => clearInterval(poll))
    return new Sidecar(o, { ...parts, desk, life, families })
  }

  private constructor(
    o: SidecarOptions,
    parts: {
      service: Service
      telemetry: TelemetryWriter | null
      desk: Desk
      life: ModelLife | null
      families: Families
    },
  ) {
    this.#service = parts.service
    this.#telemetry = parts.telemetry
    this.desk = parts.desk
    this.life = parts.life
    this.families = parts.families
    this.motifs = o.motifs
    // The entropy of so many motifs, in nats, is at most the logarithm of their number.
    const share = o.streamShare ?? contract.selection.streamShare
    this.#selector = new StreamSelector({ share, range: Math.log(o.motifs) })
    this.modelPath = () => {
      try {
        return o.modelPath()
      } catch {
        return ''
      }
    }
    this.logLevel = o.log?.level ?? 'silent'
  }

  async #loadAll(o: SidecarOptions): Promise<void> {
    await this.life?.load()
    this.life?.watch(o.watchMs ?? 2000)
    if (o.shadow) this.#shadow = await Shadow.open(o.shadow, cosine => this.families.shadowed(cosine))
  }

  /** Whether answers come from the stub. */
  get isStub(): boolean {
    return this.life === null
  }

  /** The HTTP application, for tests and benchmarks. */
  get app(): FastifyInstance {
    return this.#service.app
  }

  /** Why it is not ready, or null when it is. */
  notReady(): string | null {
    if (this.#service.draining) return 'the service is stopping'
    if (this.life === null || this.life.state.engine !== null) return null
    return this.life.state.error ?? 'there is no model'
  }

  /** Seconds since it was started; a clock that is set does not change them. */
  uptimeSeconds(): number {
    return (performance.now() - this.#startedMs) / 1000
  }

  /** Windows that were answered, requests that were refused, and answers with status 500, since the start. */
  readonly counts = (): { answered: number; refused: number; bugs: number } => ({ ...this.#counts })

  /** Count an answer, keep a record of it, and let the shadow follow. */
  served(served: Served): void {
    const { answered, window } = served
    this.#counts.answered++
    this.families.answered({ status: 'success', model: answered.model, code: '' })
    this.families.served({ model: answered.model, seconds: answered.seconds, waitedSeconds: answered.waitedSeconds })
    this.#shadow?.follow(window, answered.latent)
    if (this.#telemetry === null) return
    const engine = this.life?.state.engine ?? null
    const index = this.#telemetry.recordsInSegment
    this.#telemetry.write(
      recordOf(served, {
        model: engine,
        motifs: engine?.motifs ?? [],
        index,
        chance: Math.random(),
        choose: entropy => this.#selector.offer(entropy),
      }),
    )
  }

  /** Everything there is to know, for `/status`. */
  status(): Record<string, unknown> {
    const state = this.life?.state
    const { admission } = this.desk
    return {
      service: contract.service.name,
      version: contract.service.version,
      stub: this.isStub,
      ready: this.notReady() === null,
      reason: this.notReady(),
      uptime_s: this.uptimeSeconds(),
      model: state?.engine
        ? {
            name: state.engine.name,
            path: state.engine.path,
            sha256: state.engine.sha256,
            backend: state.engine.backend,
            device: state.engine.device,
            motifs: state.engine.motifs,
            weights: state.engine.locked.config.model.weights,
            loaded_at: state.loadedAt?.toISOString(),
          }
        : null,
      model_error: state?.error ?? null,
      model_loads: state?.loads ?? 0,
      self_test: state?.selfTest ?? null,
      shadow: this.#shadow?.counts ?? null,
      queue: { waiting: admission.waiting, running: admission.running, service_ms: admission.serviceMs },
      telemetry: this.#telemetry?.counts ?? null,
      contract_sha256: contract.sha256,
    }
  }

  /**
   * Answer what was accepted, refuse the rest, write the telemetry and close.
   * @returns how many accepted requests were cut off
   */
  async drain(graceMs: number = contract.service.drainMs): Promise<number> {
    const lost = await this.#service.drain(graceMs)
    await this.#shadow?.[Symbol.asyncDispose]()
    await this.life?.[Symbol.asyncDispose]()
    await this.#telemetry?.close()
    this.families.close()
    return lost
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain(0)
  }
}

/** How often a device is asked for its temperature: often enough for an alarm, too seldom to disturb it. */
const vitalsEveryMs = 10_000

/** Keep what the device tells of itself; null while it tells nothing. */
async function readVitals(life: ModelLife | null, vitals: { temperatureC: number | null }): Promise<void> {
  try {
    vitals.temperatureC = (await life?.state.engine?.vitals?.())?.temperatureC ?? null
  } catch {
    // A device that does not answer has no temperature to show; serving has its own way to fail.
    vitals.temperatureC = null
  }
}
