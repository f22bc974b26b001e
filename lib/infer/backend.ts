/**
 * Who answers when a model is asked?
 *
 * One face over every runtime. `openBackend` chooses by the artifact and never falls back silently: a runtime that is
 * not here
 * is an operating error that says what to install. The drivers are in files of their own (`ort-node.ts`).
 */
import { extname } from 'node:path'
import { readHead } from '../host/files.ts'
import { fileKind, fileKindBytes } from '../formats/file-kind.ts'
import { describe, sizeOf, type Dtype, type Tensor } from '../formats/tensors/tensor.ts'
import { usageError } from '../base/errors.ts'

/** Input or output of an open model. A dimension that the model leaves open is its name, or `?` where it has none. */
export interface TensorInfo {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly (number | string)[]
}

/** Tensors by the name of the input. */
export type Feeds = Readonly<Record<string, Tensor>>
/** Tensors by the name of the output. */
export type Results = Readonly<Record<string, Tensor>>

/** What a device says of itself, for the evidence. What it cannot tell is null. */
export interface Vitals {
  /** The hottest of its sensors, in °C. */
  readonly temperatureC: number | null
  /** One measurement, in W. */
  readonly powerW: number | null
}

/** A model opened on some runtime. Shapes are fixed after open; results are views until the next `infer`. */
export interface Backend extends AsyncDisposable {
  readonly name: 'ort' | 'hailort' | 'tensorrt' | 'null'
  /** Which silicon answers: `cpu (ONNX Runtime 1.30.0)`. */
  readonly device: string
  readonly inputs: readonly TensorInfo[]
  readonly outputs: readonly TensorInfo[]
  /** Reading the file and opening the session, in ms; loading the runtime's own library is not in it. */
  readonly loadMs: number
  /** What is worth knowing of this file on this device, though it runs. */
  readonly warnings?: readonly string[]
  /** Only where the runtime can ask its device. Errors: as `infer`. */
  vitals?(): Promise<Vitals>
  /**
   * Errors: usage for a feed of the wrong name, shape, type, or with NaN in it; fail when the runtime cannot do it; a
   * plain error
   * after the model was closed.
   */
  infer(feeds: Feeds): Promise<Results>
}

/** `auto` goes by the file. */
export const backendNames = ['auto', 'ort', 'hailort', 'tensorrt', 'null'] as const
/** Who may be asked for. */
export type BackendName = (typeof backendNames)[number]

/** Ways to call ONNX Runtime. */
export const ortDrivers = ['c', 'node'] as const

/** How a model is opened. An option means something to its own runtime, and nothing to the others. */
export interface BackendOptions {
  /** How ONNX Runtime is called: through its C API, or through the onnxruntime-node package. */
  readonly ortDriver?: (typeof ortDrivers)[number] | undefined
  /** Whether native code runs in a process of its own; by default where it talks to a device. */
  readonly isolate?: boolean | undefined
  /** Id of a Hailo device, as a scan tells it; one that the library chooses unless told. */
  readonly deviceId?: string | undefined
  /** Which network group of a HEF, where it has several. */
  readonly group?: string | undefined
  /** How long one frame may take on a Hailo device, in ms; 10 000 unless told. */
  readonly timeoutMs?: number | undefined
  /** Which optimization profile of a TensorRT plan; 0 unless told. */
  readonly profile?: number | undefined
  /** Accept a plan that carries code of its own: only from a source you trust. */
  readonly trustHostCode?: boolean | undefined
}

const runtimeOf: Record<string, BackendName> = {
  '.onnx': 'ort',
  '.ort': 'ort',
  '.hef': 'hailort',
  '.plan': 'tensorrt',
  '.engine': 'tensorrt',
}

/**
 * Open a model.
 * @param name `auto` chooses by the file's ending: `.onnx` and `.ort` are ONNX Runtime's, `.hef` is HailoRT's, `.plan`
 * and
 *   `.engine` are TensorRT's
 * @throws usage for a file of the wrong kind, blocked when the file or the runtime is absent
 */
export async function openBackend(name: BackendName, path: string, options: BackendOptions = {}): Promise<Backend> {
  const head = readHead(path, fileKindBytes)
  const ending = extname(path)
  const chosen = name === 'auto' ? runtimeOf[ending.toLowerCase()] : name
  if (chosen === undefined) {
    throw usageError(
      `Cannot tell who runs "${path}": the ending "${ending}" is unknown`,
      'give --backend ort, or a file that ends in .onnx, .ort, .hef or .plan',
    )
  }
  if (chosen !== 'null') refuseForeign({ path, head, runtime: chosen })
  const onDevice = chosen === 'hailort' || chosen === 'tensorrt'
  if (options.isolate ?? onDevice) {
    const { openIsolated } = await import('./isolate/parent.ts')
    return openIsolated(chosen, path, options)
  }
  return drivers[driverOf(chosen, options)]!(path, options)
}

/** How each runtime is opened; none is loaded before it is asked for. */
const drivers: Record<string, (path: string, options: BackendOptions) => Promise<Backend>> = {
  'ort-c': async path => (await import('./ort/c-api.ts')).openOrtC(path),
  'ort-node': async path => (await import('./ort/node-package.ts')).openOrtNode(path),
  hailort: async (path, options) => (await import('./hailort/backend.ts')).openHailortBackend(path, options),
  tensorrt: async (path, options) => (await import('./tensorrt/backend.ts')).openTensorRtPlan(path, options),
  null: async (path, options) => (await import('./null.ts')).openNull(path, options),
}

const driverOf = (name: BackendName, { ortDriver = 'c' }: BackendOptions) =>
  name === 'ort' ? `ort-${ortDriver}` : name

/** A file's own first bytes say more than its name. */
function refuseForeign({ path, head, runtime }: { path: string; head: Buffer; runtime: BackendName }): void {
  const kind = fileKind(head)
  const wanted = { hailort: 'hef', tensorrt: 'plan' }[runtime as string]
  if (wanted !== undefined && kind?.id !== wanted) {
    const begins = `it begins with ${JSON.stringify(head.subarray(0, 8).toString('latin1'))}`
    const title = runtime === 'hailort' ? 'HailoRT: it is not a HEF' : 'TensorRT: it is not a plan'
    const other = runtimeOf[extname(path).toLowerCase()]
    const byEnding =
      other !== undefined && other !== runtime
        ? `leave out --backend: ${extname(path)} is ${titles[other]}'s; or give a .${wanted}`
        : undefined
    throw usageError(
      `Cannot run "${path}" on ${title} (${kind?.name ?? begins})`,
      kind?.hint ?? byEnding ?? 'compile it again, or give another file',
    )
  }
  if (wanted === undefined && kind?.id === 'hef') {
    throw usageError(
      `Cannot run "${path}" on ONNX Runtime: it is a HEF, which only HailoRT runs`,
      'give --backend hailort, or the .onnx of the same rung',
    )
  }
  if (wanted === undefined && kind !== null && foreignToOnnx.has(kind.id)) {
    throw usageError(`Cannot run "${path}" on ONNX Runtime: it is ${kind.name}`, kind.hint)
  }
}

const titles: Readonly<Record<string, string>> = { ort: 'ONNX Runtime', hailort: 'HailoRT', tensorrt: 'TensorRT' }

const foreignToOnnx = new Set<string>(['plan', 'rtx', 'lfs', 'html', 'mock', 'json', 'tar', 'empty'])

/** Where the first NaN or infinity stands, or -1. A plain loop: twelve times as fast as `every(Number.isFinite)`. */
export function indexOfNonFinite(values: Float32Array | Float64Array): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i
  return -1
}

/** The bits of the exponent of a float16; all of them set mean NaN or infinity. */
const halfExponent = 0x7c00

function oddIn({ dtype, data }: Tensor): number {
  if (data instanceof Float32Array || data instanceof Float64Array) return indexOfNonFinite(data)
  return dtype === 'float16' ? (data as Uint16Array).findIndex(half => (half & halfExponent) === halfExponent) : -1
}

/** `mix float32[1, 1, 1, 16000], gain float32[1]`, as an error lists them. */
export const listed = (streams: readonly TensorInfo[]): string =>
  streams.map(stream => `${stream.name} ${describe(stream)}`).join(', ')

/** Check feeds against a model's inputs. Errors: usage, naming the input and both shapes. */
export function checkFeeds(feeds: Feeds, inputs: readonly TensorInfo[]): void {
  for (const name of Object.keys(feeds)) {
    if (inputs.some(info => info.name === name)) continue
    throw usageError(`Cannot feed "${name}": the model takes ${listed(inputs)}`, 'check the name')
  }
  for (const info of inputs) {
    const feed = feeds[info.name]
    if (!feed)
      throw usageError(`Cannot infer without "${info.name}": the model takes ${listed(inputs)}`, 'feed every input')
    const fits =
      feed.dtype === info.dtype &&
      feed.shape.length === info.shape.length &&
      info.shape.every((n, axis) => typeof n === 'string' || n === feed.shape[axis])
    if (!fits || feed.data.length !== sizeOf(feed.shape)) {
      const given = `${describe(feed)}${fits ? ` with ${feed.data.length} values` : ''}`
      throw usageError(
        `Cannot feed ${given} to "${info.name}": it takes ${describe(info)}`,
        'check the shape and the type',
      )
    }
    const odd = oddIn(feed)
    if (odd < 0) continue
    const state = `value ${odd} is ${feed.dtype === 'float16' ? 'NaN or infinite' : feed.data[odd]}`
    throw usageError(`Cannot feed "${info.name}": ${state}`, 'look for silence divided by silence, or a broken file')
  }
}
