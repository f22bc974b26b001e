/**
 * Runs one inference again and again, with nothing allocated on the way.
 *
 * A context, a stream, and for each tensor a buffer on the device and a pinned one here whose view is made once.
 * Addresses are given to TensorRT once; a step is copies in, enqueueV3, copies out, and a wait. Feeds are not checked
 * here.
 */
import type { Cuda, CudaStream, DeviceBuffer, PinnedBuffer } from '../cuda/cuda.ts'
import type { CudaFunctions } from '../cuda/functions.ts'
import { FfiError } from '../errors.ts'
import type { NativeFunction } from '../load.ts'
import { failed } from './causes.ts'
import { mustBePlain } from './elements.ts'
import type { Engine, IoTensor } from './runtime.ts'
import {
  changeShapes,
  extentNow,
  setInputShapes,
  shapesText,
  type Extent,
  type ShapedContext,
  type Shapes,
} from './shapes.ts'

/** `shape` and `bytes` are those of the next step; nothing in them is open. */
export interface StepTensor extends Extent {
  readonly info: IoTensor
  /**
   * Pinned memory for the largest shape of the profile; the first `bytes` of it count. Not to be touched after `close`.
   */
  readonly host: Uint8Array
}

/** A context ready to run. */
export interface Step {
  readonly inputs: readonly StepTensor[]
  readonly outputs: readonly StepTensor[]
  /**
   * Change the shapes of inputs, and with them the outputs'. Inputs that share an axis are changed in one call. All or
   * none: after an error the shapes from before are in force.
   *
   * @throws FfiError `usage` for a shape outside the profile, and for shapes that disagree
   */
  setShapes(shapes: Shapes): void
  /** Run on this thread: the event loop stands still until the device is done. */
  run(): void
  /**
   * Enqueue on this thread, wait on a worker thread. One at a time. Waits while another model of this library is being
   * opened.
   */
  runLater(): Promise<void>
  /** Give everything back; the logger must be mute. A second time does nothing. */
  close(): void
}

interface Slot extends StepTensor {
  shape: Extent['shape']
  bytes: Extent['bytes']
  readonly device: DeviceBuffer | null
  readonly pinned: PinnedBuffer
}

/**
 * Make a context ready to run.
 *
 * @param options.profile which of the plan's profiles; 0 unless told
 * @throws FfiError `usage` for no such profile; `refused` for a tensor that these bindings cannot hold; `status` for
 *   lack of memory
 */
export async function createStep(
  engine: Engine,
  cuda: Cuda,
  { profile = 0 }: { profile?: number } = {},
): Promise<Step> {
  mustHold(engine, profile)
  return engine.rt.logger.inTurn(() => create(engine, cuda, profile))
}

async function create(engine: Engine, cuda: Cuda, profile: number): Promise<Step> {
  const undo: (() => void)[] = []
  const keep: Keep = (thing, give) => {
    undo.push(() => give(thing))
    return thing
  }
  try {
    const stream = keep(cuda.createStream(), it => it.destroy())
    const context = keep(await engine.createContext(), it => it.delete())
    const slots = bindAll({ engine, cuda, context, stream, profile, keep })
    return stepOf({ engine, cuda, context, stream, profile, slots, undo })
  } catch (thrown) {
    releaseAll(undo)
    throw thrown
  }
}

function mustHold({ tensors, profileCount }: Engine, profile: number): void {
  if (!Number.isInteger(profile) || profile < 0 || profile >= Math.max(1, profileCount)) {
    throw new FfiError(
      'usage',
      `Cannot use profile ${profile}: the plan has ${profileCount}`,
      profileCount > 1 ? `choose 0 to ${profileCount - 1}` : 'choose 0',
      { said: `it has ${profileCount} profiles, and profile ${profile} was asked for` },
    )
  }
  for (const tensor of tensors) mustBePlain(tensor)
}

/** Remember how a thing is given back; gives the thing. */
type Keep = <T>(thing: T, give: (thing: T) => void) => T

interface Ground extends ShapedContext {
  readonly cuda: Cuda
  readonly stream: CudaStream
}

/** Buffers for the largest shapes, bound once. */
function bindAll({ keep, ...ground }: Ground & { keep: Keep }): Slot[] {
  const { engine, cuda, context, stream, profile } = ground
  if (profile > 0) {
    mustSucceed(
      engine,
      context.flag('setOptimizationProfileAsync', profile, stream.pointer),
      'setOptimizationProfileAsync',
    )
    stream.wait()
  }
  const inputs = engine.tensors.filter(({ mode }) => mode === 'input')
  const largest = Object.fromEntries(inputs.map(({ name, shape, profiles }) => [name, profiles[profile]?.max ?? shape]))
  setInputShapes(ground, largest)
  return engine.tensors.map(info => {
    const extent = extentNow(ground, info)
    if (!extent) throw unknownShape(info, largest)
    const { bytes } = extent
    const pinned = keep(cuda.allocPinned(Math.max(1, bytes)), it => it.free())
    const device = info.location === 'device' ? keep(cuda.alloc(Math.max(1, bytes)), it => it.free()) : null
    mustSucceed(
      engine,
      context.flag('setTensorAddress', info.name, device?.pointer ?? pinned.pointer),
      `setTensorAddress("${info.name}")`,
    )
    return { info, ...extent, host: pinned.view, device, pinned }
  })
}

const unknownShape = ({ name }: IoTensor, largest: Shapes) =>
  new FfiError(
    'refused',
    `Cannot bind "${name}": its shape depends on values, or the profile's largest shapes disagree ` +
      `(${shapesText(largest)})`,
    'build a plan whose output shapes follow from its input shapes, with the same range for an axis that inputs share',
    {
      said:
        `the shape of "${name}" depends on values, or the profile's largest shapes disagree ` +
        `(${shapesText(largest)})`,
    },
  )

function stepOf({ slots, undo, ...ground }: Ground & { slots: readonly Slot[]; undo: (() => void)[] }): Step {
  const { engine, stream } = ground
  const [inputs, outputs] = (['input', 'output'] as const).map(mode =>
    slots.filter(({ info }) => info.mode === mode),
  ) as [Slot[], Slot[]]
  const enqueueNow = enqueuer({ ...ground, inputs, outputs })
  const { logger } = engine.rt
  let state: 'open' | 'running' | 'closed' = 'open'
  const begin = () => {
    if (state !== 'open')
      throw new Error(state === 'closed' ? 'the step is closed' : 'the step before is still under way')
    state = 'running'
  }
  const self: Step = {
    inputs,
    outputs,
    setShapes(shapes) {
      if (state !== 'open') throw new Error(`a shape cannot be set: the step is ${state}`)
      changeShapes(ground, slots, shapes)
    },
    run() {
      begin()
      try {
        enqueueNow()
        stream.wait()
      } finally {
        state = 'open'
      }
    },
    async runLater() {
      begin()
      try {
        while (!logger.isMute) await logger.whenMute()
        enqueueNow()
        await stream.done()
      } finally {
        state = 'open'
      }
    },
    close() {
      if (state === 'closed') return
      if (state === 'running') throw new Error('the step is still under way')
      state = 'closed'
      // After a step that failed half way, copies may still be under way.
      releaseAll([...undo, () => stream.wait()])
    },
  }
  return self
}

interface Ports {
  readonly inputs: readonly Slot[]
  readonly outputs: readonly Slot[]
}

/** The hot path. Functions, addresses and counts are taken out of their objects once. */
function enqueuer({ engine, cuda, context, stream, inputs, outputs }: Ground & Ports): () => void {
  const { cudaMemcpyAsync }: CudaFunctions = cuda.functions
  const { check } = cuda
  const { self } = context
  const { pointer } = stream
  const { logger } = engine.rt
  const enqueue = context.method('enqueueV3') as NativeFunction<[bigint, bigint], boolean>
  const onDevice = (slots: readonly Slot[]) =>
    slots.flatMap(slot => (slot.device ? [{ slot, device: slot.device.pointer, host: slot.pinned.pointer }] : []))
  const [into, outOf] = [onDevice(inputs), onDevice(outputs)]
  return () => {
    if (!logger.isMute) logger.mustBeMute('IExecutionContext.enqueueV3')
    // Counted loops: an iterator and its results are objects.
    for (let i = 0; i < into.length; i++) {
      const { slot, device, host } = into[i]!
      check('cudaMemcpyAsync to the device', cudaMemcpyAsync(device, host, slot.bytes, 1, pointer))
    }
    if (!enqueue(self, pointer)) {
      const state = cuda.lastError()
      const said = `enqueueV3 answers false${state ? `, and CUDA says ${state}` : ''}`
      const hint = 'run the plan with: trtexec --loadEngine=<plan> --verbose'
      throw new FfiError('status', `Cannot run the engine: ${said}`, hint, { said })
    }
    for (let i = 0; i < outOf.length; i++) {
      const { slot, device, host } = outOf[i]!
      check('cudaMemcpyAsync from the device', cudaMemcpyAsync(host, device, slot.bytes, 2, pointer))
    }
  }
}

function mustSucceed({ rt }: Engine, isDone: boolean, call: string): void {
  if (!isDone) throw failed({ call, logger: rt.logger, version: rt.version })
}

/** Newest first. Everything is given back, whatever fails: after a device is lost every call fails. */
function releaseAll(undo: readonly (() => void)[]): void {
  for (const release of undo.toReversed()) {
    try {
      release()
    } catch (thrown) {
      if (!(thrown instanceof FfiError)) throw thrown
    }
  }
}
