import assert from 'node:assert/strict'
import test from 'node:test'
import { tarFile } from '../../testing/nemo/write.ts'
import { bufferSource } from '../../testing/formats/byte-source.ts'
import { readTar } from './tar.ts'

const read = (bytes: Uint8Array) => readTar(bufferSource(bytes, 'x.nemo'))
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
const pax = (...records: string[]) => {
  const lines = records.map(record => {
    const bytes = Buffer.byteLength(record)
    let length = bytes + 3
    while (`${length}`.length + bytes + 2 !== length) length++
    return `${length} ${record}\n`
  })
  return { name: 'pax', type: 'x', bytes: Buffer.from(lines.join('')) }
}

test('readTar() lists files without their "./", passes folders over and reads long names', () => {
  const long = 'n'.repeat(150)
  const files = read(
    tarFile([
      { name: './', type: '5' },
      { name: './a.txt', bytes: Buffer.from('one') },
      { name: '././@LongLink', type: 'L', bytes: Buffer.from(`${long}\0`) },
      { name: 'short', bytes: Buffer.from('two') },
      pax('path=./p/ä.txt', 'size=5'),
      { name: 'q', size: 0, bytes: Buffer.from('three') },
    ]),
  )
  assert.deepEqual([...files.keys()], ['a.txt', long, 'p/ä.txt'])
  assert.deepEqual(
    [...files.values()].map(file => text(file.read(0, file.size))),
    ['one', 'two', 'three'],
  )
})

test('readTar() refuses names that leave the archive, links, devices and a name that stands twice', () => {
  for (const name of ['../x', '/etc/passwd', 'a/../../x', 'a\\x'])
    assert.throws(() => read(tarFile([{ name }])), /leaves the archive/)
  assert.throws(() => read(tarFile([pax('path=../../x'), { name: 'q' }])), /leaves the archive/)
  assert.throws(() => read(tarFile([{ name: 'x', type: '2' }])), /"x" is a symbolic link/)
  assert.throws(() => read(tarFile([{ name: 'x', type: '1' }])), /a hard link/)
  assert.throws(() => read(tarFile([{ name: 'x', type: '3' }])), /a device/)
  assert.throws(() => read(tarFile([{ name: 'x' }, { name: './x' }])), /holds "x" twice/)
})

test('readTar() refuses an entry that claims more than there is, in octal and in base 256', () => {
  assert.throws(() => read(tarFile([{ name: 'x', size: 4096 }])), /ends behind the archive/)
  assert.throws(() => read(tarFile([{ name: 'x', size: 2 ** 40 }])), /ends behind the archive/)
})

test('readTar() refuses what is no tar, and an archive cut anywhere before its end', () => {
  assert.throws(() => read(Buffer.alloc(2000, 'x')), /it is no tar archive/)
  assert.throws(() => read(new Uint8Array(0)), /without its closing blocks/)
  const whole = tarFile([{ name: 'a', bytes: new Uint8Array(700) }])
  for (const length of [100, 512, 900, 1535]) assert.throws(() => read(whole.subarray(0, length)), /Cannot read/)
})
