import assert from 'node:assert/strict'
import test from 'node:test'
import { koffi } from './load.ts'
import { MemoryMap, parseMappings } from './memory-map.ts'

const sample = [
  '00400000-00452000 r-xp 00000000 08:02 173521      /usr/lib/lib nvinfer.so.10',
  '00651000-00652000 rw-p 00051000 08:02 173521      /usr/lib/lib nvinfer.so.10',
  '7ffe00000000-7ffe00021000 ---p 00000000 00:00 0 ',
  'ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]',
  'this is no mapping',
  '',
].join('\n')

test('parseMappings() reads addresses, rights and paths with spaces, and leaves other lines out', () => {
  const mappings = parseMappings(sample)
  assert.equal(mappings.length, 4)
  assert.deepEqual(mappings[0], {
    start: 0x400000n,
    end: 0x452000n,
    isReadable: true,
    isExecutable: true,
    path: '/usr/lib/lib nvinfer.so.10',
  })
  assert.deepEqual(mappings[2], {
    start: 0x7ffe00000000n,
    end: 0x7ffe00021000n,
    isReadable: false,
    isExecutable: false,
    path: '',
  })
})

test('MemoryMap says what is code of which file, to the byte', () => {
  const map = new MemoryMap(() => sample)
  assert.equal(map.codeAt(0x400000n), '/usr/lib/lib nvinfer.so.10')
  assert.equal(map.codeAt(0x451fffn), '/usr/lib/lib nvinfer.so.10')
  for (const address of [0x3fffffn, 0x452000n, 0x651000n, 0n, -1n]) assert.equal(map.codeAt(address), null)
  assert.equal(map.isReadable(0x651000n, 8), true)
  assert.equal(map.isReadable(0x651ffcn, 8), false)
  assert.equal(map.isReadable(0x7ffe00000000n, 1), false)
})

test('MemoryMap tells mapped files and whose code there is, or that the system does not tell', () => {
  const map = new MemoryMap(() => sample)
  assert.deepEqual(map.files(), ['/usr/lib/lib nvinfer.so.10'])
  assert.deepEqual(
    [map.isKnown, map.hasCodeOf('/usr/lib/lib nvinfer.so.10'), map.hasCodeOf('/usr/lib/other.so')],
    [true, true, false],
  )
  const unknown = new MemoryMap(() => '')
  assert.deepEqual([unknown.isKnown, unknown.files(), unknown.isReadable(0x400000n, 1)], [false, [], false])
})

test('MemoryMap keeps what it read until it is renewed', () => {
  let text = ''
  let reads = 0
  const map = new MemoryMap(() => {
    reads++
    return text
  })
  assert.equal(map.codeAt(0x400000n), null)
  text = sample
  assert.equal(map.codeAt(0x400000n), null)
  map.renew()
  assert.notEqual(map.codeAt(0x400000n), null)
  assert.equal(reads, 2)
})

test("MemoryMap knows this process: libc's code is code, and the first page is nothing", () => {
  const map = new MemoryMap()
  assert.match(map.codeAt(koffi().load(null).symbol('getppid') as bigint) ?? '', /^\//)
  assert.equal(map.isReadable(8n, 8), false)
  const memory = koffi().alloc('void *', 4) as bigint
  assert.equal(map.isReadable(memory, 32), true)
  assert.equal(map.codeAt(memory), null)
})
