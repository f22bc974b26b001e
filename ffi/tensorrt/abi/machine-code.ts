/**
 * Makes functions that return a constant, with neither a compiler nor JavaScript behind them.
 *
 * TensorRT 11 asks a logger for the language and the version of its interface, from any thread and at any time. An
 * answer in JavaScript would have to wait for the event loop, and a loop that waits for TensorRT would wait for ever.
 * So the few bytes of code that return a constant are written into a page of their own, which is made executable and no
 * longer writable.
 */
import { FfiError } from '../../errors.ts'
import { koffi } from '../../load.ts'

/** `uint64_t f(...)`, or with `second` a struct of two 64-bit words, both returned in registers. */
export interface Constant {
  readonly first: bigint
  readonly second?: bigint
}

/**
 * The instructions of a function that returns constants in the registers of the C ABI.
 *
 * @throws FfiError refused for another processor
 */
export function constantCode({ first, second = 0n }: Constant, arch: string = process.arch): Uint8Array {
  if (arch === 'x64')
    return Uint8Array.of(0x48, 0xb8, ...littleEndian(first, 8), 0x48, 0xba, ...littleEndian(second, 8), 0xc3)
  if (arch === 'arm64') {
    const words = [...moves(0, first), ...moves(1, second), 0xd65f03c0]
    return Uint8Array.from(words.flatMap(word => littleEndian(BigInt(word), 4)))
  }
  throw new FfiError(
    'refused',
    `Cannot answer TensorRT on ${arch}: code for this processor is not known`,
    'run on x64 or arm64',
  )
}

/** `movz xN, #a` and `movk xN, #b, lsl 16·i`: four instructions load any 64-bit word. */
function moves(register: number, word: bigint): number[] {
  return [0, 1, 2, 3].map(i => {
    const part = Number((word >> BigInt(16 * i)) & 0xffffn)
    return ((i === 0 ? 0xd2800000 : 0xf2800000) | (i << 21) | (part << 5) | register) >>> 0
  })
}

const littleEndian = (word: bigint, bytes: number) =>
  Array.from({ length: bytes }, (_, i) => Number((word >> BigInt(8 * i)) & 0xffn))

const pageBytes = 65_536
const PROT_READ = 1
const PROT_WRITE = 2
const PROT_EXEC = 4
const MAP_PRIVATE_ANONYMOUS = 0x22

/**
 * Put functions into memory, for the life of the process.
 *
 * @returns their addresses
 * @throws FfiError `refused` when the system forbids executable pages
 */
export function constantFunctions(constants: readonly Constant[]): bigint[] {
  const libc = koffi().load(null)
  const mmap = libc.func('void *mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)')
  const mprotect = libc.func('int mprotect(void *address, size_t length, int protection)') as (
    ...args: unknown[]
  ) => number
  const refuse = (what: string) =>
    new FfiError(
      'refused',
      `Cannot set up a logger: the system forbids ${what}`,
      'allow executable memory for this process (SELinux: execmem)',
    )
  const page = mmap(null, pageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0) as bigint | null
  if (page === null || page === 0xffff_ffff_ffff_ffffn) throw refuse('a new page of memory')
  const bytes = new Uint8Array(koffi().view(page, pageBytes))
  const addresses = constants.map((constant, i) => {
    bytes.set(constantCode(constant), 64 * i)
    return page + BigInt(64 * i)
  })
  if (mprotect(page, pageBytes, PROT_READ | PROT_EXEC) !== 0) throw refuse('pages that hold code')
  return addresses
}
