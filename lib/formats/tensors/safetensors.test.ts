import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import fc from 'fast-check'
import { RunbookError } from '../../base/errors.ts'
import { decodeSafetensors, readSafetensors } from './safetensors.ts'
import { encodeSafetensors } from '../../testing/formats/safetensors.ts'
import { tensorFromBytes } from './tensor-bytes.ts'
import { arrayOf, float32, sizeOf, type Dtype, type Tensor } from './tensor.ts'

/** A file with the header that a test wants; `length` may lie. */
function file(header: unknown, data: readonly number[] = [], length?: number): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const head = Buffer.alloc(8)
  head.writeBigUInt64LE(BigInt(length ?? json.length))
  return Buffer.concat([head, json, Uint8Array.from(data)])
}
const entry = (dtype: string, shape: readonly number[], begin: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
})
const isBlocked = (error: unknown) => error instanceof RunbookError && error.exit === 'blocked'
const refuses = (bytes: Uint8Array, why: RegExp) =>
  assert.throws(
    () => decodeSafetensors(bytes, 'w.safetensors'),
    (error: unknown) => {
      const isOurs = error instanceof RunbookError && error.exit === 'usage' && error.hint !== ''
      return isOurs && error.message.startsWith('Cannot read "w.safetensors": ') && why.test(error.message)
    },
  )

/** What the safetensors package wrote (0.6 or later) for these tensors, the header as text and the data as hex. */
const golden = Buffer.concat([
  Buffer.from('7001000000000000', 'hex'),
  Buffer.from(
    '{"__metadata__":{"format":"np"},"a":{"dtype":"I64","shape":[2,3],"data_offsets":[0,48]},' +
      '"s":{"dtype":"F64","shape":[],"data_offsets":[48,56]},"b":{"dtype":"F32","shape":[3],"data_offsets":[56,68]},' +
      '"h":{"dtype":"F16","shape":[3],"data_offsets":[68,74]},' +
      '"e":{"dtype":"I8","shape":[0,4],"data_offsets":[74,74]},' +
      '"t":{"dtype":"BOOL","shape":[3],"data_offsets":[74,77]}}    ',
  ),
  Buffer.from(
    '000000000000000001000000000000000200000000000000030000000000000004000000000000000500000000000000',
    'hex',
  ),
  Buffer.from('0000000000000440000000000000803f00000040003c003c003c010001', 'hex'),
])
const tensors: [string, Tensor][] = [
  ['a', { dtype: 'int64', shape: [2, 3], data: BigInt64Array.of(0n, 1n, 2n, 3n, 4n, 5n) }],
  ['s', { dtype: 'float64', shape: [], data: Float64Array.of(2.5) }],
  ['b', float32([3], [0, 1, 2])],
  ['h', { dtype: 'float16', shape: [3], data: Uint16Array.of(0x3c00, 0x3c00, 0x3c00) }],
  ['e', { dtype: 'int8', shape: [0, 4], data: new Int8Array(0) }],
  ['t', { dtype: 'bool', shape: [3], data: Uint8Array.of(1, 0, 1) }],
]

test('decodeSafetensors() reads what the reference writer wrote, metadata and empty tensor included', () => {
  const read = decodeSafetensors(golden)
  assert.deepEqual([...read.tensors], tensors)
  assert.deepEqual(read.metadata, { format: 'np' })
})

test('encodeSafetensors() writes the bytes of the reference writer, whatever the order it is given', () => {
  assert.deepEqual(Buffer.from(encodeSafetensors(new Map(tensors.toReversed()), { format: 'np' })), golden)
})

test('readSafetensors() reads a file, and blocks when it is absent', t => {
  const folder = mkdtempSync(join(tmpdir(), 'rungbook-'))
  t.after(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'w.safetensors'), golden)
  assert.deepEqual([...readSafetensors(join(folder, 'w.safetensors'))], tensors)
  assert.throws(() => readSafetensors(join(folder, 'none')), isBlocked)
})

test('decodeSafetensors() reads floats that lie at an odd byte, and keeps them when the file is overwritten', () => {
  const bytes = file({ a: entry('U8', [1], 0, 1), b: entry('F32', [1], 1, 5) }, [7, 0, 0, 0x80, 0x3f])
  const { tensors } = decodeSafetensors(bytes)
  bytes.fill(0)
  assert.deepEqual(tensors.get('b'), float32([1], [1]))
})

test('encodeSafetensors() and decodeSafetensors() are inverse for every dtype', () => {
  const dtypes = fc.constantFrom(...(Object.keys(arrayOf) as Dtype[]))
  const tensor = fc.tuple(dtypes, fc.array(fc.nat(3), { maxLength: 3 }), fc.nat(255)).map(([dtype, shape, byte]) => {
    return tensorFromBytes({
      dtype,
      shape,
      bytes: new Uint8Array(sizeOf(shape) * arrayOf[dtype].BYTES_PER_ELEMENT).fill(byte),
    })
  })
  const names = fc.string({ unit: 'grapheme' }).filter(name => name !== '__metadata__')
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(names, tensor), { selector: ([name]) => name, maxLength: 6 }), pairs => {
      const read = decodeSafetensors(encodeSafetensors(new Map(pairs))).tensors
      assert.equal(read.size, pairs.length)
      for (const [name, tensor] of pairs) assert.deepEqual(read.get(name), tensor)
    }),
    { numRuns: 200 },
  )
})

test('encodeSafetensors() keeps names that mean something to JavaScript', () => {
  const odd = new Map([
    ['__proto__', float32([1], [1])],
    ['constructor', float32([1], [2])],
    ['0', float32([1], [3])],
  ])
  const { tensors } = decodeSafetensors(encodeSafetensors(odd))
  assert.deepEqual([...tensors.keys()].toSorted(), ['0', '__proto__', 'constructor'])
  assert.deepEqual(tensors.get('__proto__'), float32([1], [1]))
})

test('encodeSafetensors() refuses the reserved name and a tensor that contradicts itself', () => {
  assert.throws(() => encodeSafetensors(new Map([['__metadata__', float32([1], [1])]])), /reserved/)
  const odd: Tensor = { dtype: 'float32', shape: [2], data: new Float32Array(1) }
  assert.throws(() => encodeSafetensors(new Map([['a', odd]])), RunbookError)
})

test('decodeSafetensors() refuses overlap, holes, and data that no tensor owns', () => {
  refuses(
    file({ a: entry('U8', [2], 0, 2), b: entry('U8', [2], 1, 3) }, [1, 2, 3]),
    /"b" begins at byte 1, .* ends at 2/,
  )
  refuses(
    file({ a: entry('U8', [1], 0, 1), b: entry('U8', [1], 2, 3) }, [1, 2, 3]),
    /"b" begins at byte 2, .* ends at 1/,
  )
  refuses(file({ a: entry('U8', [1], 1, 2) }, [1, 2]), /"a" begins at byte 1/)
  refuses(file({ a: entry('U8', [1], 0, 1) }, [1, 2]), /take 1 bytes, and 2 follow/)
  refuses(file({}, [1]), /take 0 bytes, and 1 follow/)
})

test('decodeSafetensors() refuses data that was cut short', () => {
  refuses(golden.subarray(0, golden.length - 1), /take 77 bytes, and 76 follow/)
  for (let length = 0; length < golden.length; length++) {
    assert.throws(() => decodeSafetensors(golden.subarray(0, length)), RunbookError)
  }
})

test('decodeSafetensors() refuses offsets that contradict the shape', () => {
  refuses(file({ a: entry('F32', [2], 0, 4) }, [0, 0, 0, 0]), /"a" lies at 0\.\.4, and float32\[2\] takes 8 bytes/)
  refuses(file({ a: entry('U8', [0], 3, 1) }), /"a" lies at 3\.\.1/)
  refuses(file({ a: { dtype: 'U8', shape: [1], data_offsets: [0, 1, 2] } }, [1]), /"a" lies at 0\.\.1\.\.2/)
  refuses(file({ a: entry('U8', [2 ** 30, 2 ** 30, 2 ** 30], 0, 1) }, [1]), /"a" lies at 0\.\.1/)
})

test('decodeSafetensors() refuses an entry without its parts, by name', () => {
  const bad = [null, 3, [], {}, { dtype: 'U8', shape: [1] }, { dtype: 1, shape: [1], data_offsets: [0, 1] }]
  const worse = [entry('U8', [-1], 0, 1), entry('U8', [0.5], 0, 1), entry('U8', [1], -1, 0)]
  const worst = [{ dtype: 'U8', shape: '1', data_offsets: [0, 1] }]
  for (const part of [...bad, ...worse, ...worst])
    refuses(file({ w: part }, [1]), /"w" lacks a dtype, a shape or data_offsets/)
})

test('decodeSafetensors() names a type that it does not read', () => {
  refuses(file({ w: entry('F8_E4M3', [1], 0, 1) }, [1]), /"w" is F8_E4M3/)
})

test('decodeSafetensors() refuses metadata that is not texts', () => {
  refuses(file({ __metadata__: { a: 1 } }), /__metadata__/)
  refuses(file({ __metadata__: [] }), /__metadata__/)
})

test('decodeSafetensors() refuses a header that is not what it says', () => {
  refuses(new Uint8Array(0), /0 bytes/)
  refuses(file('{"a":', []), /not JSON/)
  refuses(file(Buffer.from('{"\xff"}', 'latin1').toString('latin1')), /not JSON/)
  refuses(file('[1]'), /not a safetensors file/)
  refuses(file({}, [], 2 ** 40), /its header ends at byte 1099511627784, and the file at 10/)
  refuses(Buffer.from('PK\x03\x04 a zip of torch'), /not a safetensors file/)
})

test('decodeSafetensors() of changed bytes is a map or one operating error, never anything else', () => {
  const change = fc.record({ at: fc.nat(golden.length - 1), byte: fc.nat(255) })
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), changes => {
      const bytes = Buffer.from(golden)
      for (const { at, byte } of changes) bytes[at] = byte
      try {
        for (const tensor of decodeSafetensors(bytes).tensors.values())
          assert.equal(tensor.data.length, sizeOf(tensor.shape))
      } catch (error) {
        if (!(error instanceof RunbookError)) throw error
      }
    }),
    { numRuns: 2000 },
  )
})
