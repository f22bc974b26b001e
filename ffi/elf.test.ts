import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { elfMismatch, elfProblem } from './elf.ts'

const header = (o: { bits?: number; order?: number; machine: number }): Uint8Array => {
  const bytes = Buffer.alloc(20)
  bytes.set([0x7f, 0x45, 0x4c, 0x46, o.bits ?? 2, o.order ?? 1])
  if ((o.order ?? 1) === 1) bytes.writeUInt16LE(o.machine, 18)
  else bytes.writeUInt16BE(o.machine, 18)
  return bytes
}

test('elfMismatch() finds nothing wrong with a library of the same class and machine', () => {
  assert.equal(elfMismatch(header({ machine: 62 }), 'x64'), undefined)
  assert.equal(elfMismatch(header({ machine: 183 }), 'arm64'), undefined)
  assert.equal(elfMismatch(header({ machine: 40, bits: 1 }), 'arm'), undefined)
})

test('elfMismatch() names both sides when class or machine differ', () => {
  assert.match(elfMismatch(header({ machine: 183 }), 'x64')!, /it is 64-bit arm64, this node is 64-bit x64/)
  assert.match(elfMismatch(header({ machine: 40, bits: 1 }), 'arm64')!, /it is 32-bit arm, this node is 64-bit arm64/)
  assert.match(elfMismatch(header({ machine: 62, bits: 1 }), 'x64')!, /it is 32-bit x64, this node is 64-bit x64/)
  assert.match(elfMismatch(header({ machine: 4711, bits: 9 }), 'x64')!, /it is class 9 machine 4711/)
})

test('elfMismatch() reads the machine in the byte order that the file states', () => {
  assert.match(elfMismatch(header({ machine: 22, order: 2 }), 'x64')!, /it is 64-bit s390x/)
})

test('elfMismatch() says when a file is empty, cut short, a script or something else, at any length', () => {
  const whole = header({ machine: 62 })
  assert.equal(elfMismatch(new Uint8Array(0), 'x64'), 'it is empty')
  for (let n = 1; n < 4; n++) assert.equal(elfMismatch(whole.subarray(0, n), 'x64'), 'it is not an ELF library')
  for (let n = 4; n < 20; n++) assert.equal(elfMismatch(whole.subarray(0, n), 'x64'), 'it is cut short')
  assert.match(elfMismatch(Buffer.from('INPUT(-lx)'), 'x64')!, /linker script/)
  assert.match(elfMismatch(Buffer.from('MZ\u0090'), 'x64')!, /not an ELF/)
})

const folder = mkdtempSync(join(tmpdir(), 'elf-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const fileOf = (name: string, bytes: Uint8Array) => {
  writeFileSync(join(folder, name), bytes)
  return join(folder, name)
}
const isLinux = process.platform === 'linux'

test('elfProblem() finds nothing wrong with node itself', { skip: !isLinux && 'tool: ELF' }, () => {
  assert.equal(elfProblem(process.execPath), undefined)
})

test(
  'elfProblem() finds at every length that a library was cut, or that nothing of it to load is missing',
  { skip: !isLinux && 'tool: ELF' },
  () => {
    // Two segments to load, the second of which ends at 1000; the file goes on behind it.
    const whole = Buffer.alloc(1200)
    whole.set(header({ machine: ({ x64: 62, arm64: 183 } as Record<string, number>)[process.arch] ?? 62 }))
    whole.writeBigUInt64LE(64n, 32)
    whole.writeUInt16LE(56, 54)
    whole.writeUInt16LE(2, 56)
    for (const [at, offset, size] of [
      [64, 0n, 500n],
      [120, 600n, 400n],
    ] as const) {
      whole.writeUInt32LE(1, at)
      whole.writeBigUInt64LE(offset, at + 8)
      whole.writeBigUInt64LE(size, at + 32)
    }
    for (const length of [20, 63, 64, 100, 175, 176, 499, 999])
      assert.match(elfProblem(fileOf('cut', whole.subarray(0, length))) ?? 'whole', /cut short/, `${length}`)
    for (const length of [1000, 1001, 1200])
      assert.equal(elfProblem(fileOf('cut', whole.subarray(0, length))), undefined, `${length}`)
  },
)

test(
  'elfProblem() says that a folder is no file, and throws when there is nothing',
  { skip: !isLinux && 'tool: ELF' },
  () => {
    assert.equal(elfProblem(folder), 'it is not a file')
    assert.throws(() => elfProblem(join(folder, 'none')), { code: 'ENOENT' })
  },
)
