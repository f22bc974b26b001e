/**
 * For which machine is a shared library built?
 *
 * Read from the first 20 bytes of an ELF file, so that a library of another machine is named as such before the loader refuses it.
 * Sections and symbols are not looked at.
 */

const classes: Record<number, string> = { 1: '32-bit', 2: '64-bit' }

// e_machine of the ELF specification.
const machines: Record<number, string> = { 3: 'ia32', 8: 'mips', 21: 'ppc64', 22: 's390x', 40: 'arm', 62: 'x64', 183: 'arm64', 243: 'riscv64', 258: 'loong64' }

/**
 * What keeps a library out of this process, or undefined when nothing in its header does.
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
