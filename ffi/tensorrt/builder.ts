/**
 * Builds a plan of an ONNX file: builder, network, parser, profiles, flags and timing cache.
 *
 * Everything slow runs on a worker thread with the logger listening: TensorRT logs from threads of its own while it
 * builds. Nothing is written to disk here.
 */
import { settled } from '../settled.ts'
import { FfiError } from '../errors.ts'
import { bind, koffi, type NativeFunction } from '../load.ts'
import { versionText } from './abi/abi.ts'
import { addProfiles, made } from './build-profiles.ts'
import { failed } from './causes.ts'
import type { LogMessage } from './logger.ts'
import { canary, codePath, type TensorRt } from './open.ts'
import { openParser } from './parser.ts'
import type { ProfileRange } from './runtime.ts'
import { objectOf, type NativeObject } from './abi/vtable.ts'

/** How a plan is built. */
export interface BuildOptions {
  /**
   * Builder flags to set and to clear, by TensorRT's names without the k: `FP16`, `TF32`. TF32 is on unless cleared.
   */
  readonly set?: readonly string[]
  readonly clear?: readonly string[]
  /** Types are those of the ONNX file. Always so since 11. */
  readonly isStronglyTyped?: boolean
  /** By profile, then by input; every input with an open axis needs its range. */
  readonly profiles?: readonly Readonly<Record<string, ProfileRange>>[]
  readonly workspaceBytes?: number
  /** 0 to 5; TensorRT's own is 3. */
  readonly optimizationLevel?: number
  /** Keep layer names, shapes and tactics for the inspector. */
  readonly isDetailed?: boolean
  readonly hardware?: keyof typeof hardwareLevels
  /** What an earlier build gave; an empty array begins a new cache. */
  readonly timingCache?: Uint8Array
  /** Where the ONNX file lies, for weights in files beside it. */
  readonly path?: string
}

/** A plan and what building it left. */
export interface BuiltPlan {
  readonly plan: Uint8Array
  /** What to give to the next build; null where none was given to this one. */
  readonly timingCache: Uint8Array | null
  readonly layers: number
  readonly warnings: readonly LogMessage[]
}

// HardwareCompatibilityLevel, MemoryPoolType and ProfilingVerbosity of NvInfer.h.
const hardwareLevels = { none: 0, 'ampere+': 1, 'same compute capability': 2 } as const
const workspacePool = 0
const detailedVerbosity = 2
// NV_ONNX_PARSER_VERSION, the same from 8 to 11.
const parserVersion = 100
const theFile = 'the ONNX file'

/**
 * Build a plan.
 *
 * @param onnx the model's bytes
 * @throws FfiError `usage` for a flag that this version lacks, a missing or broken profile, or an ONNX file that cannot
 *   be imported; `absent` without builder or parser; `refused` for another ABI; `status` when TensorRT cannot build it
 */
export async function buildPlan(rt: TensorRt, onnx: Uint8Array, options: BuildOptions = {}): Promise<BuiltPlan> {
  // To the parser no bytes are a model without nodes, and it says that all is well.
  if (onnx.length === 0) {
    throw new FfiError(
      'usage',
      `Cannot import "${options.path ?? theFile}": it is empty`,
      'export or copy the ONNX file again',
    )
  }
  return rt.logger.inTurn(() => build(rt, onnx, options))
}

async function build(rt: TensorRt, onnx: Uint8Array, options: BuildOptions): Promise<BuiltPlan> {
  const undo: NativeObject[] = []
  const own = (object: NativeObject): NativeObject => {
    undo.push(object)
    return object
  }
  try {
    const builder = own(await rt.create('IBuilder'))
    canary(rt, builder, 'getLogger', rt.logger.pointer)
    const config = own(await made(rt, builder, 'createBuilderConfig', 'IBuilderConfig'))
    configure(rt, config, options)
    const network = own(await made(rt, builder, 'createNetworkV2', 'INetworkDefinition', networkFlags(rt, options)))
    if (!isMoved(network)) canary(rt, network, 'getBuilder', builder.pointer)
    await parse({ rt, network, onnx, path: options.path, own })
    await addProfiles({ rt, builder, network, config, profiles: options.profiles ?? [] })
    const cache = await withCache({ rt, config, options, own })
    const plan = await memoryOf(rt, builder, 'buildSerializedNetwork', network.pointer, config.pointer)
    const warnings = rt.logger.messages.filter(({ severity }) => severity === 'warning')
    return {
      plan,
      timingCache: cache ? await memoryOf(rt, cache, 'serialize') : null,
      layers: network.number('getNbLayers'),
      warnings,
    }
  } finally {
    releaseInOrder(undo)
  }
}

/** 10.8 alone has its network's later methods elsewhere; none of them is needed. */
function isMoved(network: NativeObject): boolean {
  try {
    network.method('getBuilder')
    return false
  } catch (thrown) {
    if (thrown instanceof FfiError) return true
    throw thrown
  }
}

/** The cache must outlive the configuration that uses it, and the builder all but the cache. */
function releaseInOrder(objects: readonly NativeObject[]): void {
  const last = ['IBuilder', 'ITimingCache']
  const ordered = objects.toSorted((a, b) => last.indexOf(a.type) - last.indexOf(b.type))
  for (const object of ordered) object.delete()
}

/** Call a method that gives an IHostMemory; gives a copy of its bytes. */
async function memoryOf(
  rt: TensorRt,
  from: NativeObject,
  call: string,
  ...args: readonly unknown[]
): Promise<Uint8Array> {
  const memory = await made(rt, from, call, 'IHostMemory', ...args)
  try {
    const [data, size] = [memory.address('data'), memory.number('size')]
    if (data === null || size === 0) throw failed({ call, logger: rt.logger, version: rt.version })
    return new Uint8Array(koffi().view(data, size)).slice()
  } finally {
    memory.delete()
  }
}

function configure(
  rt: TensorRt,
  config: NativeObject,
  { set = [], clear = [], workspaceBytes, optimizationLevel, isDetailed, hardware }: BuildOptions,
): void {
  for (const name of set) config.call('setFlag', flagOf(rt, name))
  for (const name of clear) config.call('clearFlag', flagOf(rt, name))
  if (workspaceBytes !== undefined) config.call('setMemoryPoolLimit', workspacePool, workspaceBytes)
  if (optimizationLevel !== undefined) config.call('setBuilderOptimizationLevel', optimizationLevel)
  if (isDetailed) config.call('setProfilingVerbosity', detailedVerbosity)
  if (hardware !== undefined) config.call('setHardwareCompatibilityLevel', hardwareLevels[hardware])
}

function flagOf({ abi, version }: TensorRt, name: string): number {
  if (Object.hasOwn(abi.builderFlags, name)) return abi.builderFlags[name]!
  const isType = /^(FP16|BF16|INT8|FP8|INT4)$/.test(name)
  throw new FfiError(
    'usage',
    `Cannot set the builder flag "${name}": TensorRT ${versionText(version)} has none of this name`,
    isType && version.major >= 11
      ? 'convert the ONNX file itself to this type: since 11 its types are what is built'
      : `one of ${Object.keys(abi.builderFlags).join(', ')}`,
  )
}

function networkFlags({ abi, version }: TensorRt, { isStronglyTyped = false }: BuildOptions): number {
  const { EXPLICIT_BATCH, STRONGLY_TYPED } = abi.networkFlags
  if (isStronglyTyped && STRONGLY_TYPED === undefined) {
    throw new FfiError(
      'usage',
      `Cannot build strongly typed: TensorRT ${versionText(version)} cannot`,
      'leave it out, or use TensorRT 10',
    )
  }
  const bits = [
    ...(EXPLICIT_BATCH === undefined ? [] : [EXPLICIT_BATCH]),
    ...(isStronglyTyped ? [STRONGLY_TYPED!] : []),
  ]
  return bits.reduce((flags, bit) => flags | (1 << bit), 0)
}

async function parse({
  rt,
  network,
  onnx,
  path,
  own,
}: {
  rt: TensorRt
  network: NativeObject
  onnx: Uint8Array
  path: string | undefined
  own: (object: NativeObject) => NativeObject
}): Promise<void> {
  const library = openParser(rt)
  const { createNvOnnxParser_INTERNAL: create } = bind<{ createNvOnnxParser_INTERNAL: NativeFunction }>(library, {
    createNvOnnxParser_INTERNAL: {
      prototype: 'void *createNvOnnxParser_INTERNAL(void *network, void *logger, int version)',
    },
  })
  rt.vtables.allow(codePath(library, 'createNvOnnxParser_INTERNAL', rt.map))
  const pointer = objectOf(
    await rt.logger.during(() => settled(create, network.pointer, rt.logger.pointer, parserVersion)),
  )
  if (pointer === null) throw failed({ call: 'createNvOnnxParser', logger: rt.logger, version: rt.version })
  const parser = own(rt.vtables.object('IParser', pointer))
  if ((await parser.later('parse', onnx, onnx.length, path ?? null)) === true) return
  const errors = Array.from({ length: parser.number('getNbErrors') }, (_, i) =>
    parserErrorText(rt, parser.address('getError', i)),
  )
  const why = errors.join('; ') || 'the parser does not say why'
  throw new FfiError(
    'usage',
    `Cannot import "${path ?? theFile}" into TensorRT ${versionText(rt.version)}: ${why}`,
    'simplify the graph, use another opset, or a newer TensorRT',
  )
}

function parserErrorText(rt: TensorRt, pointer: bigint | null): string {
  if (pointer === null) return 'an error without words'
  const error = rt.vtables.object('IParserError', pointer)
  const node = error.number('node')
  const name = error.has('nodeName') ? error.text('nodeName') : null
  const at = node < 0 ? '' : ` (node ${node}${name ? ` "${name}"` : ''})`
  return `${error.text('desc') ?? 'no text'}${at} [code ${error.number('code')}]`
}

async function withCache({
  rt,
  config,
  options: { timingCache },
  own,
}: {
  rt: TensorRt
  config: NativeObject
  options: BuildOptions
  own: (object: NativeObject) => NativeObject
}): Promise<NativeObject | null> {
  if (timingCache === undefined) return null
  const cache = own(await made(rt, config, 'createTimingCache', 'ITimingCache', timingCache, timingCache.length))
  if (config.flag('setTimingCache', cache.pointer, false)) return cache
  throw new FfiError(
    'refused',
    `Cannot use the timing cache: it is of another TensorRT than ${versionText(rt.version)}, or of another GPU`,
    'delete it: the next build makes a new one',
  )
}
