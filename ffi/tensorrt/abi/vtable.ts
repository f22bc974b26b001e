/**
 * Calls methods of C++ objects by their place in the vtable.
 *
 * Every pointer on the way is looked up in the process's memory map before it is followed, and every function must be
 * code of the library that made the object. Methods of a type are all resolved when its first object appears, so that a
 * library of another layout is refused before anything is called.
 */
import { settled } from '../../settled.ts'
import { FfiError } from '../../errors.ts'
import { koffi, type NativeFunction } from '../../load.ts'
import { traced } from '../../trace.ts'
import { abiTables, versionText, type Abi } from './abi.ts'
import { shapeFromDims, type NativeDims } from '../dims.ts'
import type { Logger } from '../logger.ts'
import { MemoryMap } from '../../memory-map.ts'
import { prototypes, type Pointer } from './prototypes.ts'

type Method = NativeFunction<readonly unknown[], unknown>

const wordBytes = 8n
const dimsTypes = new Map<string, string>()

/** The name under which koffi knows the Dims of a layout. A type is declared once for the process. */
function dimsType({ dims: { extent, bytes } }: Abi): string {
  const known = dimsTypes.get(extent)
  if (known !== undefined) return known
  const k = koffi()
  const name = `TensorRtDims_${extent}`
  const type = k.struct(name, { nbDims: 'int32_t', d: k.array(`${extent}_t`, 8, 'Typed') })
  if (type.size !== bytes) throw new Error(`a Dims of ${extent} is ${type.size} bytes here, and must be ${bytes}`)
  dimsTypes.set(extent, name)
  return name
}

/** Whose methods may be called, and by which table. */
export interface VtablesOptions {
  readonly abi: Abi
  readonly logger: Logger
  /** Paths of the libraries whose code may be called. */
  readonly libraries: readonly string[]
  readonly map?: MemoryMap
}

/** Objects of one TensorRT. */
export class Vtables {
  readonly abi: Abi
  readonly logger: Logger
  readonly #map: MemoryMap
  readonly #libraries: Set<string>
  readonly #functions = new Map<string, Method>()

  constructor({ abi, logger, libraries, map = new MemoryMap() }: VtablesOptions) {
    this.abi = abi
    this.logger = logger
    this.#map = map
    this.#libraries = new Set(libraries)
  }

  /** Code of another library may be called too. @param path the file that its code is mapped from */
  allow(path: string): void {
    this.#libraries.add(path)
  }

  /**
   * An object that a native call gave.
   *
   * @param type its interface: `ICudaEngine`
   * @throws FfiError `refused` when the pointer is not that of such an object
   */
  object(type: string, pointer: bigint): NativeObject {
    this.#map.renew()
    const self = this.abi.isPure(type) ? pointer : this.#word(pointer + BigInt(abiTables().objects.implOffset), type)
    const vtable = this.#word(self, type)
    const methods = new Map<string, Method | FfiError>()
    for (const method of Object.keys(prototypes[type] ?? {})) {
      const resolved = this.#resolve(type, method, vtable)
      if (resolved) methods.set(method, resolved)
    }
    return new NativeObject({ vtables: this, type, pointer, self, methods, destroy: this.#destructor(type, pointer) })
  }

  #resolve(type: string, method: string, vtable: bigint): Method | FfiError | undefined {
    const given = prototypes[type]![method]!
    const prototype = typeof given === 'string' ? given : given[this.abi.version.major as 8]
    try {
      const slot = this.abi.slotOf(type, method)
      if (slot === undefined || prototype === undefined) return undefined
      const name = `${type}.${method}`
      return this.#function(name, this.#code(vtable, slot, name), prototype)
    } catch (thrown) {
      // A method that moved in this one minor is an error when it is called; a pointer that leads astray is one now.
      if (thrown instanceof FfiError && thrown.code === 'method-moved') return thrown
      throw thrown
    }
  }

  /** Null for what its owner deletes: an error of the parser's. */
  #destructor(type: string, pointer: bigint): Method | null {
    const slot =
      this.abi.slotOf(type, '~D0') ?? (this.abi.isPure(type) ? null : abiTables().objects.deletingDestructorSlot)
    if (slot === null) return null
    const name = `delete ${type}`
    return this.#function(name, this.#code(this.#word(pointer, type), slot, name), 'void (void *self)')
  }

  #code(vtable: bigint, slot: number, call: string): bigint {
    const code = this.#word(vtable + BigInt(slot) * wordBytes, call)
    const owner = this.#map.codeAt(code)
    if (owner !== null && this.#libraries.has(owner)) return code
    throw this.#refused(
      call,
      owner === null
        ? 'there is no code at its place in the vtable'
        : `its place in the vtable leads into ${owner || 'memory of no file'}`,
    )
  }

  #word(address: bigint, what: string): bigint {
    if (!this.#map.isReadable(address, 8))
      throw this.#refused(what, `the address 0x${address.toString(16)} cannot be read`)
    return BigInt(koffi().decode.uint64(address))
  }

  #refused(what: string, because: string): FfiError {
    const version = versionText(this.abi.version)
    return new FfiError(
      'refused',
      `Cannot use ${what} of TensorRT ${version}: unsupported ABI, ${because}`,
      'install another version, or reinstall this one',
    )
  }

  /** Making a function from an address costs 20 µs, so each is made once. */
  #function(name: string, code: bigint, prototype: string): Method {
    const key = `${name}:${code}`
    const known = this.#functions.get(key)
    if (known) return known
    const k = koffi()
    const made = traced(name, k.decode(code, k.proto(prototype.replaceAll('DIMS', dimsType(this.abi)))) as Method)
    this.#functions.set(key, made)
    return made
  }
}

interface Parts {
  readonly vtables: Vtables
  readonly type: string
  readonly pointer: bigint
  readonly self: bigint
  readonly methods: ReadonlyMap<string, Method | FfiError>
  readonly destroy: Method | null
}

/** One C++ object. Its synchronous calls are refused while the logger is listening: see `ffi/tensorrt/logger.ts`. */
export class NativeObject {
  readonly type: string
  /** The public object: what other methods take. */
  readonly pointer: bigint
  /** What the methods are called on: the implementation, or the object itself where it is a pure interface. */
  readonly self: bigint
  readonly #parts: Parts
  #isDeleted = false

  constructor(parts: Parts) {
    this.#parts = parts
    this.type = parts.type
    this.pointer = parts.pointer
    this.self = parts.self
  }

  /** Whether this version has the method. */
  has(method: string): boolean {
    return this.#parts.methods.has(method)
  }

  /**
   * The bare function, whose first argument is `self`: for a hot loop, which must see for itself that the logger is
   * mute.
   */
  method(method: string): Method {
    const { methods, vtables } = this.#parts
    if (this.#isDeleted) throw new Error(`${this.type}.${method} was called after the object was deleted`)
    const found = methods.get(method)
    if (found instanceof FfiError) throw found
    if (found) return found
    throw new FfiError(
      'refused',
      `Cannot call ${this.type}.${method}: TensorRT ${versionText(vtables.abi.version)} has no such method`,
      'use another version',
    )
  }

  /** Call a method on this thread. */
  call(method: string, ...args: readonly unknown[]): unknown {
    const call = this.method(method)
    this.#parts.vtables.logger.mustBeMute(`${this.type}.${method}`)
    return call(this.self, ...args)
  }

  number(method: string, ...args: readonly unknown[]): number {
    return Number(this.call(method, ...args))
  }

  flag(method: string, ...args: readonly unknown[]): boolean {
    return this.call(method, ...args) === true
  }

  text(method: string, ...args: readonly unknown[]): string | null {
    return this.call(method, ...args) as string | null
  }

  address(method: string, ...args: readonly unknown[]): Pointer {
    return this.call(method, ...args) as Pointer
  }

  /** Null where TensorRT answers that it knows no such tensor. */
  shape(method: string, ...args: readonly unknown[]): number[] | null {
    return shapeFromDims(this.call(method, ...args) as NativeDims)
  }

  /** Call a method on a worker thread, with the logger listening. */
  later(method: string, ...args: readonly unknown[]): Promise<unknown> {
    const call = this.method(method)
    return this.#parts.vtables.logger.during(() => settled(call, this.self, ...args))
  }

  /** Delete the object. A second time does nothing. */
  delete(): void {
    if (this.#isDeleted) return
    this.#parts.vtables.logger.mustBeMute(`delete ${this.type}`)
    if (!this.#parts.destroy) throw new Error(`${this.type} is not the caller's to delete`)
    this.#isDeleted = true
    this.#parts.destroy(this.pointer)
  }
}

/** Linux maps nothing below this (vm.mmap_min_addr). */
const lowestAddress = 0x1_0000n

/**
 * The object that a call gave, or null. TensorRT 10 and 11 give 0x228 in place of nullptr when CUDA does not start: the
 * offset of a base class in an object that is not there.
 */
export const objectOf = (given: unknown): bigint | null =>
  typeof given === 'bigint' && given >= lowestAddress ? given : null
