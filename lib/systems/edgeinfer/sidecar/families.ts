/**
 * The sidecar's metrics: the original's names where they pass the linter, in base units, and its own beside them.
 */
import { openMetrics, secondsBuckets, type Metrics } from '../../../serve/metrics.ts'
import { edgeinferContract } from '../contract.ts'

const { service, gates } = edgeinferContract()

/** Families by the words that the code uses. */
export interface Families {
  readonly metrics: Metrics
  answered(o: { status: string; model: string; code: string }): void
  served(o: { model: string; seconds: number; waitedSeconds: number }): void
  health(isReady: boolean): void
  shadowed(cosine: number): void
  stream(windows: number): void
  close(): void
}

/** What the gauges read when they are scraped. */
export interface Readings {
  readonly model: () => { name: string; sha256: string; motifs: number; device: string; path: string } | null
  readonly isStub: () => boolean
  readonly queue: () => { waiting: number; running: number }
  readonly telemetry: () => { written: number; dropped: number } | null
  readonly temperatureC: () => number | null
}

/** Open the registry with every family in it. */
export async function openFamilies(read: Readings): Promise<Families> {
  const metrics = await openMetrics()
  const requests = metrics.counter({
    name: 'hailo_inference_requests_total',
    help: 'Requests for inference, by outcome: success, or error.',
    labelNames: ['status', 'model'],
  })
  const errors = metrics.counter({
    name: 'hailo_errors_total',
    help: 'Requests that were refused or failed, by code of the error.',
    labelNames: ['error_type', 'model'],
  })
  const buckets = secondsBuckets([service.deadlineMs / 1000, gates.latencyP95MsMax / 1000])
  const duration = metrics.histogram({
    name: 'hailo_inference_duration_seconds',
    help: 'From the parsed request to its answer, the wait in the queue included; answered requests only.',
    labelNames: ['model'],
    buckets,
  })
  const wait = metrics.histogram({
    name: 'hailo_queue_wait_seconds',
    help: 'How long an answered request waited for a free slot.',
    buckets,
  })
  const health = metrics.counter({
    name: 'hailo_health_checks_total',
    help: 'Health checks, by what they were told.',
    labelNames: ['status'],
  })
  const shadow = metrics.histogram({
    name: 'hailo_shadow_cosine',
    help: 'Cosine between the latents of the serving and of the shadow backend.',
    buckets: [0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999, 0.9999, 1],
  })
  const streams = metrics.counter({ name: 'hailo_stream_windows_total', help: 'Windows answered over /stream.' })
  addGauges(metrics, read)
  return {
    metrics,
    answered({ status, model, code }) {
      requests.inc({ status, model })
      if (status !== 'success') errors.inc({ error_type: code, model })
    },
    served({ model, seconds, waitedSeconds }) {
      duration.observe({ model }, seconds)
      wait.observe(waitedSeconds)
    },
    health: isReady => health.inc({ status: isReady ? 'ok' : 'error' }),
    shadowed: cosine => shadow.observe(cosine),
    stream: windows => streams.inc(windows),
    close: () => metrics.close(),
  }
}

function addGauges(metrics: Metrics, read: Readings): void {
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[], set: (at: Set<L>) => void) => {
    const made = metrics.gauge<L>({
      name,
      help,
      labelNames,
      collect() {
        made.reset()
        set((labels, value) => (made as { set(labels: object, value: number): void }).set(labels, value))
      },
    })
  }
  gauge('hailo_model_loaded', 'Whether a model serves (1) or not (0).', ['model', 'version'], set => {
    const model = read.model()
    set({ model: model?.name ?? 'none', version: service.version }, model === null ? 0 : 1)
  })
  gauge('hailo_model_info', 'Facts of the serving model.', ['model', 'hef_path', 'motifs', 'device'], set => {
    const model = read.model()
    if (model !== null)
      set({ model: model.name, hef_path: model.path, motifs: String(model.motifs), device: model.device }, 1)
  })
  gauge(
    'hailo_build_info',
    'Version of the service and digest of model and contract.',
    ['version', 'hef_sha', 'config'],
    set =>
      set(
        {
          version: service.version,
          hef_sha: read.model()?.sha256.slice(0, 16) ?? '',
          config: edgeinferContract().sha256.slice(0, 16),
        },
        1,
      ),
  )
  gauge('hailo_stub_active', 'Whether answers come from the stub (1) and not from a model (0).', [], set =>
    set({}, read.isStub() ? 1 : 0),
  )
  gauge('hailo_queue_waiting_requests', 'Requests that wait for a slot.', [], set => set({}, read.queue().waiting))
  gauge('hailo_queue_running_requests', 'Requests that run.', [], set => set({}, read.queue().running))
  gauge('hailo_device_temperature_celsius', 'Temperature of the device, where it tells one.', ['device_id'], set => {
    const temperature = read.temperatureC()
    if (temperature !== null) set({ device_id: '0' }, temperature)
  })
  gauge('hailo_telemetry_written_records', 'Records that are on the disk.', [], set =>
    set({}, read.telemetry()?.written ?? 0),
  )
  gauge('hailo_telemetry_dropped_records', 'Records that were dropped.', [], set =>
    set({}, read.telemetry()?.dropped ?? 0),
  )
  gauge('hailo_sidecar_start_time_seconds', 'When the sidecar started, in seconds since 1970.', [], set =>
    set({}, startedS),
  )
}

type Set<L extends string> = (labels: Partial<Record<L, string>>, value: number) => void

const startedS = Math.floor(Date.now() / 1000 - process.uptime())
