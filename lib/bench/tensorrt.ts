/**
 * Measures what our own calls cost, when the device costs nothing.
 *
 * Measured on the stand-in with streams that work in the caller's thread, so that no thread is waited for and what is
 * left is JS, koffi and a few multiplications. Medians of this machine, now; whoever calls judges them.
 */
import { performance } from 'node:perf_hooks'
import { median } from '../base/statistics.ts'
import { openCuda } from '../../ffi/cuda/cuda.ts'
import type { NativeFunction } from '../../ffi/load.ts'
import { densePlan, planBytes } from '../../ffi/testing/tensorrt/plan.ts'
import { standinVersions, tensorRtStandin } from '../../ffi/testing/tensorrt/standin.ts'
import { openTensorRt } from '../../ffi/tensorrt/open.ts'
import { deserialize } from '../../ffi/tensorrt/runtime.ts'
import { createStep } from '../../ffi/tensorrt/step.ts'

/** Medians of this machine, now. */
export interface TensorRtBench {
  /** `10.13.3` */
  readonly version: string
  /** One virtual method through its slot, ns, median over rounds. */
  readonly vtableCallNs: number
  /** Fill the input, copy, enqueue, copy, synchronise and read the output, µs, median over single steps. */
  readonly stepUs: number
  /** The same with the wait on a worker thread and a stream that a thread serves. */
  readonly laterUs: number
  /** Bytes that the JS heap grew by for each step of the first kind. */
  readonly heapBytesPerStep: number
}

/**
 * Measure. It compiles the stand-in first if it is not there yet.
 *
 * @param options.steps how many steps each median is of
 * @throws FfiError `absent` without a compiler
 */
export async function benchTensorRt({ steps = 20_000 }: { steps?: number } = {}): Promise<TensorRtBench> {
  const version = standinVersions[1]!
  const standin = tensorRtStandin(version, { isLean: true })
  const inlined = await measure(standin, steps, 'inline')
  const { laterUs } = await measure(standin, Math.max(1, Math.floor(steps / 20)), undefined)
  return { version: `${version.major}.${version.minor}.${version.patch}`, ...inlined, laterUs }
}

async function measure(
  standin: ReturnType<typeof tensorRtStandin>,
  steps: number,
  stream: 'inline' | undefined,
): Promise<Omit<TensorRtBench, 'version'>> {
  const before = process.env.STANDIN_STREAM
  if (stream) process.env.STANDIN_STREAM = stream
  const rt = openTensorRt({ env: standin.env })
  const engine = await deserialize(rt, planBytes(densePlan(), standin.version), 'bench.plan')
  const step = await createStep(engine, openCuda({ env: standin.env }))
  try {
    const input = new Float32Array(step.inputs[0]!.host.buffer, 0, 3)
    const output = new Float32Array(step.outputs[0]!.host.buffer, 0, 2)
    const feed = Float32Array.of(1, 2, 3)
    let sum = 0
    const one = () => {
      input.set(feed)
      step.run()
      sum += output[0]!
    }
    const vtableCallNs = callNs(
      engine.object.method('getNbIOTensors') as NativeFunction<[bigint], number>,
      engine.object.self,
      steps,
    )
    for (let i = 0; i < Math.min(steps, 2000); i++) one()
    const heapBefore = process.memoryUsage().heapUsed
    for (let i = 0; i < steps; i++) one()
    const heapBytesPerStep = Math.max(0, process.memoryUsage().heapUsed - heapBefore) / steps
    const stepUs = medianUs(steps, one)
    const laterUs = await medianLaterUs(Math.min(steps, 2000), () => step.runLater())
    if (!Number.isFinite(sum)) throw new Error('the stand-in computed nonsense')
    return { vtableCallNs, stepUs, laterUs, heapBytesPerStep }
  } finally {
    step.close()
    engine.close()
    if (stream && before === undefined) delete process.env.STANDIN_STREAM
    else if (before !== undefined) process.env.STANDIN_STREAM = before
  }
}

/** A call is shorter than the clock's own cost, so rounds of calls are timed. */
function callNs(call: NativeFunction<[bigint], number>, self: bigint, calls: number): number {
  const round = Math.max(1, Math.floor(calls / 20))
  const rounds = Array.from({ length: 21 }, () => {
    const startedMs = performance.now()
    for (let i = 0; i < round; i++) call(self)
    return ((performance.now() - startedMs) * 1e6) / round
  })
  return median(rounds)
}

function medianUs(count: number, work: () => void): number {
  const tookUs = new Float64Array(count)
  for (let i = 0; i < count; i++) {
    const startedMs = performance.now()
    work()
    tookUs[i] = (performance.now() - startedMs) * 1000
  }
  return median(tookUs)
}

async function medianLaterUs(count: number, work: () => Promise<void>): Promise<number> {
  const tookUs = new Float64Array(count)
  for (let i = 0; i < count; i++) {
    const startedMs = performance.now()
    await work()
    tookUs[i] = (performance.now() - startedMs) * 1000
  }
  return median(tookUs)
}
