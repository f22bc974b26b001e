/**
 * Measures calls into ONNX Runtime by the C API beside onnxruntime-node, on the same model in the same run.
 *
 * Measures what a call adds (a tiny model), what it leaves on the JavaScript heap, and what a second slot brings on two
 * cores. Only the ratios mean something on a machine that others use; the bounds are held in `runbooks/bench.ts`.
 */
import { performance, PerformanceObserver } from 'node:perf_hooks'
import { median } from '../base/statistics.ts'
import { openOnnxRuntime, type OnnxRuntime } from '../../ffi/onnxruntime/runtime.ts'
import type { OrtSlot } from '../../ffi/onnxruntime/slot.ts'
import { encodeModel, type ModelProto } from '../formats/onnx/index.ts'
import { float32 } from '../formats/tensors/tensor.ts'
import { GraphBuilder } from '../onnx/builder.ts'
import { onnxruntimeNode } from '../host/onnxruntime-node.ts'

/** Medians and ratios of this machine, now. */
export interface OrtBench {
  /** `1.30.0`, the library behind both drivers. */
  readonly version: string
  /** Median of one call on a tiny model, in µs. */
  readonly nodeLatencyUsP50: number
  readonly latencyUsP50: number
  /** Node's median over ours. */
  readonly latencyRatio: number
  readonly calls: number
  readonly heapBytesPerCall: number
  /** Collections of JavaScript garbage during those calls. */
  readonly collections: number
  /**
   * Runs per second with one slot, and with two slots at once, of a model that computes for some milliseconds; the best
   * window of many.
   */
  readonly oneSlotPerS: number
  readonly twoSlotsPerS: number
  /** What the second slot brings. */
  readonly slotsRatio: number
}

/**
 * Measure. Takes some seconds.
 *
 * @param options.calls calls for heap and collections; 100,000 unless told
 * @param options.rounds interleaved rounds of each comparison; 7 unless told
 * @throws FfiError when the C library cannot be opened
 */
export async function benchOrt(options: { calls?: number; rounds?: number } = {}): Promise<OrtBench> {
  const { calls = 100_000, rounds = 7 } = options
  const runtime = openOnnxRuntime()
  try {
    const latency = await compareLatency(runtime, rounds)
    const heap = await heapOf(runtime, calls)
    const slots = await compareSlots(runtime, rounds)
    return { version: runtime.version, ...latency, calls, ...heap, ...slots }
  } finally {
    await runtime.close()
  }
}

/**
 * One step of a small recurrence, two inputs and two outputs of 37 values: next to nothing to compute, so that a call's
 * own cost shows.
 */
export function tinyGraph(): ModelProto {
  const graph = new GraphBuilder({ name: 'tiny' })
  const weight = (name: string, value: number) => graph.weight(name, float32([37], new Float32Array(37).fill(value)))
  const sum = graph.node('Add', [graph.input('input', 'float32', [1, 37]), graph.input('state', 'float32', [1, 37])])
  const next = graph.node('Tanh', [graph.node('Mul', [sum, weight('decay', 0.9)])], { output: 'next' })
  const output = graph.node('Mul', [next, weight('gain', 2)], { output: 'output' })
  graph.output(output, 'float32', [1, 37])
  graph.output(next, 'float32', [1, 37])
  return graph.build()
}

/** A chain of products that computes for some milliseconds on one thread. */
export function busyGraph(steps = 12, width = 256): ModelProto {
  const graph = new GraphBuilder({ name: 'busy' })
  let at = graph.input('input', 'float32', [width, width])
  const weight = graph.weight('w', float32([width, width], new Float32Array(width * width).fill(1 / width)))
  for (let i = 0; i < steps; i++) at = graph.node('MatMul', [at, weight], i === steps - 1 ? { output: 'output' } : {})
  graph.output('output', 'float32', [width, width])
  return graph.build()
}

async function compareLatency(runtime: OnnxRuntime, rounds: number) {
  const model = encodeModel(tinyGraph())
  const slot = (await runtime.openSession(model, { threads: 1 })).openSlot()
  const ort = await onnxruntimeNode()
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1 })
  const zeros = () => new ort.Tensor('float32', new Float32Array(37), [1, 37])
  const feeds = { input: zeros(), state: zeros() }
  const perRound = 1000
  const [ours, theirs] = [new Float64Array(rounds * perRound), new Float64Array(rounds * perRound)]
  for (let i = 0; i < 2000; i++) {
    slot.run()
    await session.run(feeds)
  }
  for (let round = 0; round < rounds; round++) {
    for (let i = round * perRound; i < (round + 1) * perRound; i++) {
      const startedMs = performance.now()
      slot.run()
      ours[i] = performance.now() - startedMs
    }
    for (let i = round * perRound; i < (round + 1) * perRound; i++) {
      const startedMs = performance.now()
      await session.run(feeds)
      theirs[i] = performance.now() - startedMs
    }
  }
  await session.release()
  const [latencyUsP50, nodeLatencyUsP50] = [1000 * median(ours), 1000 * median(theirs)]
  return { nodeLatencyUsP50, latencyUsP50, latencyRatio: nodeLatencyUsP50 / latencyUsP50 }
}

async function heapOf(runtime: OnnxRuntime, calls: number) {
  const slot = (await runtime.openSession(encodeModel(tinyGraph()), { threads: 1 })).openSlot()
  for (let i = 0; i < 20_000; i++) slot.run()
  // Collections that are due from before are over, and their records delivered, before we begin to count.
  await new Promise(resolve => setTimeout(resolve, 50))
  let collections = 0
  const observer = new PerformanceObserver(list => (collections += list.getEntries().length))
  observer.observe({ entryTypes: ['gc'] })
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < calls; i++) slot.run()
  const heapBytesPerCall = (process.memoryUsage().heapUsed - before) / calls
  await new Promise(resolve => setTimeout(resolve, 20))
  observer.disconnect()
  return { heapBytesPerCall, collections }
}

/**
 * Short windows, many of them, and the best of each kind: other work on the machine only ever makes a window slower.
 */
async function compareSlots(runtime: OnnxRuntime, rounds: number) {
  const session = await runtime.openSession(encodeModel(busyGraph()), { threads: 1 })
  const [first, second] = [session.openSlot(), session.openSlot()]
  const windowRuns = 6
  const runs = async (slot: OrtSlot) => {
    for (let i = 0; i < windowRuns; i++) await slot.runAsync()
  }
  const perS = async (slots: readonly OrtSlot[]) => {
    const startedMs = performance.now()
    await Promise.all(slots.map(runs))
    return (slots.length * windowRuns * 1000) / (performance.now() - startedMs)
  }
  await perS([first, second])
  let [oneSlotPerS, twoSlotsPerS] = [0, 0]
  for (let window = 0; window < 8 * rounds; window++) {
    oneSlotPerS = Math.max(oneSlotPerS, await perS([first]))
    twoSlotsPerS = Math.max(twoSlotsPerS, await perS([first, second]))
  }
  return { oneSlotPerS, twoSlotsPerS, slotsRatio: twoSlotsPerS / oneSlotPerS }
}
