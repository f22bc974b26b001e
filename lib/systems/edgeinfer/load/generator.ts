/**
 * Sends windows on a fixed schedule, whatever the answers do, and checks every answer: an open loop.
 *
 * Runs as a process of its own, so that the server's work does not slow the clock. Latency counts from the moment that
 * a request was due, not from when it could be sent: a server that stalls is charged for all that waited.
 */
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** What to send, and how. */
export interface LoadPlan {
  readonly url: string
  /** Windows, float32 [n, 900], and latents that are right for them, float32 [n, 64]. */
  readonly windowsFile: string
  readonly latentsFile: string
  readonly count: number
  readonly ratePerSecond: number
  /** A closed loop instead of a schedule: so many requests under way at all times, to find the highest rate. */
  readonly concurrency?: number
  readonly deadlineMs: number
  /** The largest difference of a latent that is still right. */
  readonly tolerance: number
}

/** One answer: from when it was due, and what it was worth. */
export type Verdict = 'right' | 'wrong' | 'refused' | 'failed'

/** What came back. */
export interface LoadResult {
  /** Latency of each request in ms, in the order of sending. */
  readonly latencyMs: readonly number[]
  readonly verdicts: readonly Verdict[]
  /** From the first due time to the last answer, in ms. */
  readonly durationMs: number
  /** The generator's own delay, in ms: when it is large, the schedule was not kept. */
  readonly ownDelayMsP99: number
}

const windowSize = 900
const latentSize = 64

/** Run a plan to its end. */
export async function generateLoad(plan: LoadPlan): Promise<LoadResult> {
  const floats = (path: string) => new Float32Array(new Uint8Array(readFileSync(path)).buffer)
  const [windows, latents] = [floats(plan.windowsFile), floats(plan.latentsFile)]
  const bodies = Array.from({ length: windows.length / windowSize }, (_, i) => bodyOf(windows, i))
  const agent = new Agent({ keepAlive: true, maxSockets: 256 })
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  const latencyMs: number[] = Array.from({ length: plan.count })
  const verdicts: Verdict[] = Array.from({ length: plan.count })
  const startMs = performance.now() + 20
  let lastMs = startMs
  const one = async (i: number) => {
    const dueMs = plan.concurrency === undefined ? startMs + (i * 1000) / plan.ratePerSecond : performance.now()
    const waitMs = dueMs - performance.now()
    if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs))
    const n = i % bodies.length
    const want = latents.subarray(n * latentSize, (n + 1) * latentSize)
    verdicts[i] = await ask(plan, { agent, body: bodies[n]!, want }).catch((): Verdict => 'failed')
    lastMs = Math.max(lastMs, performance.now())
    latencyMs[i] = performance.now() - dueMs
  }
  if (plan.concurrency === undefined) await Promise.all(Array.from({ length: plan.count }, (_, i) => one(i)))
  else await closedLoop({ count: plan.count, concurrency: plan.concurrency }, one)
  agent.destroy()
  delay.disable()
  const ownDelayMsP99 = Math.max(0, delay.percentile(99) / 1e6 - 5)
  return { latencyMs, verdicts, durationMs: lastMs - startMs, ownDelayMsP99 }
}

/** So many at all times, until all are done. */
async function closedLoop(o: { count: number; concurrency: number }, one: (i: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < o.count) await one(next++)
  }
  await Promise.all(Array.from({ length: o.concurrency }, worker))
}

function bodyOf(windows: Float32Array, i: number): Buffer {
  const rows = Array.from({ length: 100 }, (_, t) => {
    const at = i * windowSize + t * 9
    return `[${windows.subarray(at, at + 9).join(',')}]`
  })
  return Buffer.from(`{"x":[${rows.join(',')}]}`)
}

interface Question {
  readonly agent: Agent
  readonly body: Buffer
  readonly want: Float32Array
}

function ask(plan: LoadPlan, { agent, body, want }: Question): Promise<Verdict> {
  const headers = {
    'content-type': 'application/json',
    'content-length': body.length,
    'x-deadline-ms': String(plan.deadlineMs),
  }
  return new Promise((resolve, reject) => {
    const sent = request(`${plan.url}/infer`, { method: 'POST', agent, headers }, answer => {
      const pieces: Buffer[] = []
      answer.on('data', piece => pieces.push(piece as Buffer))
      answer.on('error', reject)
      answer.on('end', () => resolve(judge(answer.statusCode!, Buffer.concat(pieces), { want, plan })))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

function judge(status: number, text: Buffer, o: { want: Float32Array; plan: LoadPlan }): Verdict {
  if (status === 429 || status === 503) return 'refused'
  if (status !== 200) return 'failed'
  const { latent, motif_scores: scores } = JSON.parse(text.toString()) as { latent: number[]; motif_scores: number[] }
  const isRight =
    latent.length === latentSize &&
    scores.length > 0 &&
    latent.every((value, k) => Math.abs(value - o.want[k]!) <= o.plan.tolerance)
  return isRight ? 'right' : 'wrong'
}
