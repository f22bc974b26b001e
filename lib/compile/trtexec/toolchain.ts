/**
 * Compiles a graph to a TensorRT engine.
 *
 * The graph is checked here; for int8 it is quantised here too, with symmetric ranges, because that is the one way that
 * TensorRT 8.6, 10 and 11 all take; then a builder makes the plan. Where a GPU is at hand the plan is asked about
 * samples that calibration has not seen and compared with float32; where none is, the log says so and no number is
 * given.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { RunbookError } from '../../base/errors.ts'
import { readJson } from '../../host/files.ts'
import { typescriptCommand } from '../../host/typescript.ts'
import { hostStage } from '../host/run-stage.ts'
import { runStageCommand } from '../stage-command.ts'
import type { Artifact, Availability, Stage, StageOptions, Toolchain } from '../toolchain.ts'
import { openEngineBuilder } from './builder.ts'
import type { EngineRequest, Precision } from './request.ts'
import type { BuilderWay } from './types.ts'

/** How engines are built. */
export interface TrtOptions {
  readonly way?: BuilderWay | undefined
  /** The program trtexec, a name on PATH or a path. */
  readonly trtexec?: string | undefined
  readonly precision?: Precision | undefined
  /** For int8 of TensorRT 8.6 and 10: a calibration cache, instead of quantising the graph. */
  readonly calibrationCache?: string | undefined
  /** Measurements of kernels, kept from build to build; beside the plan when absent. */
  readonly timingCache?: string | undefined
}

/** TensorRT. Making one touches nothing. */
export function trtexecToolchain(o: TrtOptions = {}): Toolchain {
  const { way = 'trtexec', trtexec, precision = 'fp32', calibrationCache } = o
  const open = () => openEngineBuilder({ way, trtexec })
  return {
    name: 'trtexec',
    product: 'plan',
    calibrationLayout: 'nchw',
    available: () => availability(open, precision),
    parse: (onnx, options) => hostStage('parse', { from: onnx, to: `${options.netName}.host_parsed.onnx` }, options),
    async optimize(parsed, options) {
      if (precision === 'int8' && calibrationCache === undefined) {
        return hostStage('optimize', { from: parsed, to: `${options.netName}.int8.onnx`, form: 'tensorrt' }, options)
      }
      // Nothing is quantised: the builder sets the precision.
      return { ok: true, artifact: parsed, metrics: {}, durationMs: 0 }
    },
    async compile(graph, options) {
      const builder = await open()
      const request: EngineRequest = {
        onnx: graph.path,
        plan: join(options.folder, `${options.netName}.plan`),
        precision,
        // Every dimension of a case is a number.
        profile: {},
        int8: calibrationCache === undefined ? 'graph' : { cache: calibrationCache },
        timingCache: o.timingCache ?? join(options.folder, 'timing.cache'),
      }
      const startedMs = performance.now()
      const built = await builder.build(request, options)
      if (!built.ok) return built
      const timeoutMs = Math.max(1, options.timeoutMs - (performance.now() - startedMs))
      return askPlan(built, { ...options, timeoutMs })
    },
  }
}

async function availability(
  open: () => ReturnType<typeof openEngineBuilder>,
  precision: Precision,
): Promise<Availability> {
  try {
    const { where, version, way } = await open()
    return { found: true, where, version: `${version} ${precision} (${way})`, why: '', hint: '' }
  } catch (thrown) {
    if (thrown instanceof RunbookError)
      return { found: false, where: null, version: null, why: thrown.message, hint: thrown.hint }
    throw thrown
  }
}

type Built = Extract<Stage, { ok: true }>

/** Compare the plan with float32, in a process of its own: a library that meets a bad plan may crash. */
async function askPlan(built: Built, o: StageOptions): Promise<Stage> {
  const metricsFile = join(o.folder, 'plan_compared.json')
  const parsed: Artifact['path'] = join(o.folder, `${o.netName}.host_parsed.onnx`)
  const script = join(import.meta.dirname, 'compare-plan.ts')
  const words = [built.artifact.path, parsed, o.calibration.path, metricsFile]
  const finished = await runStageCommand(typescriptCommand(script, words), o)
  if ('ok' in finished) return finished
  const metrics = existsSync(metricsFile) ? (readJson(metricsFile) as Record<string, number>) : {}
  const durationMs = built.durationMs + finished.result.durationMs
  return { ...built, metrics: { ...built.metrics, ...metrics }, durationMs }
}
