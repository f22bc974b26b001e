import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { RunbookError } from '../../base/errors.ts'
import { tensorFromBytes } from './tensor-bytes.ts'
import { arrayOf, float32, sizeOf, type Dtype } from './tensor.ts'
import { decodeNpy, encodeNpy } from './npy.ts'

/** What numpy 2.4 wrote for `np.array([[1.5, -2, np.inf]], '<f4')`. */
const rowOfThree =
  '934e554d5059010076007b276465736372273a20273c6634272c2027666f727472616e5f6f72646572273a2046616c73652c' +
  '20277368617065273a20' +
  `28312c2033292c207d${'20'.repeat(58)}0a0000c03f000000c00000807f`
/**
 * What numpy 2.4 wrote for `np.asfortranarray(np.arange(6, dtype='>i2').reshape(2, 3))`: both orders are the other one.
 */
const bigAndColumnMajor =
  '934e554d5059010076007b276465736372273a20273e6932272c2027666f727472616e5f6f72646572273a20547275652c20' +
  '277368617065273a20' +
  `28322c2033292c207d${'20'.repeat(59)}0a000000030001000400020005`

/** A file with the header that a test wants. */
function npy(header: string, data: Uint8Array | readonly number[] = [], { major = 1 } = {}): Uint8Array {
  const length = Buffer.alloc(major === 1 ? 2 : 4)
  length.writeUIntLE(Buffer.byteLength(header), 0, length.length)
  const magic = Buffer.from(`\x93NUMPY${String.fromCharCode(major)}\0`, 'latin1')
  return Buffer.concat([magic, length, Buffer.from(header), Uint8Array.from(data)])
}
const dict = (descr: string, shape: string, order = 'False') =>
  `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }\n`
const refuses = (bytes: Uint8Array, why: RegExp) =>
  assert.throws(
    () => decodeNpy(bytes, 'x.npy'),
    (error: unknown) => {
      const isOurs = error instanceof RunbookError && error.exit === 'usage' && error.hint !== ''
      return isOurs && error.message.startsWith('Cannot read "x.npy": ') && why.test(error.message)
    },
  )

test('decodeNpy() reads what numpy wrote, and encodeNpy() writes the same bytes', () => {
  const bytes = Buffer.from(rowOfThree, 'hex')
  const tensor = decodeNpy(bytes)
  assert.deepEqual(tensor, float32([1, 3], [1.5, -2, Infinity]))
  assert.equal(Buffer.from(encodeNpy(tensor)).toString('hex'), rowOfThree)
})

test('decodeNpy() turns big-endian columns into little-endian rows', () => {
  const rows = { dtype: 'int16', shape: [2, 3], data: Int16Array.of(0, 1, 2, 3, 4, 5) }
  assert.deepEqual(decodeNpy(Buffer.from(bigAndColumnMajor, 'hex')), rows)
})

test('decodeNpy() transposes three axes of unlike length', () => {
  // Column-major: the first axis runs fastest. Element [i, j, k] of this array is 100 i + 10 j + k.
  const shape = [2, 3, 4]
  const data: number[] = []
  for (let k = 0; k < 4; k++) for (let j = 0; j < 3; j++) for (let i = 0; i < 2; i++) data.push(100 * i + 10 * j + k)
  const tensor = decodeNpy(npy(dict("'|u1'", '(2, 3, 4)', 'True'), data))
  const rows = Array.from({ length: 24 }, (_, n) => 100 * Math.floor(n / 12) + 10 * (Math.floor(n / 4) % 3) + (n % 4))
  assert.deepEqual(tensor, { dtype: 'uint8', shape, data: Uint8Array.from(rows) })
})

test('decodeNpy() leaves a column-major vector, scalar or empty array as it is', () => {
  assert.deepEqual(decodeNpy(npy(dict("'|i1'", '(1, 3, 1)', 'True'), [1, 2, 3])).data, Int8Array.of(1, 2, 3))
  assert.deepEqual(decodeNpy(npy(dict("'|i1'", '()', 'True'), [7])).shape, [])
  assert.deepEqual(decodeNpy(npy(dict("'|i1'", '(0, 3)', 'True'))).shape, [0, 3])
})

test('decodeNpy() reads the formats 2 and 3, whose headers may be long', () => {
  for (const major of [2, 3]) {
    const tensor = decodeNpy(
      npy(dict("'<i4'", '(1,)').replace('\n', `${' '.repeat(70_000)}\n`), [1, 0, 0, 0], { major }),
    )
    assert.deepEqual(tensor, { dtype: 'int32', shape: [1], data: Int32Array.of(1) })
  }
})

test('decodeNpy() takes the keys in any order, and the spelling of Python 2', () => {
  assert.deepEqual(
    decodeNpy(npy(`{"shape":(2L,),"fortran_order":False,"descr":"<u2"}`, [1, 0, 2, 0])).data,
    Uint16Array.of(1, 2),
  )
  assert.deepEqual(decodeNpy(npy(dict("'=i2'", '(1,)'), [1, 0])).data, Int16Array.of(1))
})

test('encodeNpy() and decodeNpy() are inverse for every dtype and shape', () => {
  const dtypes = Object.keys(arrayOf) as Dtype[]
  const shapes = fc.array(fc.nat(4), { maxLength: 4 })
  fc.assert(
    fc.property(fc.constantFrom(...dtypes), shapes, fc.infiniteStream(fc.nat(255)), (dtype, shape, stream) => {
      const length = sizeOf(shape) * arrayOf[dtype].BYTES_PER_ELEMENT
      const bytes = Uint8Array.from({ length }, () => stream.next().value as number)
      const tensor = tensorFromBytes({ dtype, shape, bytes })
      const file = encodeNpy(tensor)
      assert.equal((file.length - bytes.length) % 64, 0)
      assert.deepEqual(decodeNpy(file), tensor)
    }),
  )
})

test('decodeNpy() reads a view that begins at an odd place', () => {
  const file = Buffer.concat([Buffer.from([0]), encodeNpy(float32([2], [1, 2]))]).subarray(1)
  assert.deepEqual(decodeNpy(file).data, Float32Array.of(1, 2))
})

test('decodeNpy() refuses a pickled array, and says why', () => {
  refuses(npy(dict("'|O'", '(2,)'), [0x80, 4, 0x95]), /the array is a pickled Python object/)
  refuses(npy(dict("'O'", '(2,)').replace("'O'", "'|O8'")), /pickled/)
})

test('decodeNpy() refuses what is not a number, by name', () => {
  refuses(npy(dict("[('x', '<f4'), ('y', '|O')]", '(2,)')), /structured array/)
  refuses(npy(dict("'<c8'", '(1,)'), new Uint8Array(8)), /complex numbers \("<c8"\)/)
  refuses(npy(dict("'<U4'", '()'), new Uint8Array(16)), /text \("<U4"\)/)
  refuses(npy(dict("'|S3'", '(1,)'), [1, 2, 3]), /byte strings/)
  refuses(npy(dict("'<M8[ns]'", '(1,)'), new Uint8Array(8)), /dates/)
  refuses(npy(dict("'<f16'", '(1,)'), new Uint8Array(16)), /long doubles/)
  refuses(npy(dict("'|V2'", '(1,)'), [0, 0]), /raw bytes/)
  refuses(npy(dict("'nonsense'", '(1,)'), [0]), /unknown type/)
})

test('decodeNpy() refuses a shape that the data contradicts', () => {
  refuses(npy(dict("'<f4'", '(3,)'), new Uint8Array(8)), /float32\[3\] takes 12 bytes, and 8 follow/)
  refuses(npy(dict("'<f4'", '(1,)'), new Uint8Array(8)), /takes 4 bytes, and 8 follow/)
  refuses(npy(dict("'<f4'", '(9007199254740991, 1024)'), new Uint8Array(8)), /and 8 follow/)
})

test('decodeNpy() refuses a malformed header', () => {
  const headers = [
    '',
    '{}',
    'not a dict',
    dict("'<f4'", '(1)'),
    dict("'<f4'", '(,)'),
    dict("'<f4'", '(-1,)'),
    dict("'<f4'", '(1,,2)'),
    dict("'<f4'", '1'),
    dict("'<f4'", '(99999999999999999999,)'),
    dict("'<f4'", '(1,)', 'Maybe'),
    dict("'<f4'", '(1,)', '0'),
    dict('True', '(1,)'),
    `{'descr': '<f4', 'shape': (1,)}`,
    `{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': True}`,
    `{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}`,
    `{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}`,
    `{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} + exit()`,
    `{'descr': '<f4', 'fortran_order': False, 'shape': (1,), __import__('os')}`,
  ]
  for (const header of headers) refuses(npy(header, [0, 0, 0, 0]), /its header/)
})

test('decodeNpy() refuses an empty file, another format, an unknown version and a cut header', () => {
  refuses(new Uint8Array(0), /empty/)
  refuses(Buffer.from('hello world'), /not a \.npy/)
  refuses(Buffer.from('PK\x03\x04 and so on'), /a zip/)
  refuses(npy(dict("'<f4'", '(1,)'), [0, 0, 0, 0], { major: 4 }), /format is 4\.0/)
  const whole = encodeNpy(float32([4], [1, 2, 3, 4]))
  for (let length = 0; length < whole.length; length++)
    assert.throws(() => decodeNpy(whole.subarray(0, length)), RunbookError)
})

test('decodeNpy() of changed bytes is a tensor or one operating error, never anything else', () => {
  const whole = [rowOfThree, bigAndColumnMajor].map(hex => Buffer.from(hex, 'hex'))
  const change = fc.record({ at: fc.nat(140), byte: fc.nat(255) })
  fc.assert(
    fc.property(fc.constantFrom(...whole), fc.array(change, { minLength: 1, maxLength: 4 }), (file, changes) => {
      const bytes = Buffer.from(file)
      for (const { at, byte } of changes) bytes[at % bytes.length] = byte
      try {
        const tensor = decodeNpy(bytes)
        assert.equal(tensor.data.length, sizeOf(tensor.shape))
      } catch (error) {
        if (!(error instanceof RunbookError)) throw error
      }
    }),
    { numRuns: 2000 },
  )
})

test('encodeNpy() refuses a tensor that contradicts itself', () => {
  assert.throws(() => encodeNpy({ dtype: 'float32', shape: [3], data: new Float32Array(2) }), RunbookError)
})
