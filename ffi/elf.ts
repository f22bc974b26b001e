/**
 * Says for which machine a shared library is built, and whether all of it is there.
 *
 * Read from an ELF file's headers before the loader is asked: it does not name the machine, and a file that was cut
 * short kills the process with SIGBUS. Sections and symbols are not looked at.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'

/**
 * What keeps a file from being loaded as a library here, or undefined when nothing in its headers does.
 *
 * @throws Error of node when it cannot be read
 */
export function elfProblem(path: string): string | undefined {
  // Opening a pipe that nobody writes into would not return.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const status = fstatSync(fd)
    if (!status.isFile()) return 'it is not a file'
    const at = (position: number, length: number) => {
      const bytes = Buffer.alloc(length)
      return bytes.subarray(0, readSync(fd, bytes, 0, length, position))
    }
    const head = at(0, 64)
    return (
      elfMismatch(head.subarray(0, 20)) ??
      (head.length < 64 ? 'it is cut short' : shortage({ head, at, size: status.size }))
    )
  } finally {
    closeSync(fd)
  }
}

interface ElfFile {
  readonly head: Buffer
  readonly size: number
  readonly at: (position: number, length: number) => Buffer
}

/** Whether the parts that the loader maps end within the file. Asked of little-endian 64-bit files only. */
function shortage({ head, at, size }: ElfFile): string | undefined {
  if (head[4] !== 2 || head[5] !== 1) return undefined
  const first = Number(head.readBigUInt64LE(32))
  const entrySize = head.readUInt16LE(54)
  const count = head.readUInt16LE(56)
  const table = at(first, entrySize * count)
  if (entrySize < 56 || table.length < entrySize * count)
    return `it is cut short: its program headers end beyond its ${size} bytes`
  for (let entry = 0; entry < table.length; entry += entrySize) {
    const end = Number(table.readBigUInt64LE(entry + 8) + table.readBigUInt64LE(entry + 32))
    if (table.readUInt32LE(entry) === loadSegment && end > size) return `it is cut short: ${size} of ${end} bytes`
  }
  return undefined
}

const loadSegment = 1

const classes: Record<number, string> = { 1: '32-bit', 2: '64-bit' }

// e_machine of the ELF specification.
const machines: Record<number, string> = {
  3: 'ia32',
  8: 'mips',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'x64',
  183: 'arm64',
  243: 'riscv64',
  258: 'loong64',
}

/**
 * What keeps a library out of this process, or undefined when nothing in its header does.
 *
 * @param head the file's first 20 bytes (fewer when it is shorter)
 * @param arch node's name of the architecture
 */
export function elfMismatch(head: Uint8Array, arch: string = process.arch): string | undefined {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
  if (head.length === 0) return 'it is empty'
  const isElf = head.length >= 4 && view.getUint32(0) === 0x7f454c46
  if (!isElf) {
    const isScript = /^(INPUT|GROUP|\/\*)/.test(Buffer.from(head).toString('latin1'))
    return isScript ? 'it is a linker script and not a library' : 'it is not an ELF library'
  }
  if (head.length < 20) return 'it is cut short'
  const bits = classes[head[4]!] ?? `class ${head[4]}`
  const machine = view.getUint16(18, head[5] === 1)
  const built = machines[machine] ?? `machine ${machine}`
  const here = ['arm', 'ia32', 'mips', 'mipsel'].includes(arch) ? '32-bit' : '64-bit'
  if (bits === here && built === arch) return undefined
  return `wrong ELF class or architecture: it is ${bits} ${built}, this node is ${here} ${arch}`
}
