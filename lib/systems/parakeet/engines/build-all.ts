/**
 * Builds the engines of a model one after the other, and asks each once.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { EngineBuilder } from '../../../compile/trtexec/builder.ts'
import type { EngineRequest } from '../../../compile/trtexec/request.ts'
import type { ParakeetContract } from '../contract/read.ts'
import { readMeta } from '../model/meta.ts'
import type { Precision } from '../parity/precisions.ts'
import { engineComponents, onnxFolderFor, planPath, profileOf, type EngineComponent } from './profiles.ts'
import { smokeEngine } from './smoke.ts'

/** How building one engine ended, and what asking it once gave. */
export interface BuiltEngine {
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
  /** `ran`, or the error. Empty where there is no engine. */
  readonly smoke: string
  /** Why it could not be asked here. */
  readonly smokeBlocked: string
}

/**
 * Build every component whose graph is there. A failure does not end the others.
 * @throws RunbookError blocked when this builder cannot build the precision, or the graphs do not have it
 */
export async function buildAll(
  builder: EngineBuilder,
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
  const graphs = onnxFolderFor(builder, o.precision, o)
  const built: BuiltEngine[] = []
  for (const component of engineComponents.filter(name => existsSync(join(graphs, `${name}.onnx`)))) {
    const profile = profileOf(component, meta, o.contract)
    const engine = await buildOne(builder, component, {
      request: {
        onnx: join(graphs, `${component}.onnx`),
        plan: planPath(o.engineDir, component),
        precision: o.precision,
        profile,
        timingCache: join(o.engineDir, 'timing.cache'),
        int8: 'graph',
      },
      logFile: join(o.logDir, `${builder.way}-${component}.log`),
      timeoutMs: 1000 * (o.timeoutS ?? o.contract.engines.timeout_s),
      folder: o.logDir,
      signal: o.signal,
    })
    const smoke = engine.plan === null ? null : await smokeEngine(engine.plan, profile)
    built.push({
      ...engine,
      smoke: smoke === null ? '' : smoke.ran ? 'ran' : smoke.why,
      smokeBlocked: smoke !== null && !smoke.ran && smoke.isBlocked ? smoke.why : '',
    })
    o.print(`${component}: ${engine.ok ? `${engine.bytes} bytes` : engine.bucket}`)
    o.onBuilt(built)
  }
  return built
}

type Bounds = Parameters<EngineBuilder['build']>[1]

async function buildOne(
  builder: EngineBuilder,
  component: EngineComponent,
  { request, ...bounds }: Bounds & { request: EngineRequest },
): Promise<Omit<BuiltEngine, 'smoke' | 'smokeBlocked'>> {
  const command = builder.commandOf(request)
  const end = await builder.build(request, bounds)
  const base = { component, command, ok: end.ok, seconds: end.durationMs / 1000 }
  if (!end.ok) {
    const { bucket, evidence, fix } = end.failure
    return { ...base, plan: null, bytes: 0, sha256: '', bucket, evidence, fix }
  }
  const { artifact, metrics } = end
  const made = { plan: artifact.path, bytes: metrics.planBytes!, sha256: artifact.sha256 }
  return { ...base, ...made, bucket: '', evidence: '', fix: '' }
}

/** What `build_report.json` says. */
export const reportOf = ({ way, where, version }: EngineBuilder, builds: readonly BuiltEngine[]) => ({
  ok: builds.length > 0 && builds.every(({ ok }) => ok),
  builder: { way, where, version },
  builds,
})
