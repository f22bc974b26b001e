/**
 * Builds TensorRT engines with trtexec: flags that this trtexec has, profiles of the contract, a hard time limit, and a
 * report also of failure.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { blockedError, usageError } from '../../../base/errors.ts'
import { fileKind, fileKindBytes } from '../../../formats/file-kind.ts'
import { classifyFailure } from '../../../failure/classify.ts'
import { sha256File } from '../../../host/digest.ts'
import { exec } from '../../../host/exec.ts'
import { makeFolder, readHead } from '../../../host/files.ts'
import { findProgram } from '../../../host/program.ts'
import type { ParakeetContract } from '../contract/read.ts'
import type { ModelMeta } from '../model/meta.ts'
import type { Precision } from '../parity/precisions.ts'

/** A trtexec, with its version and the flags that its help names. */
export interface Trtexec {
  readonly path: string
  /** `10.16.0`; empty where it does not say. */
  readonly version: string
  readonly major: number
  readonly flags: ReadonlySet<string>
}

/** Components that become engines. */
export const engineComponents = ['encoder', 'encoder_streaming', 'predictor', 'joint'] as const
/** One of them. */
export type EngineComponent = (typeof engineComponents)[number]

/** How building one engine ended. */
export interface EngineBuild {
  readonly component: EngineComponent
  readonly command: readonly string[]
  readonly ok: boolean
  readonly seconds: number
  readonly plan: string | null
  readonly bytes: number
  readonly sha256: string
  readonly bucket: string
  readonly evidence: string
  readonly fix: string
}

const probeMs = 60_000

/**
 * Find trtexec and ask it for its version and flags.
 * @throws RunbookError blocked when it is absent, or says nothing
 */
export async function probeTrtexec(name: string, logFile: string, signal?: AbortSignal): Promise<Trtexec> {
  const path = findProgram(name)
  await exec([path, '--help'], { logFile, timeoutMs: probeMs, ...(signal && { signal }) })
  const text = readFileSync(logFile, 'utf8')
  const flags = new Set([...text.matchAll(/--([A-Za-z][A-Za-z0-9]*)/g)].map(match => match[1]!))
  if (!flags.has('onnx') || !flags.has('saveEngine'))
    throw blockedError(`Cannot build with "${path}": its help names no --onnx`, `run ${path} --help`)
  // The banner is `[TensorRT v101600]`: one or two digits of major, two of minor, two of patch.
  const digits = /TensorRT[^\d]*v?(\d{4,6})\b/.exec(text)?.[1] ?? ''
  const major = digits === '' ? 0 : Number(digits.slice(0, -4))
  const version = digits === '' ? '' : `${major}.${Number(digits.slice(-4, -2))}.${Number(digits.slice(-2))}`
  return { path, version, major, flags }
}

/** Shapes of the dynamic inputs of a component: the least, the usual and the most. */
export type Profile = Readonly<Record<string, readonly [readonly number[], readonly number[], readonly number[]]>>

/** The profile of a component, from the contract and the model's own sizes. */
export function profileOf(component: EngineComponent, meta: ModelMeta, { engines }: ParakeetContract): Profile {
  const { n_layers: layers, d_model: width } = meta.encoder
  const { pred_hidden: hidden, pred_rnn_layers: depth } = meta.predictor
  const bins = meta.features.n_mels
  const same = (...shape: number[]) => [shape, shape, shape] as const
  if (component === 'encoder') {
    const { frames_min: least, frames_opt: usual, frames_max: most } = engines.encoder
    return {
      audio_signal: [
        [1, bins, least],
        [1, bins, usual],
        [1, bins, most],
      ],
      length: same(1),
    }
  }
  if (component === 'encoder_streaming') {
    const { streaming } = meta
    if (streaming === null)
      throw usageError('Cannot profile "encoder_streaming": the meta has no schedule', 'export again')
    const most = streaming.chunk_size[1] + streaming.pre_encode_cache_size[1]
    return {
      audio_signal: [
        [1, bins, streaming.chunk_size[0]],
        [1, bins, most],
        [1, bins, most],
      ],
      length: same(1),
      cache_last_channel: same(1, layers, streaming.cache_size, width),
      cache_last_time: same(1, layers, width, streaming.time_ctx),
      cache_last_channel_len: same(1),
    }
  }
  if (component === 'predictor') return { y: same(1, 1), h: same(depth, 1, hidden), c: same(depth, 1, hidden) }
  const most = engines.joint.frames_max
  return {
    encoder: [
      [1, 1, width],
      [1, 1, width],
      [1, most, width],
    ],
    g: same(1, 1, hidden),
  }
}

/**
 * The command for one engine.
 * @throws RunbookError blocked when this trtexec cannot build the precision
 */
export function buildCommand(
  trtexec: Trtexec,
  o: { onnx: string; plan: string; precision: Precision; profile: Profile; timingCache: string },
): string[] {
  const shapes = (which: 0 | 1 | 2) =>
    Object.entries(o.profile)
      .map(([name, shape]) => `${name}:${shape[which].join('x')}`)
      .join(',')
  const words = [
    trtexec.path,
    `--onnx=${o.onnx}`,
    `--saveEngine=${o.plan}`,
    `--minShapes=${shapes(0)}`,
    `--optShapes=${shapes(1)}`,
    `--maxShapes=${shapes(2)}`,
  ]
  const optional = (flag: string, word = `--${flag}`) => (trtexec.flags.has(flag) ? [word] : [])
  return [
    ...words,
    ...optional('timingCacheFile', `--timingCacheFile=${o.timingCache}`),
    ...optional('skipInference'),
    // TF32 keeps ten bits of mantissa, which the float32 tolerances do not allow.
    ...(o.precision === 'fp32' ? optional('noTF32') : precisionFlags(trtexec, o.precision)),
  ]
}

function precisionFlags(trtexec: Trtexec, precision: Exclude<Precision, 'fp32'>): string[] {
  if (trtexec.flags.has(precision)) return [`--${precision}`]
  // Networks are strongly typed from TensorRT 11 on: the ONNX file itself says which precision it has.
  if (trtexec.major >= 11) return []
  throw blockedError(
    `Cannot build ${precision} engines with "${trtexec.path}": it has no --${precision}`,
    'use another trtexec',
  )
}

/** Build one engine. A failure is an answer, with its bucket. */
export async function buildEngine(
  component: EngineComponent,
  command: readonly string[],
  o: { plan: string; logFile: string; timeoutMs: number; signal?: AbortSignal; onLine?: (line: string) => void },
): Promise<EngineBuild> {
  const startedMs = performance.now()
  const { exitCode, timedOut, signal } = await exec(command, {
    logFile: o.logFile,
    timeoutMs: o.timeoutMs,
    ...(o.signal && { signal: o.signal }),
    ...(o.onLine && { onLine: o.onLine }),
  })
  const seconds = (performance.now() - startedMs) / 1000
  const kind = existsSync(o.plan) ? fileKind(readHead(o.plan, fileKindBytes))?.id : undefined
  const ok = exitCode === 0 && kind === 'plan'
  const base = { component, command, seconds }
  if (ok) {
    const facts = { plan: o.plan, bytes: statSync(o.plan).size, sha256: sha256File(o.plan) }
    return { ...base, ok, ...facts, bucket: '', evidence: '', fix: '' }
  }
  const failure = classifyFailure(readFileSync(o.logFile, 'utf8'), { exitCode, timedOut, signal })
  const isEmpty = exitCode === 0
  return {
    ...base,
    ok,
    plan: null,
    bytes: 0,
    sha256: '',
    bucket: isEmpty ? 'no_plan' : failure.bucket,
    evidence: isEmpty ? `trtexec ended well, and ${o.plan} is ${kind ?? 'absent'}` : failure.evidence,
    fix: failure.fix,
  }
}

/**
 * Where the graphs of a precision come from. On TensorRT 11 and newer, a lower one needs graphs that were converted.
 */
export function onnxFolderFor(
  trtexec: Trtexec,
  precision: Precision,
  { modelDir, halfDir }: { modelDir: string; halfDir: string | undefined },
): string {
  if (precision === 'fp32' || trtexec.major < 11) return modelDir
  if (halfDir !== undefined) return halfDir
  throw blockedError(
    `Cannot build ${precision} engines with TensorRT ${trtexec.version}: it takes the precision from the ONNX file`,
    'convert the graphs and give --half-dir',
  )
}

/** Where the plan of a component goes. */
export const planPath = (folder: string, component: EngineComponent): string =>
  join(makeFolder(folder), `${component}.plan`)
