/**
 * Builds TensorRT engines: with the program trtexec, or through libnvinfer itself.
 *
 * Both ways run as a process of their own with a hard time limit, and neither is believed when it says that all went
 * well: the engine must be there, begin like a plan, and be of the version that the builder says it is. A failure is
 * classified from what was logged.
 *
 * @example One engine with whichever builder is wanted
 * ```ts ignore
 * const builder = await openEngineBuilder({ way: 'trtexec' })
 * const built = await builder.build(
 *   { onnx: 'm.onnx', plan: 'm.plan', precision: 'fp16', profile: { x: [[1, 3], [4, 3], [8, 3]] } },
 *   { folder: '.', logFile: 'm.log', timeoutMs: 3_600_000, signal },
 * )
 * if (!built.ok) console.log(built.failure.bucket, built.failure.fix)
 * ```
 */
import { appendFileSync, existsSync, rmSync, statSync } from 'node:fs'
import { planVersionOf } from '../../../ffi/tensorrt/plan-version.ts'
import { versionText } from '../../../ffi/tensorrt/abi/abi.ts'
import { classifyFailure, type Failure } from '../../failure/classify.ts'
import { fileError, readHead } from '../../host/files.ts'
import { failureFrom } from '../judged-failure.ts'
import { artifactOf, runStageCommand } from '../stage-command.ts'
import { buildCommand } from './command.ts'
import { mustBeOfPrecision } from './graph-precision.ts'
import { openLibraryBuilder } from './library.ts'
import { probeTrtexec } from './program.ts'
import type { BuilderWay, EngineBuilder, RawBuilder } from './types.ts'

export { builderWays, type BuilderWay, type EngineBuilder } from './types.ts'

/** Which builder is wanted. */
export interface BuilderOptions {
  readonly way: BuilderWay
  /** The program trtexec, a name on PATH or a path; `trtexec` when absent. */
  readonly trtexec?: string | undefined
  readonly signal?: AbortSignal
}

/**
 * Find a builder and ask it for its version.
 * @throws RunbookError blocked when it is absent, does not answer, or is of a version that is not known
 */
export async function openEngineBuilder(o: BuilderOptions): Promise<EngineBuilder> {
  if (o.way === 'ffi') return checked(await openLibraryBuilder())
  const trtexec = await probeTrtexec(o.trtexec ?? 'trtexec', o.signal && { signal: o.signal })
  const { path, version, major } = trtexec
  return checked({
    way: 'trtexec',
    where: path,
    version,
    major,
    commandOf: request => buildCommand(trtexec, request),
    run: (command, _, bounds) => runStageCommand(command, bounds),
  })
}

function checked(raw: RawBuilder): EngineBuilder {
  const { way, where, version, major } = raw
  return {
    way,
    where,
    version,
    major,
    commandOf: request => raw.commandOf(request),
    async build(request, o) {
      mustBeOfPrecision(request, raw)
      const command = raw.commandOf(request)
      removeOld(request.plan)
      const finished = await raw.run(command, request, o)
      if ('ok' in finished) return finished
      const { durationMs } = finished.result
      const wrong = whyNoPlan(finished.log, request.plan, version)
      if (wrong !== null) {
        appendText(o.logFile, `[E] ${wrong.evidence}\n`)
        return { ok: false, failure: wrong, stopped: null, durationMs }
      }
      const planBytes = statSync(request.plan).size
      return { ok: true, artifact: artifactOf(request.plan), metrics: { planBytes }, durationMs }
    },
  }
}

/** What was found goes into the log too, so that whoever reads the log alone finds it. */
function appendText(path: string, text: string): void {
  try {
    appendFileSync(path, text)
  } catch (thrown) {
    throw fileError('write the log', path, thrown)
  }
}

/** An older engine must never be taken for the new one. */
function removeOld(plan: string): void {
  try {
    rmSync(plan, { force: true })
  } catch (thrown) {
    throw fileError('replace', plan, thrown)
  }
}

/** Exit code 0, and what is wrong all the same; null when nothing is. */
function whyNoPlan(log: string, plan: string, version: string): Failure | null {
  if (/^&&&& FAILED/m.test(log)) return classifyFailure(log, { exitCode: 1 })
  const state = existsSync(plan) ? planVersionOf(readHead(plan, 64)) : 'it is absent'
  if (typeof state === 'string') {
    return failureFrom('no_plan', { evidence: `the build ended with exit code 0, and ${plan}: ${state}`, log })
  }
  if (versionText(state) === version) return null
  const evidence = `${plan} was written by TensorRT ${versionText(state)}, and the builder said that it is ${version}`
  return failureFrom('engine_version_mismatch', { evidence, log })
}
