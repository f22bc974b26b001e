/**
 * Keeps `runtime_metrics.json`, and writes it on every way out.
 *
 * The plan's keys, then ours, always all of them: null says that it never came to that, or that the number is not
 * finite. Paths in it are as they were given.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../../../host/files.ts'
import { asError, RunbookError } from '../../../base/errors.ts'
import { monolithicContract } from '../contract.ts'

/** The file that the metrics are written to. */
export const metricsName = monolithicContract().files.runtimeMetrics

/** The metrics of a separation that ended well. */
export interface RuntimeMetrics {
  readonly ok: boolean
  /** Why not, in one sentence; `interrupted (SIGINT)` when somebody stopped it. */
  readonly reason: string | null
  /** What helps, a command or a flag. */
  readonly hint: string | null
  /** The model, of whatever kind. */
  readonly hef: string
  readonly mix_wav: string
  readonly device_info: string
  /** What is worth knowing of this model on this device. */
  readonly warnings: readonly string[]
  /** Of the device after the last window; null where it does not tell. */
  readonly temperature_c: number | null
  readonly power_w: number | null
  /** Samples of the mixture at `sample_rate`. */
  readonly input_samples: number
  /** Samples of each source. */
  readonly output_samples: number
  readonly output_samples_src1: number
  readonly output_samples_src2: number
  readonly sample_rate: number
  readonly input_stream: string
  readonly output_stream: string
  /** The model alone, median over windows. */
  readonly latency_ms: number
  readonly latency_ms_p50: number
  readonly latency_ms_p95: number
  /** Reading the model and opening a session. */
  readonly load_ms: number
  /** The first inference, of silence. */
  readonly configure_ms: number
  /** The model alone, sum over windows. */
  readonly infer_ms: number
  /** `infer_ms` over the recording's length. */
  readonly rtf: number
  /** The same with reading, resampling, joining, drawing and writing, but without `load_ms` and `configure_ms`. */
  readonly rtf_wall: number
  readonly windows: number
  /** Samples of one window, and how many at each of its edges were thrown away. */
  readonly window_samples: number
  readonly halo_samples: number
  readonly sources: number
  /** Inputs of the model that were fed zeros because another one was chosen. */
  readonly zero_inputs: readonly string[]
  readonly recording_rate: number
  readonly recording_channels: number
  readonly mixdown: string
  readonly resampling: string
  /** How well the sources add up to the mixture as the model gave them, in dB. */
  readonly mixture_consistency_db: number
  /** Power of the quietest source, without its mean, against that of the mixture, in dB; -200 for silence. */
  readonly quietest_source_db: number
  /** The largest correlation of two sources; null where there is one source, or a silent one. */
  readonly source_likeness: number | null
  /** What each source was multiplied with so that they add up to the mixture best; null when they were left alone. */
  readonly source_gains: readonly number[] | null
  /** Samples beyond full scale in the files that were written. */
  readonly clipped_samples: number
  /** Those of them that the recording itself has. */
  readonly mix_clipped_samples: number
  readonly references: readonly string[] | null
  /** In the order of the references; `permutation[i]` is the index of the source that answers reference i. */
  readonly si_sdr_db: readonly number[] | null
  readonly input_si_sdr_db: readonly number[] | null
  readonly si_sdri_db: number | null
  readonly permutation: readonly number[] | null
  /** The sound files that this run wrote, by name. */
  readonly files: readonly string[]
}

/** What is known so far. */
export type KnownMetrics = { -readonly [K in keyof RuntimeMetrics]?: RuntimeMetrics[K] }

/** The metrics of a separation that did not end well. */
export type FailedMetrics = { readonly [K in keyof RuntimeMetrics]: RuntimeMetrics[K] | null }

const noMetrics: FailedMetrics = {
  ok: false,
  reason: null,
  hint: null,
  hef: null,
  mix_wav: null,
  device_info: null,
  warnings: null,
  temperature_c: null,
  power_w: null,
  input_samples: null,
  output_samples: null,
  output_samples_src1: null,
  output_samples_src2: null,
  sample_rate: null,
  input_stream: null,
  output_stream: null,
  latency_ms: null,
  latency_ms_p50: null,
  latency_ms_p95: null,
  load_ms: null,
  configure_ms: null,
  infer_ms: null,
  rtf: null,
  rtf_wall: null,
  windows: null,
  window_samples: null,
  halo_samples: null,
  sources: null,
  zero_inputs: null,
  recording_rate: null,
  recording_channels: null,
  mixdown: null,
  resampling: null,
  mixture_consistency_db: null,
  quietest_source_db: null,
  source_likeness: null,
  source_gains: null,
  clipped_samples: null,
  mix_clipped_samples: null,
  references: null,
  si_sdr_db: null,
  input_si_sdr_db: null,
  si_sdri_db: null,
  permutation: null,
  files: [],
}

/** Everything that is known, and why it ended. A signal that has aborted explains any error. */
export function failedMetrics(known: KnownMetrics, thrown: unknown, signal?: AbortSignal): FailedMetrics {
  const error = asError(thrown)
  const isInterrupted = signal?.aborted === true || (error instanceof RunbookError && error.exit === 'interrupted')
  const how = typeof signal?.reason === 'string' ? ` (${signal.reason})` : ''
  return {
    ...noMetrics,
    ...known,
    ok: false,
    files: [],
    reason: isInterrupted ? `interrupted${how}` : error.message,
    hint: isInterrupted ? 'run the same command again' : error instanceof RunbookError ? error.hint : null,
  }
}

/**
 * Write the metrics into each folder, trying all of them.
 *
 * @throws RunbookError blocked, the first one met
 */
export function writeMetrics(folders: readonly string[], metrics: RuntimeMetrics | FailedMetrics): void {
  const text = `${JSON.stringify({ ...noMetrics, ...metrics }, null, 2)}\n`
  const errors: unknown[] = []
  for (const folder of new Set(folders)) {
    try {
      writeFileAtomic(join(folder, metricsName), text)
    } catch (thrown) {
      errors.push(thrown)
    }
  }
  if (errors.length > 0) throw errors[0]
}

/**
 * Do a step of a separation; when it fails, the metrics of all that is `known` by then say so before the error goes on.
 * A folder that cannot be written takes nothing away: the step's own error is the one that is thrown.
 */
export async function orFailedMetrics<T>(
  o: { folders: readonly string[]; known: KnownMetrics; signal?: AbortSignal },
  work: () => T | Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    try {
      writeMetrics(o.folders, failedMetrics(o.known, thrown, o.signal))
    } catch {
      // The folder is what failed, or it fails as well; the step's error says more.
    }
    throw thrown
  }
}

/**
 * What a run that was killed leaves: why, unless it had written its metrics before, and no sound that was half written.
 *
 * @throws RunbookError as `writeMetrics`
 */
export function killedMetrics(folders: readonly string[], reason: string): void {
  const [first] = folders
  for (const folder of folders) for (const name of halfWritten(folder)) rmSync(join(folder, name), { force: true })
  if (first === undefined || existsSync(join(first, metricsName))) return
  writeMetrics(folders, failedMetrics({}, new Error(reason)))
}

/** Files whose writer, whose number their name holds, is no more. */
function halfWritten(folder: string): string[] {
  const names = existsSync(folder) ? readdirSync(folder) : []
  return names.filter(name => {
    const writer = /\.(\d+)-\d+\.tmp$/.exec(name)?.[1]
    return writer !== undefined && !isAlive(Number(writer))
  })
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM'
  }
}
