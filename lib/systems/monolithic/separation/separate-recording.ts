/**
 * What does a model make of one recording? Sound files, a page of numbers, and pictures.
 *
 * Opens the model, streams the recording through it and writes `mix.wav`, `sep_src1.wav`, `sep_src2.wav` and
 * `runtime_metrics.json`. When anything fails the metrics are written all the same, with `ok` false and the reason,
 * and no sound.
 */
import { realpathSync } from 'node:fs'
import { basename, join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { makeFolder } from '../../../host/files.ts'
import { usageError } from '../../../base/errors.ts'
import { openBackend } from '../../../infer/open.ts'
import type { BackendName, BackendOptions } from '../../../infer/options.ts'
import { openMono, refuseSilent } from '../../../signal/mono-source.ts'
import type { Recording } from './pick-recording.ts'
import { quantile, rounded } from '../../../base/statistics.ts'
import { metricsName, orFailedMetrics, writeMetrics } from './runtime-metrics.ts'
import type { KnownMetrics, RuntimeMetrics } from './runtime-metrics.ts'
import { separationModel, type Layout, type SeparationModel } from './model.ts'
import { openOutputs, soundNames, type FinishedOutputs } from './outputs.ts'
import { separate, type SeparationTimes } from './separate.ts'

export { type RuntimeMetrics } from './runtime-metrics.ts'

export interface SeparationJob extends BackendOptions {
  readonly modelPath: string
  readonly backend: BackendName
  /** Stream names, where the model has several. */
  readonly input?: string | undefined
  readonly output?: string | undefined
  readonly recording: Recording
  /** Where the sound and the metrics go. */
  readonly folder: string
  /** A second place for the metrics: the run folder, where the sound goes elsewhere. */
  readonly evidenceFolder?: string
  readonly sampleRate: number
  readonly layout: Layout
  /** Frames at a window's edge that are thrown away; asked for when the model has been opened. */
  readonly haloFrames: () => number
  readonly signal: AbortSignal
  readonly onWindow?: (done: number, total: number) => void
}

export interface SeparatedRecording {
  readonly metrics: RuntimeMetrics
  readonly files: { readonly mix: string; readonly sources: readonly string[]; readonly metrics: string }
  readonly spectrograms: FinishedOutputs['spectrograms']
}

/**
 * Separate one recording.
 * Errors: as `openBackend`, `separationModel`, `openMono`, `openOutputs` and `separate`; the metrics are on the disk
 * by then.
 */
export async function separateRecording(job: SeparationJob): Promise<SeparatedRecording> {
  const folders = [job.folder, job.evidenceFolder ?? job.folder]
  const known: KnownMetrics = { hef: job.modelPath, mix_wav: job.recording.mix, sample_rate: job.sampleRate }
  return orFailedMetrics({ folders, known, signal: job.signal }, async () => {
    const { finished, metrics } = await run(job, known)
    writeMetrics(folders, metrics)
    return {
      metrics,
      files: { ...finished.files, metrics: join(job.folder, metricsName) },
      spectrograms: finished.spectrograms,
    }
  })
}

/** `known` grows on the way, so that a failure can say how far it came. Cheap checks come before long ones. */
async function run(
  job: SeparationJob,
  known: KnownMetrics,
): Promise<{ finished: FinishedOutputs; metrics: RuntimeMetrics }> {
  const { recording, sampleRate, layout } = job
  using mix = openMono(recording.mix, sampleRate)
  Object.assign(known, {
    input_samples: mix.totalSamples,
    recording_rate: mix.info.sampleRate,
    recording_channels: mix.info.channels,
    mixdown: mix.mixdown,
    resampling: mix.resampling,
  } satisfies KnownMetrics)
  const { isolate, ort, hailort, tensorrt } = job
  await using backend = await openBackend(job.modelPath, { backend: job.backend, isolate, ort, hailort, tensorrt })
  Object.assign(known, {
    device_info: backend.device,
    load_ms: rounded(backend.loadMs, 3),
    warnings: [...(backend.warnings ?? []), ...mix.info.warnings.map(warning => `${recording.mix}: ${warning}`)],
  } satisfies KnownMetrics)
  const model = separationModel(backend, { ...layout, input: job.input, output: job.output })
  const haloFrames = job.haloFrames()
  Object.assign(known, streamFacts(model, haloFrames * layout.stride))
  refuseSilent(recording.mix)
  refuseOverwriting(job, model.sources)
  makeFolder(job.folder)
  const startedMs = performance.now()
  const references = recording.references?.length === model.sources ? recording.references : null
  using outputs = openOutputs({
    folder: job.folder,
    sampleRate,
    samples: mix.totalSamples,
    sources: model.sources,
    references,
  })
  const times = await separate({
    backend,
    model,
    layout,
    haloFrames,
    source: mix,
    signal: job.signal,
    onBlock: outputs.push,
    ...(job.onWindow ? { onWindow: job.onWindow } : {}),
  })
  // The sound is there by now: a sensor that does not answer takes nothing away.
  const vitals = await backend.vitals?.().catch(() => null)
  Object.assign(known, {
    temperature_c: vitals?.temperatureC ?? null,
    power_w: vitals?.powerW ?? null,
  } satisfies KnownMetrics)
  const finished = outputs.finish()
  const wallMs = performance.now() - startedMs - times.configureMs
  const measured = measuredFacts({
    times,
    finished,
    wallMs,
    audioMs: (mix.totalSamples / sampleRate) * 1000,
    references,
  })
  return { finished, metrics: { ...known, ...measured } as RuntimeMetrics }
}

const streamFacts = (model: SeparationModel, haloSamples: number): KnownMetrics => ({
  input_stream: model.input.name,
  output_stream: model.output.name,
  sources: model.sources,
  window_samples: model.widthSamples,
  halo_samples: haloSamples,
  zero_inputs: Object.keys(model.zeros),
})

interface Measured {
  readonly times: SeparationTimes
  readonly finished: FinishedOutputs
  readonly wallMs: number
  readonly audioMs: number
  readonly references: readonly string[] | null
}

function measuredFacts({ times, finished, wallMs, audioMs, references }: Measured): KnownMetrics {
  const { score, files } = finished
  const inferMs = times.latenciesMs.reduce((sum, ms) => sum + ms, 0)
  const p50 = rounded(quantile(times.latenciesMs, 0.5), 3)
  return {
    ok: true,
    reason: null,
    hint: null,
    output_samples: times.samples,
    output_samples_src1: times.samples,
    output_samples_src2: files.sources.length > 1 ? times.samples : 0,
    latency_ms: p50,
    latency_ms_p50: p50,
    latency_ms_p95: rounded(quantile(times.latenciesMs, 0.95), 3),
    configure_ms: rounded(times.configureMs, 3),
    infer_ms: rounded(inferMs, 3),
    rtf: rounded(inferMs / audioMs, 6),
    rtf_wall: rounded(wallMs / audioMs, 6),
    windows: times.windows,
    mixture_consistency_db: finished.consistencyDb,
    clipped_samples: finished.clippedSamples,
    references,
    si_sdr_db: score?.siSdrDb ?? null,
    input_si_sdr_db: score?.inputSiSdrDb ?? null,
    si_sdri_db: score?.siSdriDb ?? null,
    permutation: score?.permutation ?? null,
    files: [files.mix, ...files.sources].map(path => basename(path)),
  }
}

/** `MIX_WAV=mix.wav OUT_DIR=.` would replace the recording by its own mixdown. */
function refuseOverwriting({ recording, folder }: SeparationJob, sources: number): void {
  const inputs = new Set([recording.mix, ...(recording.references ?? [])].map(realPath))
  const hit = soundNames(sources)
    .map(name => join(folder, `${name}.wav`))
    .find(path => inputs.has(realPath(path)))
  if (hit === undefined) return
  const hint = 'send the sound elsewhere: --audio-dir FOLDER, or OUT_DIR'
  throw usageError(`Cannot write "${hit}": it is the recording itself`, hint)
}

/** The path without links, or as it is when there is no such file. */
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
