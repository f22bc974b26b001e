/**
 * Opens HailoRT in this process, and calls it.
 *
 * Opens the library, asks its version, and only then declares the rest. Calls that wait for a device run on worker
 * threads; every status goes through `check`. Nothing opens when this file is imported.
 */
import { FfiError } from '../errors.ts'
import { bind, koffi, openLibrary, type LibrarySpec, type NativeFunction, type OpenedLibrary } from '../load.ts'
import { settled } from '../settled.ts'
import { profileByHeader } from './abi/by-header.ts'
import { isTested, profileOf, unknownVersion, versionText, type ProfileName, type Version } from './abi/profiles.ts'
import { check, errorOf, statusInsufficientBuffer, success, type Deed } from './status.ts'
import { Structs, structsOf } from './abi/structs.ts'
import { declareNames, symbols, versionPrototype, type HailortFunctions, type SymbolName } from './abi/symbols.ts'

/** A native object: an address. */
export type Handle = bigint

/** Where HailoRT is looked for. */
export const hailortSpec: LibrarySpec = {
  title: 'HailoRT',
  env: 'HAILORT_LIB',
  names: ['libhailort.so'],
  folders: ['/usr/lib', '/usr/lib/aarch64-linux-gnu', '/usr/lib/x86_64-linux-gnu', '/usr/local/lib'],
  install:
    'Raspberry Pi OS: sudo apt install hailo-all, for a Hailo-10H hailo-h10-all; ' +
    'elsewhere the hailort package of developer.hailo.ai',
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Open HailoRT.
 *
 * @param options.env the environment; `HAILORT_LIB` names the library, `HAILO_ABI=force` takes one of a version never
 *   measured whose header does not tell its shape
 * @throws FfiError `absent` without a library or with one that lacks a function; `refused` for an unknown version
 */
export function openHailort(options: { env?: Environment } = {}): Hailort {
  const env = options.env ?? process.env
  quietLogger(env)
  declareNames()
  const library = openLibrary(hailortSpec, { env })
  const known = opened.get(library.path)
  if (known) return known
  const { hailo_get_library_version: ask } = bind<{
    hailo_get_library_version: NativeFunction<[Partial<Version>], number>
  }>(library, versionPrototype)
  const version = { major: 0, minor: 0, revision: 0 }
  const status = ask(version)
  if (status !== success)
    throw errorOf({ call: 'hailo_get_library_version', status, version, deed: { act: 'use', thing: library.path } })
  const shape = shapeOf({ library: library.path, version, env })
  const hailort = new Hailort({
    library,
    version,
    shape,
    structs: structsOf(shape.profile),
    functions: bind<HailortFunctions>(library, symbols),
  })
  opened.set(library.path, hailort)
  return hailort
}

const opened = new Map<string, Hailort>()

/** The shape of a library's interface, and how it is known: from the table, from its header, or not at all. */
export interface Shape {
  readonly profile: ProfileName
  readonly from: 'table' | 'header' | 'force'
  /** The header that agrees, where the shape is from it. */
  readonly header?: string
}

function shapeOf(o: { library: string; version: Version; env: Environment }): Shape {
  if (isTested(o.version)) return { profile: profileOf(o.version), from: 'table' }
  if (o.env.HAILO_ABI === 'force') return { profile: profileOf(o.version, { force: true }), from: 'force' }
  const verdict = profileByHeader(o)
  if ('problem' in verdict) throw unknownVersion(o.version, verdict.problem)
  return { ...verdict, from: 'header' }
}

/** Else it writes `hailort.log` into the working folder, and lines of its own to stderr. */
function quietLogger(env: Environment): void {
  process.env.HAILORT_LOGGER_PATH = env.HAILORT_LOGGER_PATH ?? 'NONE'
  process.env.HAILORT_CONSOLE_LOGGER_LEVEL = env.HAILORT_CONSOLE_LOGGER_LEVEL ?? 'critical'
}

/** An open library of a known version. It stays open as long as the process. */
export class Hailort {
  readonly library: OpenedLibrary
  readonly version: Version
  readonly shape: Shape
  readonly structs: Structs
  readonly #functions: HailortFunctions

  constructor(o: {
    library: OpenedLibrary
    version: Version
    shape: Shape
    structs: Structs
    functions: HailortFunctions
  }) {
    this.library = o.library
    this.version = o.version
    this.shape = o.shape
    this.structs = o.structs
    this.#functions = o.functions
  }

  /** `HailoRT 4.23.0 (profile C)` */
  get title(): string {
    const how = { table: '', header: ', by its header', force: ', forced' }[this.shape.from]
    return `HailoRT ${versionText(this.version)} (profile ${this.shape.profile}${how})`
  }

  /**
   * Call at once, for what answers without a device.
   *
   * @throws HailoError
   */
  call(name: SymbolName, deed: Deed, ...args: readonly unknown[]): void {
    check({ call: name, status: this.#functions[name](...args), version: this.version, deed })
  }

  /**
   * Call on a worker thread. Memory among the arguments stays alive until it ends.
   *
   * @throws HailoError
   */
  async callAsync(name: SymbolName, deed: Deed, ...args: readonly unknown[]): Promise<void> {
    const status = await this.statusAsync(name, args)
    check({ call: name, status, version: this.version, deed })
  }

  /** The bare status of a call on a worker thread. */
  statusAsync(name: SymbolName, args: readonly unknown[]): Promise<number> {
    return settled(this.#functions[name], ...args)
  }

  /**
   * Fill an array of structs whose length the library tells: when there was too little room it is asked again.
   *
   * @param fill the arguments for memory with room for `count[0]` structs
   */
  list<T>(o: {
    name: SymbolName
    struct: string
    deed: Deed
    fill: (memory: Buffer, count: [number]) => readonly unknown[]
    room?: number
  }): { items: T[]; memory: Buffer } {
    const size = this.structs.sizeOf(o.struct)
    let room = o.room ?? 16
    for (;;) {
      const count: [number] = [room]
      const memory = Buffer.alloc(room * size)
      const status = this.#functions[o.name](...o.fill(memory, count))
      if (status === statusInsufficientBuffer && count[0] > room) {
        room = plausible({ call: o.name, count: count[0], max: listMax, deed: o.deed })
        continue
      }
      check({ call: o.name, status, version: this.version, deed: o.deed })
      plausible({ call: o.name, count: count[0], max: room, deed: o.deed })
      return { items: this.structs.decode<T>(o.struct, memory, count[0]), memory: memory.subarray(0, count[0] * size) }
    }
  }

  /** One struct that a call fills. */
  read<T>(name: SymbolName, struct: string, deed: Deed, ...before: readonly unknown[]): T {
    const memory = Buffer.alloc(this.structs.sizeOf(struct))
    this.call(name, deed, ...before, memory)
    return this.structs.decode<T>(struct, memory, 1)[0]!
  }

  /** The address of memory, for a struct that points to it. The memory must be kept. */
  addressOf(memory: NodeJS.TypedArray): bigint {
    return koffi().address(memory)
  }
}

/** More than any HEF or machine has of anything. */
const listMax = 4096

/**
 * A count that a library told.
 *
 * @throws FfiError `refused` when there cannot be so many: memory of that size would be made, or read
 */
export function plausible(o: { call: string; count: number; max: number; deed: Deed }): number {
  if (Number.isInteger(o.count) && o.count >= 0 && o.count <= o.max) return o.count
  const state = `${o.call} tells of ${o.count}, and at most ${o.max} can be`
  const hint = 'the library is not what it says it is: reinstall it, or name another: export HAILORT_LIB=/path/to/it'
  throw new FfiError('refused', `Cannot ${o.deed.act} "${o.deed.thing}": ${state}`, hint)
}

/**
 * The object that a call made.
 *
 * @throws FfiError `refused` when it succeeded and gave nothing
 */
export function given(out: readonly [Handle | null], call: string, deed: Deed): Handle {
  if (out[0] !== null) return out[0]
  const hint = 'the library is not what it says it is: reinstall it, or name another: export HAILORT_LIB=/path/to/it'
  throw new FfiError('refused', `Cannot ${deed.act} "${deed.thing}": ${call} succeeds and gives nothing`, hint)
}

/** Addresses of native objects that a call wrote into memory. */
export function handlesIn(memory: Buffer, count: number): Handle[] {
  return Array.from({ length: count }, (_, i) => memory.readBigUInt64LE(8 * i))
}

/** Memory with the addresses of native objects, for a call that takes an array of them. */
export function memoryOf(handles: readonly Handle[]): Buffer {
  const memory = Buffer.alloc(8 * handles.length)
  for (const [i, handle] of handles.entries()) memory.writeBigUInt64LE(handle, 8 * i)
  return memory
}
