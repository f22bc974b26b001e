/**
 * Gives tests a TensorRT of a version that they name.
 *
 * Compiles libcudart.so, libnvinfer.so and libnvonnxparser.so stand-ins, and gives the environment under which the
 * bindings find them. The names of faults are in `testing/cuda/fault.h`.
 */
import { join } from 'node:path'
import { koffi } from '../../load.ts'
import type { TensorRtVersion } from '../../tensorrt/abi/abi.ts'
import { buildStandin } from '../build.ts'
import { writeDeclarations, type Shift } from './declarations.ts'

const here = import.meta.dirname
/** Helpers of one library must not take the place of another's of the same name. */
const hidden = '-fvisibility=hidden'
/** The logger that the stand-in calls was made without a compiler, so it has no type information for this one check. */
const handMade = '-fno-sanitize=vptr'

/** One of each known major. */
export const standinVersions: readonly TensorRtVersion[] = [
  { major: 8, minor: 6, patch: 1 },
  { major: 10, minor: 13, patch: 3 },
  { major: 11, minor: 1, patch: 0 },
]

/** The libraries of a stand-in, the variables that name them, and their counts. */
export interface TensorRtStandin {
  readonly version: TensorRtVersion
  readonly cudart: string
  readonly nvinfer: string
  /** Null for a lean one. */
  readonly parser: string | null
  /** CUDART_LIB, TENSORRT_LIB and TENSORRT_PARSER_LIB. */
  readonly env: Record<string, string>
  /** TensorRT objects, device and host buffers, streams and events that live. */
  live(): Record<'objects' | 'device' | 'host' | 'stream' | 'event', number>
  /** Start counting calls for faults anew. */
  reset(): void
  /** Make every CUDA call fail with a status, as a lost device does; 0 brings it back. */
  lose(status: number): void
}

/** Which stand-in is compiled. */
export interface StandinOptions {
  /** Put a method too many at a slot: a layout that no table describes. */
  readonly shift?: Shift
  /** For AddressSanitizer. */
  readonly sanitize?: boolean
  /** Leave the builder out, as NVIDIA's lean runtime does. */
  readonly isLean?: boolean
}

/** The stand-in's CUDA runtime alone. */
export const buildCudart = ({ sanitize }: { sanitize?: boolean | undefined } = {}): string =>
  buildStandin([join(here, '../cuda/cudart.cpp')], { out: 'libcudart.so', sanitize, flags: [hidden] })

/** Compile the stand-ins of a version. */
export function tensorRtStandin(
  version: TensorRtVersion,
  { shift, sanitize, isLean = false }: StandinOptions = {},
): TensorRtStandin {
  const cudart = buildCudart({ sanitize })
  const include = `-I${writeDeclarations(version, shift)}`
  const defines = { ...(shift ? { MOVED: true as const } : {}), ...(isLean ? { LEAN: true as const } : {}) }
  // Slots are compared by an optimising compiler, which takes three times as long: one build of each version is enough.
  const checked = shift || sanitize || isLean ? [] : ['-O1']
  // The path goes in whole: the loader then finds the very file that the bindings opened, and not a second copy of it.
  const nvinfer = buildStandin([join(here, 'nvinfer.cpp')], {
    out: 'libnvinfer.so',
    sanitize,
    defines,
    flags: [hidden, handMade, include, ...checked, '-Wl,--no-as-needed', cudart],
  })
  const parser = isLean
    ? null
    : buildStandin([join(here, 'nvonnxparser.cpp')], {
        out: 'libnvonnxparser.so',
        sanitize,
        flags: [hidden, handMade, include, ...checked, '-Wl,--no-as-needed', nvinfer],
      })
  const native = () => {
    const [trt, cuda] = [koffi().load(nvinfer), koffi().load(cudart)]
    const counts = [
      trt.func('int64_t standin_trt_live()'),
      ...(parser === null ? [] : [koffi().load(parser).func('int64_t standin_parser_live()')]),
    ]
    return {
      objects: counts as (() => number)[],
      cuda: cuda.func('int64_t standin_cuda_live(const char *kind)') as (kind: string) => number,
      resets: [trt.func('void standin_trt_reset()'), cuda.func('void standin_cuda_reset()')] as (() => void)[],
      lose: cuda.func('void standin_cuda_lose(int status)') as (status: number) => void,
    }
  }
  let bound: ReturnType<typeof native> | undefined
  const get = () => (bound ??= native())
  return {
    version,
    cudart,
    nvinfer,
    parser,
    env: { CUDART_LIB: cudart, TENSORRT_LIB: nvinfer, ...(parser === null ? {} : { TENSORRT_PARSER_LIB: parser }) },
    live() {
      const { objects, cuda } = get()
      const count = (kind: string) => Number(cuda(kind))
      const made = objects.reduce((sum, alive) => sum + Number(alive()), 0)
      return {
        objects: made,
        device: count('device'),
        host: count('host'),
        stream: count('stream'),
        event: count('event'),
      }
    },
    reset: () => get().resets.forEach(reset => reset()),
    lose: status => get().lose(status),
  }
}
