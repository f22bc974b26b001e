/**
 * Measures what our side of a native call costs, on each runtime.
 *
 * The cells of `runbooks/bench.ts --suite ffi`: the real ONNX Runtime, and stand-ins of TensorRT and HailoRT. Bounds
 * are the contract's.
 */
import { benchTensorRt } from './tensorrt.ts'
import { readContract } from '../contract/contract.ts'
import type { Inputs } from '../notebook/inputs/inputs.ts'
import type { Tools } from '../notebook/run/session.ts'
import { table } from '../notebook/display/show.ts'
import { benchHailort } from './hailort.ts'
import { benchOrt } from './ort.ts'

/** The values of `contracts/ffi.contract.json`: what a native call may cost on our side of it. */
interface NativeContract {
  readonly bench: {
    readonly ortLatencyRatioMin: number
    readonly ortHeapBytesPerCallMax: number
    readonly ortCollectionsMax: number
    readonly ortSlotsRatioMin: number
    readonly vtableCallUsMax: number
    readonly tensorRtStepUsMax: number
    readonly hailortFrameHandOffsMax: number
  }
}

/**
 * Measure, show and judge.
 *
 * @throws RunbookError as the three benches
 */
export async function benchNative({
  run,
  cell,
  gate,
  stamp,
}: Pick<Tools<Inputs>, 'run' | 'cell' | 'gate' | 'stamp'>): Promise<void> {
  const { bench, sha256 } = readContract<NativeContract>('ffi')
  stamp({ contract: sha256 })
  const atMost = (name: string, value: number, bound: number, unit?: string) =>
    gate(name, value, { atMost: bound }, unit ? { unit } : {})
  const ort = await cell('Call ONNX Runtime through its C API and through onnxruntime-node', async ({ show }) => {
    const found = await benchOrt()
    show(table([found], { title: 'one tiny model, one larger one' }))
    return found
  })
  gate('median latency, onnxruntime-node over the C API', ort.latencyRatio, { atLeast: bench.ortLatencyRatioMin })
  atMost('heap per call', ort.heapBytesPerCall, bench.ortHeapBytesPerCallMax, 'B')
  atMost('garbage collections', ort.collections, bench.ortCollectionsMax)
  gate('two async slots over one', ort.slotsRatio, { atLeast: bench.ortSlotsRatioMin })
  const trt = await cell('Step through a stand-in of TensorRT', async ({ show }) => {
    const found = await benchTensorRt()
    show(table([found]))
    return found
  })
  atMost('one vtable call', trt.vtableCallNs / 1000, bench.vtableCallUsMax, 'µs')
  atMost('one inference step', trt.stepUs, bench.tensorRtStepUsMax, 'µs')
  const hailort = await cell('Send frames through a stand-in of HailoRT', async ({ show }) => {
    const found = await benchHailort({ path: run.path('small.hef') })
    show(table([found]))
    return found
  })
  // Against a plain trip to a worker thread in the same run: both say how busy the machine is, their ratio does not.
  atMost('our part of one frame, in hand-offs', hailort.ownUsP50 / hailort.handOffUsP50, bench.hailortFrameHandOffsMax)
}
