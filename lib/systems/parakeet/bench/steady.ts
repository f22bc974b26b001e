/**
 * Measures the decoding loop in its steady state: time per step, garbage collections, and JavaScript heap per step.
 *
 * ONNX Runtime itself allocates native memory in every run; that is not counted, and nothing is claimed of it.
 */
import { PerformanceObserver } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { setImmediate } from 'node:timers/promises'
import { usageError } from '../../../base/errors.ts'
import { GreedyTdt } from '../../../speech/tdt/greedy.ts'
import { decodeChunk } from '../../../speech/tdt/loop.ts'
import { encode } from '../transcribe/encoders.ts'
import { rulesOf } from '../model/meta.ts'
import type { OpenModel } from '../transcribe/model.ts'

/** What the loop costs. */
export interface SteadyCost {
  /** Evaluations of the joint and of the predictor together. */
  readonly steps: number
  readonly nsPerStep: number
  readonly collections: number
  readonly heapBytesPerStep: number
}

/**
 * Decode the same frames again and again, until the joint was asked `evaluations` times.
 * @throws RunbookError usage when the model is not on the bound path
 */
export async function steadyCost(model: OpenModel, samples: Float32Array, evaluations: number): Promise<SteadyCost> {
  const { loop } = model.networks
  if (!('sync' in loop))
    throw usageError(
      'Cannot measure the loop: the model is not bound to ONNX Runtime',
      'give a folder that was exported here',
    )
  const features = model.mel.features(samples)
  const heard = await encode(model.encoder, features, features.validFrames)
  await model.networks.reset()
  await model.networks.hear(heard)
  const greedy = new GreedyTdt(rulesOf(model.meta))
  let tokens = 0
  const decode = (most: number) => {
    let asked = 0
    while (asked < most) {
      greedy.reset()
      decodeChunk(greedy, loop.sync, heard.count)
      asked += Math.max(1, greedy.evaluations)
      tokens += greedy.tokens.length
    }
    return asked
  }
  decode(Math.min(evaluations, 2000))
  const collect = collector()
  let collections = 0
  const observer = new PerformanceObserver(list => void (collections += list.getEntries().length))
  collect()
  await setImmediate()
  observer.observe({ entryTypes: ['gc'] })
  const heapBefore = process.memoryUsage().heapUsed
  tokens = 0
  const started = process.hrtime.bigint()
  const asked = decode(evaluations)
  const ns = Number(process.hrtime.bigint() - started)
  const heap = process.memoryUsage().heapUsed - heapBefore
  await setImmediate()
  collections += observer.takeRecords().length
  observer.disconnect()
  const steps = asked + tokens
  return { steps, nsPerStep: ns / steps, collections, heapBytesPerStep: Math.max(0, heap) / steps }
}

/** V8's own collector, which it hides unless asked. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}
