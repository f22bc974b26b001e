/**
 * Writes the C++ classes whose methods lie at the slots of a table.
 *
 * The stand-in's classes are real C++ classes, so that the compiler lays out their vtables, passes `this`, and returns
 * a Dims in memory, as it does in the vendor's build. Their declarations are written from the slots of
 * `contracts/abi/tensorrt.json`: a slot of no known method is a trap that ends the process. The stand-in's source
 * compares some slots with numbers of its own.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { abiOf, abiTables, type TensorRtVersion } from '../../tensorrt/abi/abi.ts'

/** C++ signatures of what the stand-in does; `%` stands for the name. Methods that are not here are traps too. */
const signatures: Readonly<Record<string, Readonly<Record<string, string | Readonly<Record<number, string>>>>>> = {
  IHostMemory: { data: 'void *%()', size: 'size_t %()' },
  IRuntime: {
    getPImpl: 'void *%()',
    getLogger: 'void *%()',
    setEngineHostCodeAllowed: 'void %(bool allowed)',
    deserializeCudaEngine: {
      8: 'void *%(const void *blob, size_t size, void *factory)',
      10: 'void *%(const void *blob, size_t size)',
      11: 'void *%(const void *blob, size_t size)',
    },
  },
  ICudaEngine: {
    getPImpl: 'void *%()',
    createExecutionContext: { 8: 'void *%()', 10: 'void *%(int32_t strategy)', 11: 'void *%(int32_t strategy)' },
    createEngineInspector: 'void *%()',
    getName: 'const char *%()',
    getNbLayers: 'int32_t %()',
    getNbOptimizationProfiles: 'int32_t %()',
    getNbIOTensors: 'int32_t %()',
    getIOTensorName: 'const char *%(int32_t index)',
    getTensorShape: 'Dims %(const char *name)',
    getTensorDataType: 'int32_t %(const char *name)',
    getTensorLocation: 'int32_t %(const char *name)',
    getTensorIOMode: 'int32_t %(const char *name)',
    getTensorFormat: 'int32_t %(const char *name)',
    isShapeInferenceIO: 'bool %(const char *name)',
    getProfileShape: 'Dims %(const char *name, int32_t profile, int32_t select)',
  },
  IExecutionContext: {
    getPImpl: 'void *%()',
    getEngine: 'void *%()',
    setOptimizationProfileAsync: 'bool %(int32_t profile, void *stream)',
    setInputShape: 'bool %(const char *name, const Dims &dims)',
    getTensorShape: 'Dims %(const char *name)',
    setTensorAddress: 'bool %(const char *name, void *address)',
    enqueueV3: 'bool %(void *stream)',
  },
  IEngineInspector: { getEngineInformation: 'const char *%(int32_t format)' },
  IBuilder: {
    getLogger: 'void *%()',
    createBuilderConfig: 'void *%()',
    createNetworkV2: 'void *%(uint32_t flags)',
    createOptimizationProfile: 'void *%()',
    buildSerializedNetwork: 'void *%(void *network, void *config)',
  },
  IBuilderConfig: {
    setFlag: 'void %(int32_t flag)',
    clearFlag: 'void %(int32_t flag)',
    setMemoryPoolLimit: 'void %(int32_t pool, size_t bytes)',
    addOptimizationProfile: 'int32_t %(void *profile)',
    setBuilderOptimizationLevel: 'void %(int32_t level)',
    setProfilingVerbosity: 'void %(int32_t verbosity)',
    setHardwareCompatibilityLevel: 'void %(int32_t level)',
    createTimingCache: 'void *%(const void *blob, size_t size)',
    setTimingCache: 'bool %(void *cache, bool ignoreMismatch)',
  },
  ITimingCache: { serialize: 'void *%()' },
  INetworkDefinition: {
    getBuilder: 'void *%()',
    getNbLayers: 'int32_t %()',
    getNbInputs: 'int32_t %()',
    getInput: 'void *%(int32_t index)',
  },
  ITensor: { getName: 'const char *%()', getDimensions: 'Dims %()' },
  IOptimizationProfile: {
    setDimensions: {
      8: 'bool %(const char *name, int32_t select, Dims dims)',
      10: 'bool %(const char *name, int32_t select, const Dims &dims)',
      11: 'bool %(const char *name, int32_t select, const Dims &dims)',
    },
  },
  IParser: {
    parse: 'bool %(const void *model, size_t size, const char *path)',
    getNbErrors: 'int32_t %()',
    getError: 'void *%(int32_t index)',
  },
  IParserError: { code: 'int32_t %()', desc: 'const char *%()', node: 'int32_t %()', nodeName: 'const char *%()' },
}

/** One method too many at a slot of a class: what a version of another layout would look like. */
export interface Shift {
  readonly type: string
  readonly slot: number
}

/**
 * The header for a version. A version that no table knows is laid out as its nearest neighbour; 1.x is TensorRT-RTX,
 * laid out as 11.
 */
export function declarations(version: TensorRtVersion, shift?: Shift): string {
  const isRtx = version.major < 8
  const known = isRtx ? 11 : [11, 10, 8].find(major => version.major >= major)!
  const { dims, isPure } = abiOf({ major: known, minor: known === 8 ? 6 : 0, patch: 0 })
  const inMinor: Shift[] = abiTables()
    .exceptions.filter(({ major, minor }) => major === version.major && minor === version.minor)
    .map(({ interface: type, fromSlot: slot }) => ({ type, slot }))
  const classes = Object.keys(signatures).map(type => {
    const moved = [...inMinor, ...(shift ? [shift] : [])].find(it => it.type === type)
    return classOf({ type, major: known, isPure: isPure(type), moved: moved?.slot ?? Infinity })
  })
  return [
    '#pragma once',
    '#include <cstddef>',
    '#include <cstdint>',
    '',
    `#define TRT_MAJOR ${known}`,
    `#define TRT_VERSION_BYTES ${version.major}, ${version.minor}, ${version.patch}, 9`,
    '#define TRT_VERSION ' +
      `${version.major * (version.major < 10 && !isRtx ? 1000 : 10_000) + version.minor * 100 + version.patch}`,
    '',
    `struct Dims {\n  int32_t nbDims;\n  ${dims.extent}_t d[8];\n};`,
    `static_assert(sizeof(Dims) == ${dims.bytes}, "a Dims of this major");`,
    '[[noreturn]] void trap(const char *type, int slot);',
    '',
    ...classes,
    '',
  ].join('\n')
}

function classOf({
  type,
  major,
  isPure,
  moved,
}: {
  type: string
  major: number
  isPure: boolean
  moved: number
}): string {
  const slots = abiTables().majors[major]!.slots[type]!
  const at = new Map(Object.entries(slots).map(([method, slot]) => [slot >= moved ? slot + 1 : slot, method]))
  const destructor = isPure ? (slots['~D0'] ?? Infinity) - 1 : 0
  const lines = Array.from({ length: Math.max(...at.keys()) + 1 }, (_, slot) => {
    if (slot === destructor) return `  virtual ~${type}Slots() {} /* ${slot} and ${slot + 1} */`
    if (slot === destructor + 1) return ''
    if (slot === moved) return `  virtual void *moved() { return nullptr; } /* ${slot} */`
    const method = at.get(slot)
    const signature = method === undefined ? undefined : signatures[type]![method]
    const text = typeof signature === 'string' ? signature : signature?.[major]
    if (text !== undefined) return `  virtual ${text.replace('%', method!)} = 0; /* ${slot} */`
    return `  virtual void slot${slot}() { trap("${type}${method === undefined ? '' : `.${method}`}", ${slot}); }`
  })
  return [`struct ${type}Slots {`, ...lines.filter(Boolean), '};'].join('\n')
}

/** Write the header where a compiler finds it; gives its folder. The folder's name is a digest of what is in it. */
export function writeDeclarations(version: TensorRtVersion, shift?: Shift): string {
  const text = declarations(version, shift)
  const folder = join(
    tmpdir(),
    `rungbook-standins-${process.getuid?.() ?? 'user'}`,
    `slots-${createHash('sha256').update(text).digest('hex').slice(0, 24)}`,
  )
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const draft = join(folder, `.${process.pid}.h`)
  writeFileSync(draft, text)
  renameSync(draft, join(folder, 'slots.h'))
  return folder
}
