/**
 * Opens a TensorRT of this machine, and proves that its layout is known.
 *
 * Opens libnvinfer (libnvonnxparser is opened in `parser.ts`), asks for the version, picks the table of that version,
 * and makes the logger. Nothing is called by slot here.
 */
import { dirname, join } from 'node:path'
import { openCuda } from '../cuda/cuda.ts'
import { settled } from '../settled.ts'
import {
  bind,
  openLibrary,
  type FunctionSpec,
  type LibrarySpec,
  type NativeFunction,
  type OpenedLibrary,
} from '../load.ts'
import { FfiError } from '../errors.ts'
import { abiOfNumber, knownVersions, versionText, type Abi, type TensorRtVersion } from './abi/abi.ts'
import { failed } from './causes.ts'
import { createLogger, type Logger } from './logger.ts'
import { MemoryMap } from '../memory-map.ts'
import { objectOf, Vtables, type NativeObject } from './abi/vtable.ts'

type Env = Readonly<Record<string, string | undefined>>

const folders = [
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/local/lib',
  '/usr/local/tensorrt/lib',
  '/opt/tensorrt/lib',
  '/usr/local/cuda/lib64',
]
const install = "sudo apt install tensorrt, or NVIDIA's archive of TensorRT"

/** Where TensorRT is looked for. */
const tensorRtSpec: LibrarySpec = {
  title: 'TensorRT',
  env: 'TENSORRT_LIB',
  names: ['libnvinfer.so.10', 'libnvinfer.so.11', 'libnvinfer.so.8', 'libnvinfer.so'],
  folders,
  install,
}

/** Where the ONNX parser is looked for: beside libnvinfer first, for two versions of the two do not mix. */
export const parserSpec = (nvinfer: string, major: number): LibrarySpec => ({
  title: "TensorRT's ONNX parser",
  env: 'TENSORRT_PARSER_LIB',
  names: [
    join(dirname(nvinfer), `libnvonnxparser.so.${major}`),
    join(dirname(nvinfer), 'libnvonnxparser.so'),
    `libnvonnxparser.so.${major}`,
  ],
  folders,
  install,
})

interface NvinferSymbols {
  getInferLibVersion: NativeFunction<[], number>
  createInferRuntime_INTERNAL: NativeFunction<unknown[], unknown>
  createInferBuilder_INTERNAL?: NativeFunction<unknown[], unknown>
}

const symbols: { readonly [K in keyof NvinferSymbols]-?: FunctionSpec } = {
  getInferLibVersion: { prototype: 'int32_t getInferLibVersion()' },
  createInferRuntime_INTERNAL: { prototype: 'void *createInferRuntime_INTERNAL(void *logger, int32_t version)' },
  // The lean and the dispatch runtime have no builder.
  createInferBuilder_INTERNAL: {
    prototype: 'void *createInferBuilder_INTERNAL(void *logger, int32_t version)',
    optional: true,
  },
}

/** An open TensorRT: the ground on which runtimes and builders stand. */
export interface TensorRt {
  readonly library: OpenedLibrary
  readonly version: TensorRtVersion
  /** As the library writes it; it goes back into every create call. */
  readonly versionNumber: number
  readonly abi: Abi
  readonly logger: Logger
  readonly vtables: Vtables
  readonly env: Env
  readonly map: MemoryMap
  /**
   * Call one of the create functions on a worker thread.
   *
   * @throws `absent` where the library lacks it, or a runtime of 8.x would have no device; `status` when it answers
   *   null
   */
  create(what: 'IRuntime' | 'IBuilder'): Promise<NativeObject>
}

interface Core extends Omit<TensorRt, 'env' | 'create'> {
  create(what: 'IRuntime' | 'IBuilder', env: Env): Promise<NativeObject>
}

/** One for each library in this process, for TensorRT keeps the logger that it is given first. */
const open = new Map<string, Core>()

/**
 * Open the library. Opening it again gives the same logger.
 *
 * @throws FfiError `absent` when there is none or a symbol lacks; `refused` for a version whose methods have no known
 *   places
 */
export function openTensorRt({ env = process.env }: { env?: Env } = {}): TensorRt {
  const library = openLibrary(tensorRtSpec, { env })
  const core = open.get(library.path) ?? coreOf(library)
  open.set(library.path, core)
  return { ...core, env, create: what => core.create(what, env) }
}

function coreOf(library: OpenedLibrary): Core {
  const bound = bind<NvinferSymbols>(library, symbols)
  const versionNumber = bound.getInferLibVersion()
  const abi = abiOfNumber(versionNumber)
  const { version } = abi
  const map = new MemoryMap()
  const path = codePath(library, 'createInferRuntime_INTERNAL', map)
  const logger = createLogger(abi)
  const vtables = new Vtables({ abi, logger, libraries: [path], map })
  return {
    library,
    version,
    versionNumber,
    abi,
    logger,
    vtables,
    map,
    async create(what, env) {
      const create = what === 'IRuntime' ? bound.createInferRuntime_INTERNAL : bound.createInferBuilder_INTERNAL
      if (!create) {
        throw new FfiError(
          'absent',
          `Cannot build with "${library.path}": it has no builder`,
          `install the whole TensorRT ${versionText(version)} (${install})`,
        )
      }
      // 8.6 ends the process in createInferRuntime where CUDA does not start; this throws before.
      if (what === 'IRuntime' && version.major === 8) openCuda({ env }).deviceCount()
      const pointer = objectOf(
        await logger.during(() => settled(create as NativeFunction, logger.pointer, versionNumber)),
      )
      if (pointer === null) throw failed({ call: `create${what.replace('I', 'Infer')}`, logger, version })
      return vtables.object(what, pointer)
    },
  }
}

/** The file whose code a symbol is, as the kernel names it: links are resolved there. */
export function codePath(library: OpenedLibrary, symbol: string, map: MemoryMap): string {
  map.renew()
  const path = map.codeAt(library.handle.symbol(symbol) as bigint)
  if (path) return path
  throw new FfiError(
    'refused',
    `Cannot use "${library.path}": ${symbol} is not code of a file`,
    `install a version that is known (${knownVersions()})`,
  )
}

/**
 * Ask a new object who it is, as its own methods must know. A wrong answer means that the slots are not where the table
 * says.
 *
 * @throws FfiError `refused`
 */
export function canary(rt: TensorRt, object: NativeObject, method: string, expected: bigint): void {
  const answer = object.address(method)
  if (answer === expected) return
  throw new FfiError(
    'refused',
    `Cannot use TensorRT ${versionText(rt.version)} at "${rt.library.path}": unsupported ABI, ` +
      `${object.type}.${method} answers ${hex(answer ?? 0n)} and not ${hex(expected)}`,
    `install a version that is known (${knownVersions()}), and set TENSORRT_LIB to its libnvinfer.so`,
  )
}

const hex = (address: bigint) => `0x${address.toString(16)}`
