/**
 * Runs a TensorRT plan on this machine's GPU.
 *
 * The plan's own header is read before the library is opened, so that a file that is no plan, or one of another
 * version, is named as such. Feeds are checked, copied into pinned memory, and run off the event loop. Building a plan
 * is in `ffi/tensorrt`. The GPU is the first that CUDA shows (`CUDA_VISIBLE_DEVICES` chooses it): slow calls run on
 * worker threads, where no other is current.
 */
import { performance } from 'node:perf_hooks'
import { openCuda } from '../../../ffi/cuda/cuda.ts'
import { versionText } from '../../../ffi/tensorrt/abi/abi.ts'
import { openTensorRt } from '../../../ffi/tensorrt/open.ts'
import { againHint, planVersionOf } from '../../../ffi/tensorrt/plan-version.ts'
import { deserialize, type Engine, type IoTensor } from '../../../ffi/tensorrt/runtime.ts'
import { createStep, type Step, type StepTensor } from '../../../ffi/tensorrt/step.ts'
import { fileKind, fileKindBytes } from '../../formats/file-kind.ts'
import { arrayOf, sizeOf, type Dtype, type Tensor, type TensorData } from '../../formats/tensors/tensor.ts'
import { readFile, readHead } from '../../host/files.ts'
import { Turns } from '../../base/async.ts'
import { usageError } from '../../base/errors.ts'
import { checkFeeds, type Backend, type Feeds, type Results, type TensorInfo } from '../backend.ts'
import { operatingError } from '../native-error.ts'
import type { TensorRtOptions } from './types.ts'

/** A plan that is open. Results are valid until the next `infer`. */
export interface TensorRtBackend extends Backend {
  /**
   * As `infer`, on this thread: the event loop stands still.
   *
   * @throws RunbookError as `infer`; Error while another question is answered; usage while another model of this
   *   TensorRT is being opened
   */
  inferSync(feeds: Feeds): Results
}

/**
 * Open a plan.
 *
 * @throws RunbookError usage for a file that is no plan, or a damaged one; blocked when the file, a library or the
 *   device is absent, or of another version; fail when TensorRT or CUDA cannot do it
 */
export async function openTensorRtPlan(path: string, options: TensorRtOptions = {}): Promise<TensorRtBackend> {
  const { engine, step, loadMs, device } = await openPlanStep(path, options)
  return backendOf({ path, engine, step, loadMs, device })
}

/** A plan with a step that runs it. */
export interface PlanStep {
  readonly engine: Engine
  readonly step: Step
  readonly loadMs: number
  readonly device: string
}

/**
 * Open a plan as a step, whose pinned memory the caller writes and reads.
 *
 * @throws RunbookError as `openTensorRtPlan`
 */
export async function openPlanStep(path: string, options: TensorRtOptions = {}): Promise<PlanStep> {
  mustBePlan(path)
  try {
    return await open({ path, plan: readFile(path), options })
  } catch (thrown) {
    throw failureOf(thrown, path)
  }
}

/** Close a step and its plan. Objects are deleted once no thread of the library waits for JavaScript. */
export async function closePlanStep({ engine, step }: PlanStep): Promise<void> {
  await untilMute(engine)
  step.close()
  engine.close()
}

/** What is no plan is named as what it is, on a machine without TensorRT too. */
function mustBePlan(path: string): void {
  const head = readHead(path, fileKindBytes)
  const kind = fileKind(head)
  const other = kind?.id === 'plan' ? null : kind
  const problem = other ? `it is ${other.name}` : planVersionOf(head)
  if (typeof problem === 'string')
    throw usageError(`Cannot read "${path}" as a TensorRT plan: ${problem}`, other?.hint ?? againHint)
}

async function open({
  path,
  plan,
  options: { profile = 0, trustHostCode = false, env = process.env },
}: {
  path: string
  plan: Uint8Array
  options: TensorRtOptions
}): Promise<PlanStep> {
  const rt = openTensorRt({ env })
  const cuda = openCuda({ env })
  const gpu = cuda.device(0)
  const startedMs = performance.now()
  const engine = await deserialize(rt, plan, path, { trustHostCode })
  try {
    const step = await createStep(engine, cuda, { profile })
    const loadMs = performance.now() - startedMs
    const name = `${gpu.name} ${gpu.pciBusId} (TensorRT ${versionText(rt.version)}, CUDA ${cuda.runtimeVersion})`
    return { engine, step, loadMs, device: name }
  } catch (thrown) {
    await untilMute(engine)
    engine.close()
    throw thrown
  }
}

/** Objects are deleted on this thread, which must not meet a library's thread that waits for JavaScript. */
async function untilMute({ rt: { logger } }: Engine): Promise<void> {
  while (!logger.isMute) await logger.whenMute()
}

interface Parts extends PlanStep {
  readonly path: string
}

function backendOf({ path, engine, step, loadMs, device }: Parts): TensorRtBackend {
  const inputs = step.inputs.map(({ info }) => infoOf(info))
  const ports = { inputs: step.inputs.map(portOf), outputs: step.outputs.map(portOf) }
  const turns = new Turns()
  let closing: Promise<void> | undefined

  const mustBeOpen = () => {
    if (closing) throw new Error(`the model "${path}" is closed`)
  }
  const put = (feeds: Feeds) => {
    const changed = step.inputs.filter(({ info, shape }) => !isSame(feeds[info.name]!.shape, shape))
    if (changed.length > 0)
      step.setShapes(Object.fromEntries(changed.map(({ info }) => [info.name, feeds[info.name]!.shape])))
    for (const { tensor, pinned } of ports.inputs) pinned.set(feeds[tensor.info.name]!.data as never)
  }
  const take = (isFresh: boolean): Results =>
    Object.fromEntries(ports.outputs.map(port => [port.tensor.info.name, port.take(isFresh)]))
  const runNext = async (feeds: Feeds): Promise<Results> => {
    try {
      await untilMute(engine)
      put(feeds)
      await step.runLater()
      // Whoever waits in line would write over these results before anyone could read them.
      return take(turns.waiting > 0)
    } catch (thrown) {
      throw failureOf(thrown, path)
    }
  }
  /** Questions that were asked before are answered. */
  const close = async () => {
    await turns.settled()
    await closePlanStep({ engine, step, loadMs, device })
  }
  return {
    name: 'tensorrt',
    device,
    inputs,
    outputs: step.outputs.map(({ info }) => infoOf(info)),
    loadMs,
    async infer(feeds) {
      mustBeOpen()
      checkFeeds(feeds, inputs)
      return turns.take(() => runNext(feeds))
    },
    inferSync(feeds) {
      mustBeOpen()
      if (!turns.isIdle) throw new Error(`the model "${path}" is answering another question`)
      checkFeeds(feeds, inputs)
      try {
        put(feeds)
        step.run()
        return take(false)
      } catch (thrown) {
        throw failureOf(thrown, path)
      }
    },
    // A second one waits for the first.
    [Symbol.asyncDispose]: () => (closing ??= close()),
  }
}

const isSame = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((n, axis) => n === b[axis])

const infoOf = ({ name, dtype, shape }: IoTensor): TensorInfo => ({
  name,
  dtype: dtype as Dtype,
  shape: shape.map(n => (n < 0 ? '?' : n)),
})

interface Port {
  readonly tensor: StepTensor
  /** All of the pinned memory, as the tensor's own type. */
  readonly pinned: TensorData
  /**
   * A copy of what counts, in an array that is used again unless it is to be fresh. Pinned memory itself dies with the
   * model.
   */
  take(isFresh: boolean): Tensor
}

/** What the constructors of typed arrays have in common. */
interface ArrayType {
  readonly BYTES_PER_ELEMENT: number
  new (length: number): TensorData
  new (buffer: ArrayBufferLike, offset: number, length: number): TensorData
}

/** All of a tensor's pinned memory, as its own type. It dies with the step. */
export function pinnedOf({ info, host: { buffer, byteOffset, byteLength } }: StepTensor): TensorData {
  const type = arrayOf[info.dtype as Dtype] as unknown as ArrayType
  return new type(buffer, byteOffset, Math.floor(byteLength / type.BYTES_PER_ELEMENT))
}

function portOf(tensor: StepTensor): Port {
  const dtype = tensor.info.dtype as Dtype
  const type = arrayOf[dtype] as unknown as ArrayType
  const pinned = pinnedOf(tensor)
  let kept = new type(sizeOf(tensor.shape))
  return {
    tensor,
    pinned,
    take(isFresh) {
      const count = sizeOf(tensor.shape)
      if (!isFresh && kept.length !== count) kept = new type(count)
      const data = isFresh ? new type(count) : kept
      data.set((pinned.length === count ? pinned : pinned.subarray(0, count)) as never)
      return { dtype, shape: tensor.shape, data }
    },
  }
}

/** What a native call threw, as an operating error that names the plan. A bug stays one. */
export const failureOf = (thrown: unknown, path: string) =>
  operatingError(thrown, ({ file, said }) =>
    file === path || said === undefined ? {} : { message: `Cannot run "${path}": ${said}` },
  )
