/**
 * What happened to one rung? Author, parse, optimise, compile, and write down how it went.
 *
 * A case has a folder of its own, because vendor logs collide otherwise. `case.json` is written last and whole: a case
 * with one
 * is finished, whatever happens to the run. Which cases run, and when to stop, is `ladder.ts`.
 */
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { sha256File, sha256Json } from '../host/digest.ts'
import { filesIn, makeFolder, readFile, share, writeFileAtomic } from '../host/files.ts'
import { asError, RunbookError } from '../base/errors.ts'
import { passingBuckets, type Cache } from './cache.ts'
import { classifyFailure, type Failure } from '../failure/classify.ts'
import type { CaseConfig } from '../systems/monolithic/search/next-knob.ts'
import type { Artifact, CalibrationFile, Stage, StageOptions, Toolchain } from '../compile/toolchain.ts'

/** A rung made ready: its graph's bytes and what the stages need to know. */
export interface PreparedCase {
  readonly onnx: Uint8Array
  readonly inputName: string
  readonly inputShape: readonly number[]
  readonly endNodes: readonly string[]
  readonly modelScript: string
  /**
   * Write the calibration file into the case's folder. Errors: usage (`calibration_shape`) when the data does not fit.
   */
  writeCalibration(folder: string, layout: Toolchain['calibrationLayout']): CalibrationFile
}

/** One rung of a ladder, before anything is done about it. */
export interface LadderCase {
  readonly tag: string
  readonly config: CaseConfig
  prepare(): PreparedCase | Promise<PreparedCase>
}

export type CaseStatus = 'succeeded' | 'failed' | 'timed-out' | 'interrupted' | 'not-reached'

/** Paths in the case's folder; empty where nothing was made. */
export interface CaseFiles {
  readonly onnx: string
  readonly har: string
  readonly hef: string
  readonly harLog: string
  readonly hefLog: string
  readonly failureLog: string
}

/** How a case went. Paths are relative to the case's folder; empty where nothing was made. */
export interface CaseResult {
  readonly tag: string
  readonly config: CaseConfig
  readonly status: CaseStatus
  readonly harSuccess: boolean
  readonly hefSuccess: boolean
  readonly exceptionType: string
  /** At most 500 characters. */
  readonly failureHead: string
  readonly failure: Failure | null
  readonly files: CaseFiles
  readonly metrics: Readonly<Record<string, number>>
  readonly durationMs: number
  /** Digest of everything that decides the outcome; null when the case failed before it was known. */
  readonly key: string | null
  readonly origin: 'ran' | 'cache' | 'resume'
}

export const noFiles: CaseFiles = { onnx: '', har: '', hef: '', harLog: '', hefLog: '', failureLog: '' }

export interface CaseRun {
  readonly toolchain: Toolchain
  /** Part of what decides the outcome. */
  readonly toolchainVersion: string | null
  readonly hwArch: string
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly onLine?: (line: string) => void
  /** Where outcomes are kept for later runs; null to keep none. */
  readonly cache: Cache | null
  /** This case's folder in an earlier run that is resumed; null for none. */
  readonly earlier: string | null
}

/** Run one case in `folder`. Never throws for a failure of the case; throws for a full disk and for bugs. */
export async function runCase(rung: LadderCase, folder: string, run: CaseRun): Promise<CaseResult> {
  const startedMs = performance.now()
  makeFolder(folder)
  const files = { ...noFiles, onnx: `${rung.tag}.onnx` }
  const result = (end: Partial<CaseResult>): CaseResult => ({
    tag: rung.tag,
    config: rung.config,
    status: 'failed',
    harSuccess: false,
    hefSuccess: false,
    exceptionType: '',
    failureHead: '',
    failure: null,
    files,
    metrics: {},
    durationMs: Math.round(performance.now() - startedMs),
    key: null,
    origin: 'ran',
    ...end,
  })
  let prepared: PreparedCase
  let calibration: CalibrationFile
  try {
    prepared = await rung.prepare()
    writeFileAtomic(join(folder, files.onnx), prepared.onnx)
    calibration = prepared.writeCalibration(folder, run.toolchain.calibrationLayout)
  } catch (thrown) {
    if (!(thrown instanceof RunbookError) || thrown.exit !== 'usage') throw thrown
    return finish(folder, result(failureOf(rung.tag, folder, classifyFailure(thrown.message), files)))
  }
  const onnx: Artifact = { path: join(folder, files.onnx), sha256: sha256File(join(folder, files.onnx)) }
  const key = sha256Json({
    onnx: onnx.sha256,
    calibration: calibration.sha256,
    modelScript: prepared.modelScript,
    hwArch: run.hwArch,
    toolchain: run.toolchain.name,
    version: run.toolchainVersion,
  })
  const known = takeOver(run.earlier, { key, folder, timeoutMs: run.timeoutMs }) ?? run.cache?.get(key, folder)
  if (known) return finish(folder, { ...known, tag: rung.tag, config: rung.config })

  const { end, metrics } = await runStages(rung.tag, folder, { run, prepared, calibration, onnx, startedMs })
  const done = finish(folder, result({ key, metrics, ...end }))
  run.cache?.put(key, folder, done)
  return done
}

/**
 * The same case as an earlier run finished it, with its files; the earlier run stays as it is. What failed because of
 * the machine
 * is tried again, and so is what ran out of time when there is more of it now.
 */
function takeOver(earlier: string | null, o: { key: string; folder: string; timeoutMs: number }): CaseResult | null {
  const result = earlier === null ? null : readCase(earlier)
  if (earlier === null || result?.key !== o.key) return null
  if (result.status === 'timed-out' && o.timeoutMs > (result.metrics.timeoutMs ?? 0)) return null
  if (result.status === 'failed' && passingBuckets.has(result.failure?.bucket ?? '')) return null
  for (const name of filesIn(earlier).filter(name => name !== 'case.json'))
    share(join(earlier, name), join(o.folder, name))
  return { ...result, origin: 'resume' }
}

interface StageRun {
  readonly run: CaseRun
  readonly prepared: PreparedCase
  readonly calibration: CalibrationFile
  readonly onnx: Artifact
  readonly startedMs: number
}

/** Parse, optimise, compile; the first stage that fails ends the case. */
async function runStages(tag: string, folder: string, { run, prepared, calibration, onnx, startedMs }: StageRun) {
  const files = { ...noFiles, onnx: `${tag}.onnx`, harLog: `${tag}.log` }
  const metrics: Record<string, number> = { timeoutMs: Math.round(run.timeoutMs) }
  const stages = [
    { stage: 'parse', log: `${tag}.log` },
    { stage: 'optimize', log: `${tag}_hef.log` },
    { stage: 'compile', log: `${tag}_hef.log` },
  ] as const
  let artifact = onnx
  for (const { stage, log } of stages) {
    if (stage !== 'parse') files.hefLog = log
    const options: StageOptions = {
      folder,
      netName: tag,
      hwArch: run.hwArch,
      calibration,
      signal: run.signal,
      logFile: join(folder, log),
      inputName: prepared.inputName,
      inputShape: prepared.inputShape,
      endNodes: prepared.endNodes,
      modelScript: prepared.modelScript,
      timeoutMs: Math.max(1, run.timeoutMs - (performance.now() - startedMs)),
      ...(run.onLine ? { onLine: run.onLine } : {}),
    }
    const outcome: Stage = await run.toolchain[stage](artifact, options)
    metrics[`${stage}Ms`] = Math.round(outcome.durationMs)
    const harSuccess = files.har !== ''
    if (!outcome.ok) {
      const status: CaseStatus =
        outcome.stopped === 'timeout' ? 'timed-out' : outcome.stopped === 'interrupted' ? 'interrupted' : 'failed'
      return { end: { ...failureOf(tag, folder, outcome.failure, files), status, harSuccess }, metrics }
    }
    Object.assign(metrics, outcome.metrics)
    artifact = outcome.artifact
    const name = artifact.path.startsWith(`${folder}/`) ? artifact.path.slice(folder.length + 1) : artifact.path
    if (stage === 'parse') files.har = name
    if (stage === 'compile') files.hef = name
  }
  return { end: { status: 'succeeded' as const, harSuccess: true, hefSuccess: true, files }, metrics }
}

/** Write `<tag>_compile_failure.txt` and its JSON, and what the row says of them. */
function failureOf(tag: string, folder: string, failure: Failure, files: CaseFiles): Partial<CaseResult> {
  const failureLog = `${tag}_compile_failure.txt`
  const head = [`exception_type: ${failure.exceptionType}`, `bucket: ${failure.bucket}`, `cause: ${failure.cause}`]
  writeFileAtomic(join(folder, failureLog), `${head.join('\n')}\n\n${failure.evidence}\n`)
  const { negativeExponent: slope } = failure
  const json = {
    exception_type: failure.exceptionType,
    exception_message: failure.evidence,
    signature: failure.bucket,
    negexp: slope ? { layer: slope.layer, desired_shift: slope.desiredShift, data_bits: slope.dataBits } : null,
    reshape_layers: failure.reshapeLayers,
    counters: failure.counters,
    layers: failure.layers,
    layer_family: failure.layerFamily,
    milestone: failure.milestone,
    cause: failure.cause,
  }
  writeFileAtomic(join(folder, `${failureLog}.json`), `${JSON.stringify(json, null, 2)}\n`)
  return {
    exceptionType: failure.exceptionType,
    failureHead: failure.evidence.slice(0, 500),
    failure,
    files: { ...files, failureLog },
  }
}

function finish(folder: string, result: CaseResult): CaseResult {
  if (result.status !== 'interrupted')
    writeFileAtomic(join(folder, 'case.json'), `${JSON.stringify(result, null, 2)}\n`)
  return result
}

/**
 * The result of a case that was finished in `folder`, or null. A half-written or foreign `case.json` counts as absent.
 */
export function readCase(folder: string): CaseResult | null {
  try {
    const value = JSON.parse(readFile(join(folder, 'case.json')).toString('utf8')) as CaseResult
    return typeof value.tag === 'string' && typeof value.status === 'string' ? value : null
  } catch (thrown) {
    if (asError(thrown) instanceof SyntaxError || thrown instanceof RunbookError) return null
    throw thrown
  }
}
