/**
 * Runs one rung: prepare, parse, optimise, compile, and write down how it went.
 *
 * A case has a folder of its own, because vendor logs collide otherwise. Which cases run, and when to stop, is
 * `ladder.ts`; what is kept on disk of a finished case is `record.ts`.
 */
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { RunbookError } from '../base/errors.ts'
import { sha256, sha256File, sha256Json } from '../host/digest.ts'
import { makeFolder, writeFileAtomic } from '../host/files.ts'
import { classifyFailure } from '../failure/classify.ts'
import { writeCalibration } from '../compile/calibration-file.ts'
import type { Artifact, CalibrationFile, StageOptions, Toolchain } from '../compile/toolchain.ts'
import type { Cache } from './cache.ts'
import { writeFailure } from './failure-file.ts'
import { copyCase, readCase, writeCase } from './record.ts'
import {
  isOfMachine,
  noFiles,
  type CaseFiles,
  type CaseResult,
  type CaseStage,
  type LadderCase,
  type PreparedCase,
} from './types.ts'

/** With what a case is run. */
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

/** How far a case came, and what it left. */
type CaseEnd = Partial<CaseResult> & Pick<CaseResult, 'files'>

/**
 * Run one case in `folder`.
 * @returns how it went; a failure of the case is a result
 * @throws RunbookError blocked for a full disk or an absent program; whatever else `prepare` throws than usage
 */
export async function runCase<Config>(
  rung: LadderCase<Config>,
  folder: string,
  run: CaseRun,
): Promise<CaseResult<Config>> {
  const startedMs = performance.now()
  makeFolder(folder)
  const { tag, config } = rung
  const result = (end: CaseEnd): CaseResult<Config> => ({
    status: 'failed',
    stage: null,
    exceptionType: '',
    failureHead: '',
    failure: null,
    metrics: {},
    durationMs: Math.round(performance.now() - startedMs),
    key: null,
    origin: 'ran',
    ...end,
    tag,
    config,
  })
  const made = await makeReady(rung, folder, run.toolchain)
  if (!('prepared' in made)) return finish(folder, result(made))
  const { prepared, onnx, calibration } = made
  const key = keyOf(made, run)
  const known = takeOver(run.earlier, { key, folder, timeoutMs: run.timeoutMs }) ?? fromCache(run.cache, key, folder)
  if (known) return finish(folder, { ...known, tag, config })

  const end = await runStages(tag, folder, { run, prepared, calibration, onnx, startedMs })
  const done = finish(folder, result({ key, ...end }))
  run.cache?.put(key, folder, done)
  return done
}

interface ReadyCase {
  readonly prepared: PreparedCase
  readonly onnx: Artifact
  readonly calibration: CalibrationFile
}

/** Prepare a case and write its graph and its calibration; a usage error of either is the case's failure. */
async function makeReady(rung: LadderCase, folder: string, toolchain: Toolchain): Promise<ReadyCase | CaseEnd> {
  const files = { ...noFiles, onnx: `${rung.tag}.onnx` }
  try {
    const prepared = await rung.prepare()
    const onnx = writeGraph(prepared, join(folder, files.onnx))
    const calibration = await writeCalibration(folder, {
      inputs: prepared.inputs.map(({ name }) => name),
      samples: prepared.samples(),
      layout: toolchain.calibrationLayout,
    })
    return { prepared, onnx, calibration }
  } catch (thrown) {
    if (!(thrown instanceof RunbookError) || thrown.exit !== 'usage') throw thrown
    return writeFailure(rung.tag, folder, classifyFailure(thrown.message), files)
  }
}

/** A given file stays where it is; its digest is then made of its content and of what it refers to. */
function writeGraph({ onnx, externalFiles = [] }: PreparedCase, path: string): Artifact {
  if (typeof onnx !== 'string') {
    writeFileAtomic(path, onnx)
    return { path, sha256: sha256(onnx) }
  }
  const digests = [onnx, ...externalFiles].map(sha256File)
  return { path: onnx, sha256: digests.length === 1 ? digests[0]! : sha256(digests.join()) }
}

/** Digest of everything that decides the outcome. `form` rises when the shape of `CaseResult` changes. */
const keyOf = ({ prepared, onnx, calibration }: ReadyCase, run: CaseRun): string =>
  sha256Json({
    form: 2,
    onnx: onnx.sha256,
    calibration: calibration.sha256,
    outputs: prepared.outputs,
    modelScript: prepared.modelScript,
    description: prepared.description ?? null,
    hwArch: run.hwArch,
    toolchain: run.toolchain.name,
    version: run.toolchainVersion,
  })

/**
 * The same case as an earlier run finished it, with its files; the earlier run stays as it is. What failed because of
 * the machine is tried again, and so is what ran out of time when there is more of it now.
 */
function takeOver(earlier: string | null, o: { key: string; folder: string; timeoutMs: number }): CaseResult | null {
  const result = earlier === null ? null : readCase(earlier)
  if (earlier === null || result?.key !== o.key) return null
  if (result.status === 'timed-out' && o.timeoutMs > (result.metrics.timeoutMs ?? 0)) return null
  if (result.status === 'failed' && isOfMachine(result.failure?.bucket)) return null
  return copyCase(earlier, o.folder) === null ? null : { ...result, origin: 'resume' }
}

function fromCache(cache: Cache | null, key: string, folder: string): CaseResult | null {
  const result = cache?.get(key, folder) ?? null
  return result === null ? null : { ...result, origin: 'cache' }
}

interface StageRun extends ReadyCase {
  readonly run: CaseRun
  readonly startedMs: number
}

const stages = [
  { act: 'parse', gives: 'parsed' },
  { act: 'optimize', gives: 'quantised' },
  { act: 'compile', gives: 'compiled' },
] as const

/** Parse, optimise, compile; the first stage that fails ends the case. */
async function runStages(tag: string, folder: string, { run, prepared, ...ready }: StageRun): Promise<CaseEnd> {
  const name = (path: string) => (path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path)
  const files: { -readonly [K in keyof CaseFiles]: string } = { ...noFiles, onnx: name(ready.onnx.path) }
  const metrics: Record<string, number> = { timeoutMs: Math.round(run.timeoutMs), ...prepared.facts }
  let stage: CaseStage | null = null
  let artifact = ready.onnx
  for (const { act, gives } of stages) {
    const log =
      act === 'parse' ? (files.parseLog = `${tag}.log`) : (files.compileLog = `${tag}_${run.toolchain.product}.log`)
    const options: StageOptions = {
      folder,
      netName: tag,
      hwArch: run.hwArch,
      calibration: ready.calibration,
      signal: run.signal,
      logFile: join(folder, log),
      inputs: prepared.inputs,
      outputs: prepared.outputs,
      modelScript: prepared.modelScript,
      timeoutMs: Math.max(1, run.timeoutMs - (performance.now() - ready.startedMs)),
      ...(run.onLine ? { onLine: run.onLine } : {}),
    }
    const outcome = await run.toolchain[act](artifact, options)
    metrics[`${act}Ms`] = Math.round(outcome.durationMs)
    if (!outcome.ok) {
      const status = ({ timeout: 'timed-out', interrupted: 'interrupted' } as const)[outcome.stopped!] ?? 'failed'
      return { ...writeFailure(tag, folder, outcome.failure, files), status, stage, metrics }
    }
    Object.assign(metrics, outcome.metrics)
    artifact = outcome.artifact
    files[gives] = name(artifact.path)
    stage = gives
  }
  if (prepared.description)
    writeFileAtomic(`${artifact.path}.json`, `${JSON.stringify(prepared.description, null, 2)}\n`)
  return { status: 'succeeded', stage, files, metrics }
}

function finish<R extends CaseResult>(folder: string, result: R): R {
  if (result.status !== 'interrupted') writeCase(folder, result)
  return result
}
