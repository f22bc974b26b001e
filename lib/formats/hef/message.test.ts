import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { written } from '../../testing/hef/message.ts'
import { Message } from './message.ts'
import { WireError } from '../protobuf.ts'

const message = (hex: string) => new Message(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
const again = (fields: Parameters<typeof written>[0]) => new Message(written(fields).join())

test('Message reads every kind of field from bytes that were laid by hand', () => {
  const one = message(
    '08 96 01 | 15 00 00 80 3f | 19 00 00 00 00 00 00 f0 bf | 22 02 68 69 | 2a 02 08 07'.replaceAll('|', ''),
  )
  assert.deepEqual(
    [one.uint32(1), one.float(2), one.double(3), one.text(4), one.message(5).uint32(1)],
    [150, 1, -1, 'hi', 7],
  )
  assert.deepEqual([one.has(1), one.has(6), one.flag(1), one.flag(6)], [true, false, true, false])
})

test('Message gives zero, nothing and an empty message for what is absent', () => {
  const none = message('')
  assert.deepEqual(
    [none.uint32(1), none.uint64(1), none.float(1), none.double(1), none.text(1), none.bytes(1), none.count(1)],
    [0, 0, 0, 0, '', null, 0],
  )
  assert.deepEqual(
    [none.texts(1), none.messages(1), none.doubles(1), none.message(1).message(2).text(3)],
    [[], [], [], ''],
  )
})

test('Message takes the last of a field that is given twice, and merges messages', () => {
  assert.equal(message('08 01 08 02').uint32(1), 2)
  const merged = message('0a 02 08 01 0a 02 10 05').message(1)
  assert.deepEqual([merged.uint32(1), merged.uint32(2)], [1, 5])
})

test('Message takes a field of another wire type for absent, as protobuf does', () => {
  const bytes = message('0a 01 41')
  assert.deepEqual([bytes.uint32(1), bytes.float(1), bytes.text(1)], [0, 0, 'A'])
})

test('Message cuts a uint32 to its bits and keeps a uint64', () => {
  const large = message('08 ff ff ff ff ff ff ff ff ff 01 10 80 80 80 80 20')
  assert.deepEqual([large.uint32(1), large.uint64(2)], [0xffff_ffff, 2 ** 33])
})

test('Message reads repeated numbers packed and not', () => {
  const packed = message('0a 10 00 00 00 00 00 00 f0 3f 00 00 00 00 00 00 00 40 12 03 01 96 01')
  assert.deepEqual([packed.doubles(1), packed.count(2)], [[1, 2], 2])
  assert.deepEqual(message('09 00 00 00 00 00 00 f0 3f 09 00 00 00 00 00 00 00 40').doubles(1), [1, 2])
  assert.equal(message('10 01 10 02 10 03').count(2), 3)
  assert.throws(() => message('0a 03 01 02 03').doubles(1), WireError)
})

test('Message refuses text that is no UTF-8, truncation and endless nesting', () => {
  assert.throws(() => message('0a 01 ff').text(1), /field 1 at byte 2 is not UTF-8/)
  for (const cut of ['08', '0a 05 41', '0d 00 00', '09 00']) assert.throws(() => message(cut), WireError)
  let nested = written({})
  for (let i = 0; i < 200; i++) nested = written({ 1: nested })
  let at = new Message(nested.join())
  assert.throws(() => {
    for (let i = 0; i < 200; i++) at = at.message(1)
  }, /nest deeper than 64/)
})

test('written() leaves out what is zero, and keeps it where it must be', () => {
  assert.equal(
    written({ 1: 0, 2: false, 3: '', 4: undefined, 5: { float: 0 }, 6: { double: 0 }, 7: { doubles: [] } }).length,
    0,
  )
  assert.deepEqual(Buffer.from(written({ 1: { always: 0 } }).join()), Buffer.from('0800', 'hex'))
  assert.deepEqual(Buffer.from(written({ 1: written({}) }).join()), Buffer.from('0a00', 'hex'))
})

test('written() writes what Message reads', () => {
  const field = fc.record({
    number: fc.nat(2 ** 31),
    large: fc.maxSafeNat(),
    text: fc.string(),
    float: fc.float({ noNaN: true }),
    double: fc.double({ noNaN: true }),
    doubles: fc.array(fc.double({ noNaN: true })),
    texts: fc.array(fc.string({ minLength: 1 })),
  })
  fc.assert(
    fc.property(field, ({ number, large, text, float, double, doubles, texts }) => {
      const read = again({
        1: number,
        2: large,
        3: text,
        4: { float },
        5: { double },
        6: { doubles },
        7: texts,
        9: written({ 1: number }),
        1000: Uint8Array.of(1, 2),
      })
      assert.deepEqual(
        [
          read.uint32(1),
          read.uint64(2),
          read.text(3),
          read.float(4),
          read.double(5),
          read.doubles(6),
          read.texts(7),
          read.message(9).uint32(1),
          [...read.bytes(1000)!],
        ],
        [number, large, text, float, double, doubles, texts, number, [1, 2]],
      )
    }),
    { numRuns: 200 },
  )
})
