/**
 * Reaches the memory of a GPU through the CUDA runtime, and puts work in order there.
 *
 * The CUDA runtime: device facts, device memory, pinned host memory as one long-lived view, copies and streams. Every
 * status goes through one check, which names the call, the status and the fix. Kernels are not launched from here.
 */
import { FfiError } from '../errors.ts'
import { bind, koffi, openLibrary, type LibrarySpec, type OpenedLibrary } from '../load.ts'
import { fixFor, noDriver } from './causes.ts'
import { cudaFunctions, type CudaFunctions, type Pointer } from './functions.ts'
import { settled } from '../settled.ts'

/** Where the CUDA runtime is looked for. */
const cudaSpec: LibrarySpec = {
  title: 'the CUDA runtime',
  env: 'CUDART_LIB',
  names: ['libcudart.so.12', 'libcudart.so.13', 'libcudart.so.11.0', 'libcudart.so'],
  folders: [
    '/usr/local/cuda/lib64',
    '/usr/local/cuda/targets/x86_64-linux/lib',
    '/usr/local/cuda/targets/aarch64-linux/lib',
    '/usr/lib/x86_64-linux-gnu',
    '/usr/lib/aarch64-linux-gnu',
    '/usr/lib/wsl/lib',
  ],
  install: 'sudo apt install cuda-cudart-12-8, or nvidia-cuda-runtime-cu12 of pip',
}

/** cudaMemcpyKind. */
export const copyKinds = { hostToDevice: 1, deviceToHost: 2, deviceToDevice: 3 } as const

/** A GPU, as CUDA tells it. */
export interface CudaDevice {
  readonly index: number
  readonly name: string
  /** `9.0` */
  readonly computeCapability: string
  readonly multiprocessors: number
  readonly pciBusId: string
  readonly freeBytes: number
  readonly totalBytes: number
}

/** Memory of the device. `free` a second time does nothing. */
export interface DeviceBuffer {
  readonly pointer: bigint
  readonly bytes: number
  free(): void
}

/**
 * Memory of this machine that the device copies from and to directly. `view` is made once, and must not be touched
 * after `free`.
 */
export interface PinnedBuffer {
  readonly pointer: bigint
  readonly view: Uint8Array
  free(): void
}

/** A queue of work on the device, done in order. */
export interface CudaStream {
  readonly pointer: bigint
  copy(o: { to: bigint; from: bigint; bytes: number; kind: keyof typeof copyKinds }): void
  /** Wait for all that was put into it, on a worker thread. */
  done(): Promise<void>
  /** Wait for all that was put into it, on this thread: the event loop stands still. */
  wait(): void
  isDone(): boolean
  destroy(): void
}

/**
 * An open CUDA runtime.
 *
 * @throws FfiError by each of its members: `status` with CUDA's own name, `absent` without driver or device
 */
export interface Cuda {
  readonly library: OpenedLibrary
  readonly functions: CudaFunctions
  /** `12.8`; `unknown` where the library does not say: that of 11.8 does not without a driver. */
  readonly runtimeVersion: string
  /** The newest CUDA that the driver serves; `0.0` without a driver. */
  readonly driverVersion: string
  /** @throws FfiError `absent` when there is none, or the driver does not serve this runtime */
  deviceCount(): number
  /**
   * Facts of a device, which becomes the one that this thread uses. A worker thread's is the first one always.
   *
   * @throws FfiError `absent`
   */
  device(index: number): CudaDevice
  alloc(bytes: number): DeviceBuffer
  allocPinned(bytes: number): PinnedBuffer
  createStream(): CudaStream
  /** The latest error of this thread, and forget it; null when there was none. */
  lastError(): string | null
  /** @throws FfiError `status` (or what the status stands for) unless `status` is 0 */
  check(call: string, status: number): void
}

const notReady = 600
const insufficientDriver = 35
const nonBlocking = 1
// ComputeCapabilityMajor, ComputeCapabilityMinor and MultiProcessorCount of cudaDeviceAttr.
const attributes = { major: 75, minor: 76, multiprocessors: 16 } as const

/** One for each library in this process. */
const open = new Map<string, Cuda>()

/**
 * Open the CUDA runtime. No device is touched. Opening it again gives the same.
 *
 * @throws FfiError `absent` without the library or one of its functions
 */
export function openCuda({ env = process.env }: { env?: Readonly<Record<string, string | undefined>> } = {}): Cuda {
  const library = openLibrary(cudaSpec, { env })
  const known = open.get(library.path)
  if (known) return known
  const cuda = cudaOf(library)
  open.set(library.path, cuda)
  return cuda
}

function cudaOf(library: OpenedLibrary): Cuda {
  const f = bind<CudaFunctions>(library, cudaFunctions)
  let driver: number | undefined
  const check = (call: string, status: number) => {
    if (status !== 0) throw errorOf(f, { call, status, driver })
  }
  const made = (call: string, create: (out: [Pointer]) => number): bigint => {
    const out: [Pointer] = [null]
    check(call, create(out))
    if (out[0] === null)
      throw new FfiError('status', `Cannot call ${call}: it succeeded and gave nothing`, 'reinstall the CUDA runtime')
    return out[0]
  }
  const asked = (call: string, ask: (out: [number]) => number): number => {
    const out: [number] = [0]
    check(call, ask(out))
    return out[0]
  }
  driver = asked('cudaDriverGetVersion', out => f.cudaDriverGetVersion(out))
  return {
    library,
    functions: f,
    runtimeVersion: runtimeVersionOf(f),
    driverVersion: versionText(driver),
    deviceCount: () => asked('cudaGetDeviceCount', out => f.cudaGetDeviceCount(out)),
    device: index => deviceAt(f, index, check),
    alloc(bytes) {
      const pointer = made(`cudaMalloc(${bytes})`, out => f.cudaMalloc(out, bytes))
      return { pointer, bytes, free: once(() => check('cudaFree', f.cudaFree(pointer))) }
    },
    allocPinned(bytes) {
      const pointer = made(`cudaHostAlloc(${bytes})`, out => f.cudaHostAlloc(out, bytes, 0))
      const view = new Uint8Array(koffi().view(pointer, bytes))
      return { pointer, view, free: once(() => check('cudaFreeHost', f.cudaFreeHost(pointer))) }
    },
    createStream: () =>
      streamOf(
        f,
        made('cudaStreamCreateWithFlags', out => f.cudaStreamCreateWithFlags(out, nonBlocking)),
        check,
      ),
    lastError() {
      const status = f.cudaGetLastError()
      return status === 0 ? null : `${f.cudaGetErrorName(status)} (${status})`
    },
    check,
  }
}

type Check = Cuda['check']

function streamOf(f: CudaFunctions, pointer: bigint, check: Check): CudaStream {
  return {
    pointer,
    copy: ({ to, from, bytes, kind }) =>
      check('cudaMemcpyAsync', f.cudaMemcpyAsync(to, from, bytes, copyKinds[kind], pointer)),
    done: async () => check('cudaStreamSynchronize', await settled(f.cudaStreamSynchronize, pointer)),
    wait: () => check('cudaStreamSynchronize', f.cudaStreamSynchronize(pointer)),
    isDone() {
      const status = f.cudaStreamQuery(pointer)
      if (status !== notReady) check('cudaStreamQuery', status)
      return status === 0
    },
    destroy: once(() => check('cudaStreamDestroy', f.cudaStreamDestroy(pointer))),
  }
}

function deviceAt(f: CudaFunctions, index: number, check: Check): CudaDevice {
  check('cudaSetDevice', f.cudaSetDevice(index))
  const attribute = (id: number) => {
    const out: [number] = [0]
    check('cudaDeviceGetAttribute', f.cudaDeviceGetAttribute(out, id, index))
    return out[0]
  }
  const bus = new Uint8Array(64)
  check('cudaDeviceGetPCIBusId', f.cudaDeviceGetPCIBusId(bus, bus.length, index))
  const properties = new Uint8Array(16_384)
  const getProperties = f.cudaGetDeviceProperties_v2 ?? f.cudaGetDeviceProperties
  if (getProperties) check('cudaGetDeviceProperties', getProperties(properties, index))
  const [free, total]: [[number | bigint], [number | bigint]] = [[0], [0]]
  check('cudaMemGetInfo', f.cudaMemGetInfo(free, total))
  return {
    index,
    name: getProperties ? textOf(properties.subarray(0, 256)) : 'a GPU',
    computeCapability: `${attribute(attributes.major)}.${attribute(attributes.minor)}`,
    multiprocessors: attribute(attributes.multiprocessors),
    pciBusId: textOf(bus),
    freeBytes: Number(free[0]),
    totalBytes: Number(total[0]),
  }
}

/** The library is good where it does not answer: whether there is a device is asked later. */
function runtimeVersionOf(f: CudaFunctions): string {
  const out: [number] = [0]
  if (f.cudaRuntimeGetVersion(out) === 0) return versionText(out[0])
  f.cudaGetLastError()
  return 'unknown'
}

function errorOf(
  f: CudaFunctions,
  { call, status, driver }: { call: string; status: number; driver: number | undefined },
): FfiError {
  const name = f.cudaGetErrorName(status) ?? `status ${status}`
  const isAbsent = status === insufficientDriver && driver === 0
  const { kind, fix } = isAbsent ? noDriver : fixFor(status)
  const words = isAbsent ? noDriver.says : (f.cudaGetErrorString(status) ?? 'no text')
  const state = `${name} (${status}): ${words}`
  return new FfiError(kind, `Cannot call ${call}: ${state}`, fix, { said: `${call} answers ${state}` })
}

/** 12080 is 12.8. */
const versionText = (number: number) => `${Math.floor(number / 1000)}.${Math.floor((number % 1000) / 10)}`

/** A C string in a buffer. */
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1').split('\0', 1)[0]!

function once(act: () => void): () => void {
  let isDone = false
  return () => {
    if (isDone) return
    isDone = true
    act()
  }
}
