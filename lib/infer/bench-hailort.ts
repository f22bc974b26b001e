/**
 * What does one frame cost on our side of HailoRT, when the device costs nothing?
 *
 * Measured on the stand-in, which computes eight values; writing, reading, quantising and waiting are the real paths. Medians of
 * this machine, now; `runbooks/bench.ts` judges them.
 */
import { writeFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { hailortStandin } from '../../ffi/testing/hailort.ts'
import { halfModel } from '../formats/hef-samples.ts'
import { writeHef } from '../formats/hef-write.ts'
import { float32 } from '../formats/tensor.ts'
import { median } from '../host/measure.ts'
import { openHailortBackend } from './hailort.ts'

export interface HailortBench {
  readonly library: string
  readonly frames: number
  /** From the feed to the answer, in µs. */
  readonly frameUsP50: number
}

/**
 * Measure. It compiles the stand-in first if it is not there yet.
 * @param o.path where a small HEF may be written
 * @throws FfiError `absent` without a compiler
 */
export async function benchHailort({ path, frames = 3000 }: { path: string; frames?: number }): Promise<HailortBench> {
  const quantization = { scale: 0.1, limvalsMin: -12.8, limvalsMax: 12.7 }
  writeFileSync(path, writeHef({
    groups: [{
      name: 'net',
      inputs: [{ name: 'net/in', shape: { height: 1, width: 8, features: 1 }, quantization: { ...quantization, zeroPoint: 128 } }],
      outputs: [{ name: 'net/out', shape: { height: 1, width: 8, features: 2 }, quantization: { ...quantization, zeroPoint: 100 } }],
    }],
    model: halfModel(),
  }))
  await using model = await openHailortBackend(path, { env: { HAILORT_LIB: hailortStandin({ profile: 'C' }) } })
  const name = model.inputs[0]!.name
  const feeds = { [name]: float32(model.inputs[0]!.shape.map(Number), new Float32Array(8).fill(0.5)) }
  for (let i = 0; i < 200; i++) await model.infer(feeds)
  const us: number[] = []
  for (let i = 0; i < frames; i++) {
    const startedMs = performance.now()
    await model.infer(feeds)
    us.push((performance.now() - startedMs) * 1000)
  }
  return { library: model.library, frames, frameUsP50: median(us) }
}
