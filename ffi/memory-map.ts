/**
 * Says what lies at an address of this process, from the kernel's own list of mappings.
 *
 * A pointer taken from a table of the wrong layout leads anywhere. The list is asked before one is followed or called,
 * so that a wrong layout is an error and not a crash.
 */
import { readFileSync } from 'node:fs'

interface Mapping {
  readonly start: bigint
  readonly end: bigint
  readonly isReadable: boolean
  readonly isExecutable: boolean
  /** The file, or '' for memory of no file. */
  readonly path: string
}

/**
 * The mappings in the text of /proc/self/maps. Lines that are no mapping are left out.
 *
 * @example
 * ```ts
 * const [mapping] = parseMappings('7f10-7f20 r-xp 00000000 08:01 42 /usr/lib/libhailort.so.4.23.0')
 * assert.equal(mapping?.path, '/usr/lib/libhailort.so.4.23.0')
 * ```
 */
export function parseMappings(text: string): Mapping[] {
  return text.split('\n').flatMap(line => {
    const match = /^([0-9a-f]+)-([0-9a-f]+) ([r-])[w-]([x-])\S* \S+ \S+ \d+\s*(.*)$/.exec(line)
    if (!match) return []
    const [, start, end, read, execute, path] = match
    return [
      {
        start: BigInt(`0x${start}`),
        end: BigInt(`0x${end}`),
        isReadable: read === 'r',
        isExecutable: execute === 'x',
        path: path!,
      },
    ]
  })
}

/** A snapshot of this process's mappings. Addresses are used again, so it is renewed before each new object. */
export class MemoryMap {
  #mappings: readonly Mapping[] | undefined
  readonly #read: () => string

  /** @param read gives the text of /proc/self/maps; '' where the system has none */
  constructor(read: () => string = ownMappings) {
    this.#read = read
  }

  /** Whether the system tells what is mapped. */
  get isKnown(): boolean {
    return this.#all().length > 0
  }

  /** Paths of all mapped files, each once. */
  files(): string[] {
    return [...new Set(this.#all().map(({ path }) => path))].filter(path => path.startsWith('/'))
  }

  /** Whether code of this file is mapped. */
  hasCodeOf(file: string): boolean {
    return this.#all().some(({ isExecutable, path }) => isExecutable && path === file)
  }

  /** Forget what was read: the next question reads anew. */
  renew(): void {
    this.#mappings = undefined
  }

  /** Whether `bytes` at an address lie within memory that may be read. */
  isReadable(address: bigint, bytes: number): boolean {
    const last = address + BigInt(bytes) - 1n
    return [address, last].every(at => this.#find(at)?.isReadable === true)
  }

  /** The file whose code stands at an address, '' for code of no file, or null where there is no code. */
  codeAt(address: bigint): string | null {
    const mapping = this.#find(address)
    return mapping?.isExecutable === true ? mapping.path : null
  }

  #find(address: bigint): Mapping | undefined {
    return this.#all().find(({ start, end }) => start <= address && address < end)
  }

  #all(): readonly Mapping[] {
    return (this.#mappings ??= parseMappings(this.#read()))
  }
}

function ownMappings(): string {
  try {
    return readFileSync('/proc/self/maps', 'utf8')
  } catch {
    return ''
  }
}
