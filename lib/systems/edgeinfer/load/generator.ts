/**
 * Sends windows on a fixed schedule, whatever the answers do, and checks every answer: an open loop.
 *
 * Runs as a process of its own, so that the server's work does not slow the clock. Latency counts from the moment that
 * a request was due, not from when it could be sent: a server that stalls is charged for all that waited.
 */
import { readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Connections, postRequest, type HttpAnswer } from './connections.ts'

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
  const url = new URL('infer', `${plan.url.replace(/\/$/, '')}/`)
  const headers = { 'content-type': 'application/json', 'x-deadline-ms': String(plan.deadlineMs) }
  const questions = Array.from({ length: windows.length / windowSize }, (_, i): Question => {
    const want = latents.subarray(i * latentSize, (i + 1) * latentSize)
    return { request: postRequest(url, headers, bodyOf(windows, i)), want, right: undefined }
  })
  const connections = new Connections(url, 256)
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
    const question = questions[i % questions.length]!
    verdicts[i] = await connections
      .send(question.request)
      .then(answer => judge(answer, question, plan.tolerance))
      .catch((): Verdict => 'failed')
    lastMs = Math.max(lastMs, performance.now())
    latencyMs[i] = performance.now() - dueMs
  }
  if (plan.concurrency === undefined) await Promise.all(Array.from({ length: plan.count }, (_, i) => one(i)))
  else await closedLoop({ count: plan.count, concurrency: plan.concurrency }, one)
  connections.close()
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

/** A request, what is right for it, and the text of an answer that was found right. */
interface Question {
  readonly request: Buffer
  readonly want: Float32Array
  right: Buffer | undefined
}

/** The same bytes as those of an answer that was found right are right, too: parsing is most of a judge's work. */
function judge({ status, body }: HttpAnswer, question: Question, tolerance: number): Verdict {
  if (status === 429 || status === 503) return 'refused'
  if (status !== 200) return 'failed'
  if (question.right?.equals(body)) return 'right'
  if (!isRight(body.toString(), question.want, tolerance)) return 'wrong'
  question.right = Buffer.from(body)
  return 'right'
}

function isRight(text: string, want: Float32Array, tolerance: number): boolean {
  const { latent, motif_scores: scores } = JSON.parse(text) as { latent: number[]; motif_scores: number[] }
  return (
    latent.length === latentSize &&
    scores.length > 0 &&
    latent.every((value, k) => Math.abs(value - want[k]!) <= tolerance)
  )
}
