import assert from 'node:assert/strict'
import test from 'node:test'
import { zipSync } from 'fflate'
import { bufferSource } from '../../testing/formats/byte-source.ts'
import { readZip } from './zip.ts'

const archive = () =>
  Buffer.from(zipSync({ 'a/x': [Uint8Array.of(81, 82, 83), { level: 0 }], 'a/y': [new Uint8Array(500), { level: 9 }] }))
const open = (bytes: Uint8Array) => readZip(bufferSource(bytes, 'x.pt'))
const directoryAt = (zip: Buffer) => zip.indexOf('PK\x01\x02', 0, 'latin1')

/** The same archive with its directory's place, count and sizes in zip64 form. */
function wide(zip: Buffer): Buffer {
  const end = zip.lastIndexOf('PK\x05\x06', undefined, 'latin1')
  const record = Buffer.alloc(56)
  record.writeUInt32LE(0x0606_4b50, 0)
  record.writeBigUInt64LE(44n, 4)
  record.writeBigUInt64LE(BigInt(zip.readUInt16LE(end + 10)), 32)
  record.writeBigUInt64LE(BigInt(zip.readUInt32LE(end + 12)), 40)
  record.writeBigUInt64LE(BigInt(zip.readUInt32LE(end + 16)), 48)
  const locator = Buffer.alloc(20)
  locator.writeUInt32LE(0x0706_4b50, 0)
  locator.writeBigUInt64LE(BigInt(end), 8)
  const tail = Buffer.from(zip.subarray(end))
  tail.writeUInt16LE(0xffff, 10)
  tail.fill(0xff, 12, 20)
  return Buffer.concat([zip.subarray(0, end), record, locator, tail])
}

test('readZip() reads stored and deflated entries, and a zip64 directory', () => {
  for (const zip of [open(archive()), open(wide(archive()))]) {
    assert.deepEqual([...zip.entries.keys()], ['a/x', 'a/y'])
    assert.deepEqual([...zip.read('a/x')], [81, 82, 83])
    assert.equal(zip.read('a/y').length, 500)
    assert.throws(() => zip.read('a/z'), /it holds no entry "a\/z"/)
    assert.throws(() => zip.read('a/y', 499), /it takes 500 bytes/)
  }
})

test('readZip() refuses an archive that was cut at any place', () => {
  const whole = archive()
  for (let length = 0; length < whole.length; length += 7)
    assert.throws(() => open(whole.subarray(0, length)), /Cannot read "x\.pt/)
})

test('readZip() refuses a wrong checksum, encryption, entries of one name and entries that overlap', () => {
  const damaged = archive()
  damaged[damaged.indexOf('QRS')] = 9
  assert.throws(() => open(damaged).read('a/x'), /its checksum is wrong/)
  const locked = archive()
  locked[directoryAt(locked) + 8]! |= 1
  assert.throws(() => open(locked), /is encrypted/)
  const twice = archive()
  const name = twice.indexOf('a/y', directoryAt(twice))
  twice.write('a/x', name)
  assert.throws(() => open(twice), /names "a\/x" twice/)
  const shared = archive()
  const second = shared.indexOf('PK\x01\x02', directoryAt(shared) + 4, 'latin1')
  shared.writeUInt32LE(0, second + 42)
  assert.throws(() => open(shared), /overlaps another/)
})
