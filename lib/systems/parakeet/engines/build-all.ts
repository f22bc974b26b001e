/**
 * Builds the engines of a model one after the other, and asks each once.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ParakeetContract } from '../contract/read.ts'
import { readMeta } from '../model/meta.ts'
import type { Precision } from '../parity/precisions.ts'
import { smokeEngine } from './smoke.ts'
import {
  buildCommand,
  buildEngine,
  engineComponents,
  onnxFolderFor,
  planPath,
  profileOf,
  type EngineBuild,
  type Trtexec,
} from './trtexec.ts'

/** A build, and what asking the engine once gave. */
export interface BuiltEngine extends EngineBuild {
  /** `ran`, or the error. Empty where there is no engine. */
  readonly smoke: string
  /** Why it could not be asked here. */
  readonly smokeBlocked: string
}

/**
 * Build every component whose graph is there. A failure does not end the others.
 * @throws RunbookError blocked when this trtexec cannot build the precision
 */
export async function buildAll(
  trtexec: Trtexec,
  o: {
    modelDir: string
    engineDir: string
    halfDir: string | undefined
    precision: Precision
    timeoutS: number | undefined
    contract: ParakeetContract
    logDir: string
    signal: AbortSignal
    print: (line: string) => void
    onBuilt: (built: readonly BuiltEngine[]) => void
  },
): Promise<BuiltEngine[]> {
  const meta = readMeta(o.modelDir)
  const graphs = onnxFolderFor(trtexec, o.precision, o)
  const built: BuiltEngine[] = []
  for (const component of engineComponents.filter(name => existsSync(join(graphs, `${name}.onnx`)))) {
    const [plan, profile] = [planPath(o.engineDir, component), profileOf(component, meta, o.contract)]
    const command = buildCommand(trtexec, {
      onnx: join(graphs, `${component}.onnx`),
      plan,
      precision: o.precision,
      profile,
      timingCache: join(o.engineDir, 'timing.cache'),
    })
    const logFile = join(o.logDir, `trtexec-${component}.log`)
    const timeoutMs = 1000 * (o.timeoutS ?? o.contract.engines.timeout_s)
    const build = await buildEngine(component, command, { plan, logFile, timeoutMs, signal: o.signal })
    const smoke = build.plan === null ? null : await smokeEngine(build.plan, profile)
    built.push({
      ...build,
      smoke: smoke === null ? '' : smoke.ran ? 'ran' : smoke.why,
      smokeBlocked: smoke !== null && !smoke.ran && smoke.isBlocked ? smoke.why : '',
    })
    o.print(`${component}: ${build.ok ? `${build.bytes} bytes` : build.bucket}`)
    o.onBuilt(built)
  }
  return built
}

/** What `build_report.json` says. */
export const reportOf = ({ path, version }: Trtexec, builds: readonly BuiltEngine[]) => ({
  ok: builds.length > 0 && builds.every(({ ok }) => ok),
  trtexec: { path, version },
  builds,
})
