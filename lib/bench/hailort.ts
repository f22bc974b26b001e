/**
 * Measures what one frame costs on our side of HailoRT, when the device costs nothing.
 *
 * Measured on the stand-in, which computes eight values; writing, reading, quantising and waiting are the real paths.
 * Medians of this machine, now; `runbooks/bench.ts` judges them.
 */
import { writeFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { VDevice } from '../../ffi/hailort/device.ts'
import { Hef } from '../../ffi/hailort/hef.ts'
import { openHailort } from '../../ffi/hailort/library.ts'
import { koffi, type NativeFunction } from '../../ffi/load.ts'
import { settled } from '../../ffi/settled.ts'
import { configure } from '../../ffi/hailort/network-group.ts'
import { hailortStandin } from '../../ffi/testing/hailort.ts'
import { halfModel } from '../testing/hef/samples.ts'
import { writeHef } from '../testing/hef/write.ts'
import { float32 } from '../formats/tensors/tensor.ts'
import { median } from '../base/statistics.ts'
import { openHailortBackend } from '../infer/hailort/backend.ts'
import { openIsolated } from '../infer/isolate/parent.ts'
import { groupId } from '../infer/hailort/load.ts'

/** Medians of this machine, now. */
export interface HailortBench {
  readonly library: string
  readonly frames: number
  /** From the feed to the answer, in µs. */
  readonly frameUsP50: number
  /** The same frame by two plain calls: what the library and the device take themselves, in µs. */
  readonly deviceUsP50: number
  /** What is ours: numbers checked, laid out and copied, and a trip to a worker thread, in µs. */
  readonly ownUsP50: number
  /** One trip to a worker thread and back with nothing to do there, in the same run, in µs. */
  readonly handOffUsP50: number
  /** From the feed to the answer with the model in a child process, as runbooks open it, in µs. */
  readonly isolatedUsP50: number
}

/**
 * Measure. It compiles the stand-in first if it is not there yet. Both ways take turns, so that a busy second burdens
 * both alike.
 *
 * @param o.path where a small HEF may be written
 * @throws FfiError `absent` without a compiler
 */
export async function benchHailort({
  path,
  frames = 3000,
  rounds = 10,
}: {
  path: string
  frames?: number
  rounds?: number
}): Promise<HailortBench> {
  const quantization = { scale: 0.1, limvalsMin: -12.8, limvalsMax: 12.7 }
  writeFileSync(
    path,
    writeHef({
      groups: [
        {
          name: 'net',
          inputs: [
            {
              name: 'net/in',
              shape: { height: 1, width: 8, features: 1 },
              quantization: { ...quantization, zeroPoint: 128 },
            },
          ],
          outputs: [
            {
              name: 'net/out',
              shape: { height: 1, width: 8, features: 2 },
              quantization: { ...quantization, zeroPoint: 100 },
            },
          ],
        },
      ],
      model: halfModel(),
    }),
  )
  const env = { HAILORT_LIB: hailortStandin({ profile: 'C' }) }
  const model = await openHailortBackend(path, { env })
  await using bare = await openBare(path, env)
  const name = model.inputs[0]!.name
  const feeds = { [name]: float32(model.inputs[0]!.shape.map(Number), new Float32Array(8).fill(0.5)) }
  const [oursUs, bareUs, handOffUs]: [number[], number[], number[]] = [[], [], []]
  const nothing = koffi().load(null).func('int getppid(void)') as NativeFunction<[], number>
  for (let round = 0; round < rounds; round++) {
    oursUs.push(...(await timesUs(frames / rounds, () => model.infer(feeds))))
    bareUs.push(...(await timesUs(frames / rounds, () => bare.frame())))
    handOffUs.push(...(await timesUs(frames / rounds, () => settled(nothing))))
  }
  await model[Symbol.asyncDispose]()
  const [frameUsP50, deviceUsP50, handOffUsP50] = [median(oursUs), median(bareUs), median(handOffUs)]
  await using isolated = await openIsolated(path, { env })
  const isolatedUsP50 = median(await timesUs(frames / rounds, () => isolated.infer(feeds)))
  const ownUsP50 = frameUsP50 - deviceUsP50
  return { library: model.library, frames, frameUsP50, deviceUsP50, ownUsP50, handOffUsP50, isolatedUsP50 }
}

/**
 * The same frame by two plain calls on this thread, with memory that is ready: what the library and the device take
 * themselves.
 */
async function openBare(
  path: string,
  env: Readonly<Record<string, string>>,
): Promise<AsyncDisposable & { frame(): void }> {
  const hailort = openHailort({ env })
  const vdevice = await VDevice.open(hailort, { groupId })
  const hef = await Hef.fromFile(hailort, path)
  const group = await configure(vdevice, hef).finally(() => hef[Symbol.asyncDispose]())
  const [[input], [output]] = [await group.openInputs(), await group.openOutputs()]
  const [sent, got] = [new Float32Array(8).fill(0.5), new Float32Array(16)]
  const deed = { act: 'measure', thing: path }
  return {
    frame() {
      hailort.call('hailo_vstream_write_raw_buffer', deed, input!.handle, sent, sent.byteLength)
      hailort.call('hailo_vstream_read_raw_buffer', deed, output!.handle, got, got.byteLength)
    },
    [Symbol.asyncDispose]: () => vdevice[Symbol.asyncDispose](),
  }
}

async function timesUs(count: number, work: () => unknown): Promise<number[]> {
  for (let i = 0; i < 50; i++) await work()
  const us: number[] = []
  for (let i = 0; i < count; i++) {
    const startedMs = performance.now()
    await work()
    us.push((performance.now() - startedMs) * 1000)
  }
  return us
}
