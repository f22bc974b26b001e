/**
 * What does a model make of one recording? Two sound files, a page of numbers, and pictures.
 *
 * Opens the model, streams the recording through it and writes `mix.wav`, `sep_src1.wav`, `sep_src2.wav` and
 * `runtime_metrics.json`. When anything fails the metrics are written all the same, with `ok` false and the reason.
 */
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { createWav, type WavWriter } from '../formats/wav.ts'
import { makeFolder, writeFileAtomic } from '../host/files.ts'
import { asError, usageError } from '../notebook/errors.ts'
import { SeparationScore, type SeparationResult } from '../signal/metrics.ts'
import { SnrSum } from '../signal/snr.ts'
import { Spectrogram, type SpectrogramResult } from '../signal/spectrogram.ts'
import { openBackend, type BackendName } from './backend.ts'
import { isSilent, openMono, type MonoSource } from './mono-source.ts'
import { separationModel, type Layout } from './separation-model.ts'
import { separate } from './separate.ts'
import type { Recording } from './pick-recording.ts'

export interface SeparationJob {
  readonly modelPath: string
  readonly backend: BackendName
  /** Stream names, where the model has several. */
  readonly input?: string | undefined
  readonly output?: string | undefined
  readonly recording: Recording
  /** Where the sound and the metrics go. */
  readonly folder: string
  readonly sampleRate: number
  readonly layout: Layout
  /** Frames at a window's edge that are thrown away; asked for when the recording has been opened. */
  readonly haloFrames: () => number
  readonly signal: AbortSignal
  readonly onWindow?: (done: number, total: number) => void
}

/** What stands in `runtime_metrics.json`: the plan's keys, then ours. */
export interface RuntimeMetrics {
  readonly ok: boolean
  readonly reason: string | null
  readonly hef: string
  readonly mix_wav: string
  readonly input_samples: number
  readonly output_samples: number
  readonly output_samples_src1: number
  readonly output_samples_src2: number
  readonly sample_rate: number
  /** Median over windows. */
  readonly latency_ms: number
  readonly latency_ms_p50: number
  readonly latency_ms_p95: number
  readonly load_ms: number
  readonly configure_ms: number
  readonly infer_ms: number
  /** Inference time over the recording's length. */
  readonly rtf: number
  /** The same with reading, resampling and writing. */
  readonly rtf_wall: number
  readonly windows: number
  readonly sources: number
  readonly input_stream: string
  readonly output_stream: string
  readonly device_info: string
  readonly resampling: string
  /** How well the sources add up to the mixture, in dB. */
  readonly mixture_consistency_db: number
  readonly clipped_samples: number
  readonly si_sdr_db: readonly number[] | null
  readonly input_si_sdr_db: readonly number[] | null
  readonly si_sdri_db: number | null
  readonly permutation: readonly number[] | null
}

export interface SeparatedRecording {
  readonly metrics: RuntimeMetrics
  readonly files: { readonly mix: string; readonly sources: readonly string[]; readonly metrics: string }
  readonly spectrograms: readonly { readonly title: string; readonly picture: SpectrogramResult }[]
}

/** Separate one recording. Errors as `openBackend`, `separationModel`, `openMono` and `separate`; metrics are on the disk by then. */
export async function separateRecording(job: SeparationJob): Promise<SeparatedRecording> {
  makeFolder(job.folder)
  const path = join(job.folder, 'runtime_metrics.json')
  try {
    const done = await run(job)
    writeFileAtomic(path, `${JSON.stringify(done.metrics, null, 2)}\n`)
    return { ...done, files: { ...done.files, metrics: path } }
  } catch (thrown) {
    const reason = asError(thrown).message
    const failed: Pick<RuntimeMetrics, 'ok' | 'reason' | 'hef' | 'mix_wav' | 'sample_rate'> = {
      ok: false, reason, hef: job.modelPath, mix_wav: job.recording.mix, sample_rate: job.sampleRate,
    }
    writeFileAtomic(path, `${JSON.stringify(failed, null, 2)}\n`)
    throw thrown
  }
}

async function run(job: SeparationJob) {
  const { recording, sampleRate } = job
  if (isSilent(recording.mix)) throw usageError(`Cannot separate "${recording.mix}": it is silent`, 'give a recording with two voices: --mix-wav FILE')
  using mix = openMono(recording.mix, sampleRate)
  const startedMs = performance.now()
  await using backend = await openBackend(job.backend, job.modelPath)
  const model = separationModel(backend, { ...job.layout, input: job.input, output: job.output })
  using outputs = openOutputs(job, { samples: mix.totalSamples, sources: model.sources })
  const times = await separate({
    backend, model, layout: job.layout, haloFrames: job.haloFrames(), source: mix, signal: job.signal, onBlock: outputs.push,
    ...(job.onWindow ? { onWindow: job.onWindow } : {}),
  })
  const wallMs = performance.now() - startedMs
  const { files, spectrograms, score, consistencyDb, clipped } = outputs.finish()
  const inferMs = times.latenciesMs.reduce((sum, ms) => sum + ms, 0)
  const audioMs = (times.samples / sampleRate) * 1000
  const p50 = quantile(times.latenciesMs, 0.5)
  const metrics: RuntimeMetrics = {
    ok: true, reason: null, hef: job.modelPath, mix_wav: recording.mix, input_samples: mix.totalSamples, output_samples: times.samples,
    output_samples_src1: times.samples, output_samples_src2: model.sources > 1 ? times.samples : 0, sample_rate: sampleRate,
    latency_ms: p50, latency_ms_p50: p50, latency_ms_p95: quantile(times.latenciesMs, 0.95), load_ms: backend.loadMs, configure_ms: times.configureMs, infer_ms: inferMs,
    rtf: inferMs / audioMs, rtf_wall: wallMs / audioMs, windows: times.windows, sources: model.sources, input_stream: model.input.name, output_stream: model.output.name,
    device_info: backend.device, resampling: mix.resampling, mixture_consistency_db: consistencyDb, clipped_samples: clipped,
    si_sdr_db: score?.siSdrDb ?? null, input_si_sdr_db: score?.inputSiSdrDb ?? null, si_sdri_db: score?.siSdriDb ?? null, permutation: score?.permutation ?? null,
  }
  return { metrics, files, spectrograms }
}

/** The smallest value that at least the share `q` of the values does not exceed. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? Number.NaN
}

/** Everything that drinks from the stream of blocks. */
function openOutputs(job: SeparationJob, o: { samples: number; sources: number }) {
  const { sampleRate } = job
  const names = ['mix', ...Array.from({ length: o.sources }, (_, i) => `sep_src${i + 1}`)]
  const paths = names.map(name => join(job.folder, `${name}.wav`))
  const writers: WavWriter[] = paths.map(path => createWav(path, { sampleRate, channels: 1, encoding: 'pcm16' }))
  const pictures = names.map(() => new Spectrogram({ sampleRate, totalSamples: o.samples }))
  const references = openReferences(job, o)
  const score = references ? new SeparationScore(o.sources) : null
  const consistency = new SnrSum()
  const push = (mix: Float32Array, sources: readonly Float32Array[]) => {
    for (const [i, samples] of [mix, ...sources].entries()) {
      writers[i]!.append([samples])
      pictures[i]!.push(samples)
    }
    consistency.push(sumOf(sources), mix)
    if (references) score?.push(mix, sources, references.map(reference => reference.read(mix.length)))
  }
  const finish = () => {
    for (const writer of writers) writer.close()
    const result: SeparationResult | null = score?.result() ?? null
    return {
      files: { mix: paths[0]!, sources: paths.slice(1) },
      spectrograms: names.map((title, i) => ({ title, picture: pictures[i]!.result() })),
      score: result, consistencyDb: consistency.db(),
      clipped: writers.slice(1).reduce((sum, writer) => sum + writer.clippedSamples, 0),
    }
  }
  return {
    push,
    finish,
    [Symbol.dispose]() {
      for (const open of [...writers, ...(references ?? [])]) open[Symbol.dispose]()
    },
  }
}

/** The clean voices; a reference of another length than the mixture is an error, not a silent cut. */
function openReferences(job: SeparationJob, o: { samples: number; sources: number }): MonoSource[] | null {
  const paths = job.recording.references
  if (paths === null || paths.length !== o.sources) return null
  const opened = paths.map(path => openMono(path, job.sampleRate))
  const odd = opened.findIndex(source => source.totalSamples !== o.samples)
  if (odd < 0) return opened
  throw usageError(
    `Cannot score against "${paths[odd]}": it has ${opened[odd]!.totalSamples} samples, the mixture ${o.samples}`,
    'cut both to the same length, or move the reference away',
  )
}

function sumOf(sources: readonly Float32Array[]): Float32Array {
  const sum = Float32Array.from(sources[0]!)
  for (const source of sources.slice(1)) for (let i = 0; i < sum.length; i++) sum[i]! += source[i]!
  return sum
}
