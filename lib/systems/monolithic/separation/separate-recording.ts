/**
 * Runs one recording through a model: sound files, a page of numbers, and pictures.
 *
 * Opens the model, streams the recording through it and writes `mix.wav`, `sep_src1.wav`, `sep_src2.wav` and
 * `runtime_metrics.json`. When anything fails the metrics are written all the same, with `ok` false and the reason, and
 * no sound.
 */
import { realpathSync } from 'node:fs'
import { basename, join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { makeFolder } from '../../../host/files.ts'
import { usageError } from '../../../base/errors.ts'
import { openBackend } from '../../../infer/open.ts'
import type { BackendName, BackendOptions } from '../../../infer/options.ts'
import type { Backend, Vitals } from '../../../infer/backend.ts'
import { openMono, type MonoSource } from '../../../signal/mono-source.ts'
import { refuseSilent, type Recording } from '../pick-recording.ts'
import { quantile, rounded } from '../../../base/statistics.ts'
import { metricsName, orFailedMetrics, writeMetrics } from './runtime-metrics.ts'
import type { KnownMetrics, RuntimeMetrics } from './runtime-metrics.ts'
import { withFixedWindow } from './fixed-window.ts'
import { measureHalo } from './halo.ts'
import { separationModel, type ModelChoice, type SeparationModel } from './model.ts'
import { openOutputs, soundNames, type FinishedOutputs } from './outputs.ts'
import { separate, type SeparationTimes } from './separate.ts'

export { type RuntimeMetrics } from './runtime-metrics.ts'

/** A model, a recording, and where everything goes. */
export interface SeparationJob extends BackendOptions, ModelChoice {
  readonly modelPath: string
  readonly backend: BackendName
  readonly recording: Recording
  /** The mixture where it is open already, at its beginning: whoever opened it closes it. Else it is opened here. */
  readonly source?: MonoSource
  /** Where the sound and the metrics go. */
  readonly folder: string
  /** A second place for the metrics: the run folder, where the sound goes elsewhere. */
  readonly evidenceFolder?: string
  readonly sampleRate: number
  /** Frames at a window's edge that are thrown away; measured when it is undefined. */
  readonly haloFrames?: number | undefined
  /** Whether the sources are rescaled so that they add up to the mixture best. */
  readonly rescales?: boolean
  /** What was assumed of the model, in words. */
  readonly assumed?: readonly string[]
  readonly signal: AbortSignal
  readonly onWindow?: (done: number, total: number) => void
}

/** What a separation left, and what was measured. */
export interface SeparatedRecording {
  readonly metrics: RuntimeMetrics
  readonly files: { readonly mix: string; readonly sources: readonly string[]; readonly metrics: string }
  readonly spectrograms: FinishedOutputs['spectrograms']
}

/**
 * Separate one recording.
 * @throws RunbookError as `openBackend`, `separationModel`, `openMono`, `openOutputs` and `separate`; the metrics are
 *   on the disk by then
 */
export async function separateRecording(job: SeparationJob): Promise<SeparatedRecording> {
  const folders = [job.folder, job.evidenceFolder ?? job.folder]
  const known: KnownMetrics = { hef: job.modelPath, mix_wav: job.recording.mix, sample_rate: job.sampleRate }
  return orFailedMetrics({ folders, known, signal: job.signal }, async () => {
    const { finished, metrics } = await run(job, facts => void Object.assign(known, facts))
    writeMetrics(folders, metrics)
    return {
      metrics,
      files: { ...finished.files, metrics: join(job.folder, metricsName) },
      spectrograms: finished.spectrograms,
    }
  })
}

/** What every separation needs to be open. */
interface Opened {
  readonly mix: MonoSource
  readonly backend: Backend
  readonly model: SeparationModel
  readonly haloFrames: number
}

/** Cheap checks come before long ones. `note` is told what is found on the way, for a failure that comes later. */
async function run(
  job: SeparationJob,
  note: (facts: KnownMetrics) => void,
): Promise<{ finished: FinishedOutputs; metrics: RuntimeMetrics }> {
  const { recording, sampleRate } = job
  using own = job.source?.sampleRate === sampleRate ? null : openMono(recording.mix, sampleRate)
  const mix = own ?? job.source!
  const ofRecording = recordingFacts(mix)
  note(ofRecording)
  const { isolate, ort, hailort, tensorrt } = job
  const fixed = withFixedWindow(job.modelPath, { folder: job.evidenceFolder ?? job.folder, sampleRate })
  await using backend = await openBackend(fixed.path, { backend: job.backend, isolate, ort, hailort, tensorrt })
  const ofSound = mix.info.warnings.map(warning => `${recording.mix}: ${warning}`)
  const warnings = [...(job.assumed ?? []), ...fixed.assumed, ...(backend.warnings ?? []), ...ofSound]
  const ofDevice = { device_info: backend.device, load_ms: rounded(backend.loadMs, 3), warnings }
  note(ofDevice)
  const model = separationModel(backend, job)
  if (job.haloFrames === undefined && mix.totalSamples < model.widthSamples) {
    const filled = `the recording fills ${mix.totalSamples} of the window's ${model.widthSamples} samples`
    warnings.push(`${filled}, the rest is silence: a network with a norm over time answers otherwise than without it`)
  }
  const haloFrames = await haloOf(job, { backend, model, samples: mix.totalSamples })
  const ofStreams = streamFacts(model, haloFrames * model.layout.stride)
  note(ofStreams)
  const { finished, ofOutcome } = await separateInto(job, { mix, backend, model, haloFrames })
  const asked = { hef: job.modelPath, mix_wav: recording.mix, sample_rate: sampleRate }
  return { finished, metrics: { ...asked, ...ofRecording, ...ofDevice, ...ofStreams, ...ofOutcome } }
}

/** What was told, or else what is measured; a recording within one window needs none. */
function haloOf(
  { haloFrames }: SeparationJob,
  o: { backend: Backend; model: SeparationModel; samples: number },
): number | Promise<number> {
  if (haloFrames !== undefined) return haloFrames
  return o.samples <= o.model.widthSamples ? 0 : measureHalo(o.backend, o.model)
}

/** Stream the recording through the open model into the sound files. */
async function separateInto(job: SeparationJob, { mix, backend, model, haloFrames }: Opened) {
  const { recording, sampleRate } = job
  refuseSilent(mix, recording.mix)
  refuseOverwriting(job, model.sources)
  makeFolder(job.folder)
  const startedMs = performance.now()
  const references = recording.references?.length === model.sources ? recording.references : null
  const samples = mix.totalSamples
  const { folder, rescales = false } = job
  using outputs = openOutputs({ folder, sampleRate, samples, sources: model.sources, references, rescales })
  const times = await separate({
    backend,
    model,
    haloFrames,
    source: mix,
    signal: job.signal,
    onBlock: outputs.push,
    ...(job.onWindow ? { onWindow: job.onWindow } : {}),
  })
  // The sound is there by now: a sensor that does not answer takes nothing away.
  const vitals = (await backend.vitals?.().catch(() => null)) ?? null
  const finished = outputs.finish()
  const wallMs = performance.now() - startedMs - times.configureMs
  const audioMs = (samples / sampleRate) * 1000
  return { finished, ofOutcome: outcomeFacts({ times, finished, vitals, wallMs, audioMs, references }) }
}

const recordingFacts = (mix: MonoSource) => ({
  input_samples: mix.totalSamples,
  recording_rate: mix.info.sampleRate,
  recording_channels: mix.info.channels,
  mixdown: mix.mixdown,
  resampling: mix.resampling,
})

const streamFacts = (model: SeparationModel, haloSamples: number) => ({
  input_stream: model.input.name,
  output_stream: model.outputs.map(({ name }) => name).join(','),
  sources: model.sources,
  window_samples: model.widthSamples,
  halo_samples: haloSamples,
  zero_inputs: Object.keys(model.zeros),
})

interface Outcome {
  readonly vitals: Vitals | null
  readonly times: SeparationTimes
  readonly finished: FinishedOutputs
  readonly wallMs: number
  readonly audioMs: number
  readonly references: readonly string[] | null
}

function outcomeFacts({ times, finished, vitals, wallMs, audioMs, references }: Outcome) {
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
    temperature_c: vitals?.temperatureC ?? null,
    power_w: vitals?.powerW ?? null,
    mixture_consistency_db: finished.consistencyDb,
    quietest_source_db: finished.quietestDb,
    source_likeness: finished.likeness,
    source_gains: finished.sourceGains,
    clipped_samples: finished.clippedSamples,
    mix_clipped_samples: finished.mixClippedSamples,
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
  const hint = 'send the sound elsewhere: monolithic-infer --audio-dir FOLDER, or OUT_DIR'
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
