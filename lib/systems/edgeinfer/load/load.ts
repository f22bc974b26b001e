/**
 * Loads a sidecar: one steady stream, then a ladder of rates until it refuses, and the numbers of both.
 */
import { once } from 'node:events'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import type { ChildProcess } from 'node:child_process'
import { RunbookError } from '../../../base/errors.ts'
import { quantile } from '../../../base/statistics.ts'
import { seededRandom } from '../../../base/random.ts'
import { startTypescript } from '../../../host/typescript.ts'
import { writeFileAtomic } from '../../../host/files.ts'
import { edgeinferContract } from '../contract.ts'
import { readDataSet } from '../data/read.ts'
import { startsEvery, windowsOf } from '../data/recording.ts'
import { joined } from '../export/golden.ts'
import type { Engine } from '../model/engine.ts'
import type { LoadPlan, LoadResult, Verdict } from './generator.ts'

/** The numbers of one rate. */
export interface RateReport {
  readonly ratePerSecond: number
  readonly requests: number
  readonly right: number
  readonly wrong: number
  readonly refused: number
  readonly failed: number
  /** Right answers a second, from the first due time to the last answer. */
  readonly rightPerSecond: number
  readonly success: number
  /** Of right answers, in ms. */
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  readonly ownDelayMsP99: number
}

/** What the server's own metrics said. */
export interface ServerReading {
  readonly cpuSeconds: number
  readonly rssMb: number
  readonly eventLoopDelayMsP99: number
  readonly loadAverage: number
}

/** Files of windows and of the latents that are right for them. */
export interface LoadWindows {
  readonly windowsFile: string
  readonly latentsFile: string
  readonly tolerance: number
}

/** Share of the largest latent that an answer may be off: text and another session round, a wrong window does not. */
const toleranceShare = 1e-4

/**
 * Write `count` distinct windows and their right latents, asked of the model in this process.
 * @throws RunbookError as the engine
 */
export async function writeLoadWindows(engine: Engine, count: number, folder: string): Promise<LoadWindows> {
  const all = windowsOf((await readDataSet()).recordings, startsEvery(0.02))
  const picked = seededRandom(edgeinferContract().model.seed).shuffled(all).slice(0, count)
  const latents: Float32Array[] = []
  for (const { window } of picked) latents.push((await engine.infer(window)).latent)
  const bytes = (rows: readonly Float32Array[]) => new Uint8Array(joined(rows).buffer)
  const [windowsFile, latentsFile] = [join(folder, 'windows.f32'), join(folder, 'latents.f32')]
  writeFileAtomic(windowsFile, bytes(picked.map(({ window }) => window)))
  writeFileAtomic(latentsFile, bytes(latents))
  const scale = latents.reduce((most, row) => row.reduce((high, value) => Math.max(high, Math.abs(value)), most), 1)
  return { windowsFile, latentsFile, tolerance: toleranceShare * scale }
}

/** A generator in a process of its own. */
export class LoadGenerator implements Disposable {
  readonly #child: ChildProcess
  readonly #gone: Promise<unknown[]>

  constructor() {
    this.#child = startTypescript(join(import.meta.dirname, 'child.ts'), [], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#gone = once(this.#child, 'exit')
  }

  /**
   * Run a plan.
   *
   * @throws RunbookError fail when the generator's process ends
   */
  async run(plan: LoadPlan): Promise<{ report: RateReport; result: LoadResult }> {
    this.#child.send(plan)
    const told = Promise.race([once(this.#child, 'message'), this.#gone.then(() => [{}])])
    const [{ result, error }] = (await told) as [{ result?: LoadResult; error?: string }]
    if (result === undefined)
      throw new RunbookError(
        'fail',
        `Cannot finish the load: ${error ?? 'its process ended'}`,
        'look at the words above',
      )
    return { report: reportOf(plan, result), result }
  }

  [Symbol.dispose](): void {
    this.#child.disconnect()
  }
}

/** The numbers of a result. Quantiles are NaN where no answer was right. */
export function reportOf({ ratePerSecond }: Pick<LoadPlan, 'ratePerSecond'>, result: LoadResult): RateReport {
  const { verdicts, latencyMs, durationMs, ownDelayMsP99 } = result
  const count = (verdict: Verdict) => verdicts.filter(each => each === verdict).length
  const right = latencyMs.filter((_, i) => verdicts[i] === 'right')
  const at = (q: number) => (right.length === 0 ? Number.NaN : quantile(right, q))
  return {
    ratePerSecond,
    requests: verdicts.length,
    right: right.length,
    wrong: count('wrong'),
    refused: count('refused'),
    failed: count('failed'),
    rightPerSecond: (right.length * 1000) / durationMs,
    success: right.length / verdicts.length,
    p50Ms: at(0.5),
    p95Ms: at(0.95),
    p99Ms: at(0.99),
    maxMs: at(1),
    ownDelayMsP99,
  }
}

/**
 * Read the server's metrics.
 *
 * @throws RunbookError fail when it has none
 */
export async function readServer(url: string): Promise<ServerReading> {
  const page = await (await fetch(`${url}/metrics`)).text()
  const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(page)?.[1] ?? Number.NaN)
  return {
    cpuSeconds: value('process_cpu_seconds_total'),
    rssMb: value('process_resident_memory_bytes') / 1e6,
    eventLoopDelayMsP99: value('nodejs_eventloop_delay_p99_seconds') * 1000,
    loadAverage: loadavg()[0]!,
  }
}

/** The lines that tell of a steady load, for a person. */
export function loadLines(
  steady: { report: RateReport; result: LoadResult },
  { before, after }: { before: ServerReading; after: ServerReading },
): string[] {
  const { p50Ms, p95Ms, p99Ms, maxMs } = steady.report
  const ms = (value: number) => value.toFixed(1)
  const cpu = (((after.cpuSeconds - before.cpuSeconds) * 1e5) / steady.result.durationMs).toFixed(0)
  return [
    `Latency ms: p50=${ms(p50Ms)} p95=${ms(p95Ms)} p99=${ms(p99Ms)} max=${ms(maxMs)}`,
    `Server: cpu=${cpu}% rss=${ms(after.rssMb)}MB load=${ms(after.loadAverage)}`,
  ]
}
