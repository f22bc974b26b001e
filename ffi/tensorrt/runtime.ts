/**
 * Makes an engine of a plan, and says what goes in and out.
 *
 * Runtime, engine and inspector. Each new object is asked who it is before anything else; running is in `step.ts`,
 * building in `builder.ts`.
 */
import { FfiError } from '../errors.ts'
import { versionText } from './abi/abi.ts'
import { failed } from './causes.ts'
import { canary, type TensorRt } from './open.ts'
import { againHint, planVersionOf } from './plan-version.ts'
import { objectOf, type NativeObject } from './abi/vtable.ts'

/** Element type as TensorRT names it in our words: `float32`, `float16`, `int64`, `bool`, … */
export type ElementType = string

/** Shapes that an input may take under a profile. */
export interface ProfileRange {
  readonly min: readonly number[]
  readonly opt: readonly number[]
  readonly max: readonly number[]
}

/** Input or output of an engine. */
export interface IoTensor {
  readonly name: string
  readonly mode: 'input' | 'output'
  readonly dtype: ElementType
  /** -1 where the plan leaves the extent open. */
  readonly shape: readonly number[]
  /** Where its values must lie. */
  readonly location: 'device' | 'host'
  /** Whether its values decide shapes. */
  readonly isShape: boolean
  /** Row-major without padding, which is all that the bindings fill. */
  readonly isLinear: boolean
  /** Of an input, one range for each profile of the plan; of an output, none. */
  readonly profiles: readonly ProfileRange[]
}

/** How a plan is opened. */
export interface EngineOptions {
  /** Accept a version-compatible plan of another minor, which carries code of its own: only from a source you trust. */
  readonly trustHostCode?: boolean
}

/** A deserialised plan. */
export interface Engine {
  readonly rt: TensorRt
  readonly object: NativeObject
  readonly name: string
  readonly layers: number
  readonly profileCount: number
  readonly tensors: readonly IoTensor[]
  /** What the engine is made of, as JSON text; more of it when it was built with detailed profiling. */
  inspect(): string
  /**
   * A context to run in; for a caller that has the logger's turn.
   *
   * @throws FfiError `status` when TensorRT cannot make one (memory, usually)
   */
  createContext(): Promise<NativeObject>
  /** Delete engine and runtime. Contexts must be gone, and the logger mute. A second time does nothing. */
  close(): void
}

/**
 * Read a plan.
 *
 * @param plan its bytes
 * @param label what to call it in errors, such as its path
 * @throws FfiError `usage` for a broken plan; `refused` for one of another version, and for a library whose slots are
 *   elsewhere; `status` when TensorRT cannot read it
 */
export async function deserialize(
  rt: TensorRt,
  plan: Uint8Array,
  label: string,
  { trustHostCode = false }: EngineOptions = {},
): Promise<Engine> {
  mustFit(rt, plan, label, trustHostCode)
  return rt.logger.inTurn(() => read(rt, plan, label, trustHostCode))
}

async function read(rt: TensorRt, plan: Uint8Array, label: string, trustHostCode: boolean): Promise<Engine> {
  const runtime = await rt.create('IRuntime')
  try {
    canary(rt, runtime, 'getPImpl', runtime.pointer)
    canary(rt, runtime, 'getLogger', rt.logger.pointer)
    if (trustHostCode) runtime.call('setEngineHostCodeAllowed', true)
    const more = rt.version.major === 8 ? [null] : []
    const pointer = objectOf(await runtime.later('deserializeCudaEngine', plan, plan.length, ...more))
    if (pointer === null) {
      const what = `open "${label}"`
      throw failed({ call: 'deserializeCudaEngine', what, file: label, logger: rt.logger, version: rt.version })
    }
    const object = rt.vtables.object('ICudaEngine', pointer)
    try {
      canary(rt, object, 'getPImpl', pointer)
      return engineOf(rt, runtime, object)
    } catch (thrown) {
      object.delete()
      throw thrown
    }
  } catch (thrown) {
    runtime.delete()
    throw thrown
  }
}

function mustFit(rt: TensorRt, plan: Uint8Array, label: string, trustHostCode: boolean): void {
  const written = planVersionOf(plan)
  if (typeof written === 'string')
    throw new FfiError('usage', `Cannot open "${label}": ${written}`, againHint, { file: label })
  const { major, minor, patch } = rt.version
  const isSame = written.major === major && (trustHostCode || (written.minor === minor && written.patch === patch))
  if (isSame) return
  throw new FfiError(
    'refused',
    `Cannot open "${label}": TensorRT ${versionText(written)} wrote it, and this is ` +
      `${versionText(rt.version)} ("${rt.library.path}")`,
    `build it again with ${versionText(rt.version)} (trtexec --onnx=… --saveEngine=…), ` +
      `or set TENSORRT_LIB to a libnvinfer.so of ${versionText(written)}`,
    { file: label },
  )
}

/** More than any plan has of anything. */
const countMax = 1 << 16

function countOf(object: NativeObject, method: string): number {
  const count = object.number(method)
  if (count >= 0 && count <= countMax) return count
  const state = `${method} tells of ${count}, and at most ${countMax} can be`
  throw new FfiError('refused', `Cannot use the engine: ${state}`, 'reinstall TensorRT, or set TENSORRT_LIB', {
    said: state,
  })
}

function engineOf(rt: TensorRt, runtime: NativeObject, object: NativeObject): Engine {
  const profileCount = countOf(object, 'getNbOptimizationProfiles')
  const names = Array.from(
    { length: countOf(object, 'getNbIOTensors') },
    (_, i) => object.text('getIOTensorName', i) ?? '',
  )
  return {
    rt,
    object,
    name: object.text('getName') ?? '',
    layers: object.number('getNbLayers'),
    profileCount,
    tensors: names.map(name => tensorOf({ rt, object, name, profileCount })),
    inspect: () => inspect(rt, object),
    async createContext() {
      // 10 and later take a strategy: 0 reserves the memory of the largest profile now.
      const strategy = rt.version.major === 8 ? [] : [0]
      const pointer = objectOf(await object.later('createExecutionContext', ...strategy))
      if (pointer === null) throw failed({ call: 'createExecutionContext', logger: rt.logger, version: rt.version })
      const context = rt.vtables.object('IExecutionContext', pointer)
      canary(rt, context, 'getPImpl', pointer)
      canary(rt, context, 'getEngine', object.pointer)
      return context
    },
    close() {
      object.delete()
      runtime.delete()
    },
  }
}

// TensorIOMode, TensorLocation, TensorFormat and OptProfileSelector of NvInferRuntime.h.
const modes: Record<number, IoTensor['mode']> = { 1: 'input', 2: 'output' }
const hostLocation = 1
const linearFormat = 0
const selectors = { min: 0, opt: 1, max: 2 } as const

function tensorOf({
  rt,
  object,
  name,
  profileCount,
}: {
  rt: TensorRt
  object: NativeObject
  name: string
  profileCount: number
}): IoTensor {
  const mode = modes[object.number('getTensorIOMode', name)]
  const shape = object.shape('getTensorShape', name)
  const dtype = rt.abi.dataTypes[object.number('getTensorDataType', name)]
  if (!mode || !shape || dtype === undefined) {
    throw new FfiError(
      'refused',
      `Cannot use the tensor "${name}": the engine names it and does not describe it`,
      'build the plan again',
    )
  }
  const range = (profile: number): ProfileRange => {
    const at = (select: keyof typeof selectors) =>
      object.shape('getProfileShape', name, profile, selectors[select]) ?? shape
    return { min: at('min'), opt: at('opt'), max: at('max') }
  }
  return {
    name,
    mode,
    dtype,
    shape,
    location: object.number('getTensorLocation', name) === hostLocation ? 'host' : 'device',
    isShape: object.flag('isShapeInferenceIO', name),
    isLinear: object.number('getTensorFormat', name) === linearFormat,
    profiles: mode === 'input' ? Array.from({ length: profileCount }, (_, profile) => range(profile)) : [],
  }
}

const jsonFormat = 1

function inspect(rt: TensorRt, engine: NativeObject): string {
  const pointer = objectOf(engine.address('createEngineInspector'))
  if (pointer === null) throw failed({ call: 'createEngineInspector', logger: rt.logger, version: rt.version })
  const inspector = rt.vtables.object('IEngineInspector', pointer)
  try {
    return inspector.text('getEngineInformation', jsonFormat) ?? ''
  } finally {
    inspector.delete()
  }
}
