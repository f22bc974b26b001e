import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { Cursor, Pieces, WireError, readRecords, wires } from './protobuf.ts'

const bytes = (...values: number[]) => Uint8Array.from(values)

test('Cursor reads back every 64-bit number that Pieces writes', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), value => {
      const pieces = new Pieces()
      pieces.varint64(value)
      const joined = pieces.join()
      const cursor = new Cursor(joined)
      cursor.varint(joined.length)
      assert.equal(cursor.int64, value)
      assert.equal(cursor.uint64, BigInt.asUintN(64, value))
      assert.equal(cursor.at, joined.length)
    }),
  )
})

function varintOf(value: number): number[] {
  const pieces = new Pieces()
  pieces.varint(value)
  return [...pieces.join()]
}

test('Pieces.varint() writes the known bytes of small and large numbers', () => {
  assert.deepEqual(varintOf(0), [0])
  assert.deepEqual(varintOf(127), [0x7f])
  assert.deepEqual(varintOf(300), [0xac, 0x02])
  assert.deepEqual(varintOf(2 ** 32), [0x80, 0x80, 0x80, 0x80, 0x10])
  assert.deepEqual(varintOf(Number.MAX_SAFE_INTEGER), [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f])
})

test('Cursor reads a number that is longer than it needs to be', () => {
  const cursor = new Cursor(bytes(0x85, 0x80, 0x80, 0x00))
  cursor.varint(4)
  assert.equal(cursor.unsigned, 5)
})

test('Cursor refuses a number that is cut off or longer than ten bytes', () => {
  assert.throws(() => new Cursor(bytes(0x80, 0x80)).varint(2), { name: 'WireError', message: /truncated/ })
  assert.throws(() => new Cursor(new Uint8Array(11).fill(0x80)).varint(11), {
    name: 'WireError',
    message: /more than ten bytes/,
  })
})

test('Pieces joins neighbours in memory to one piece and copies nothing before join()', () => {
  const memory = bytes(1, 2, 3, 4, 5)
  const pieces = new Pieces()
  pieces.push(memory.subarray(0, 2))
  pieces.push(memory.subarray(2, 2))
  pieces.push(memory.subarray(2, 4))
  assert.equal(pieces.list.length, 1)
  memory[0] = 9
  pieces.push(memory.subarray(0, 1))
  assert.equal(pieces.list.length, 2)
  assert.deepEqual([...pieces.join()], [9, 2, 3, 4, 9])
})

test('Pieces.text() keeps earlier text when later text is written beside it', () => {
  const pieces = new Pieces()
  const words = Array.from({ length: 4000 }, (_, i) => `wort-${i}-ä`)
  for (const word of words) pieces.push(Pieces.text(word))
  pieces.push(Pieces.text('x'.repeat(100_000)))
  assert.equal(Buffer.from(pieces.join()).toString(), words.join('') + 'x'.repeat(100_000))
})

test('readRecords() says where each record lies, groups and all', () => {
  const message = bytes(
    0x08,
    5, // field 1 is 5
    0x12,
    2,
    97,
    98, // field 2 is "ab"
    0x1d,
    1,
    2,
    3,
    4, // field 3: four bytes
    0x21,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8, // field 4: eight bytes
    0x2b,
    0x08,
    1,
    0x33,
    0x34,
    0x2c, // field 5: a group that holds field 1 and a group of its own
  )
  const records = readRecords(message)
  assert.deepEqual(
    records.map(({ number, wire }) => [number, wire]),
    [
      [1, 0],
      [2, 2],
      [3, 5],
      [4, 1],
      [5, wires.group],
    ],
  )
  assert.deepEqual(records[1], { number: 2, wire: 2, start: 2, body: 4, end: 6 })
  assert.equal(records.at(-1)!.end, message.length)
})

test('readRecords() refuses what is malformed', () => {
  assert.throws(() => readRecords(bytes(0x12, 5, 97)), /field 2 wants 5 bytes, 1 are left/)
  assert.throws(() => readRecords(bytes(0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)), /truncated/)
  assert.throws(() => readRecords(bytes(0x0d, 1, 2)), /truncated/)
  assert.throws(() => readRecords(bytes(0x09, 1, 2)), /truncated/)
  assert.throws(() => readRecords(bytes(0x00, 1)), /impossible number/)
  assert.throws(() => readRecords(bytes(0x0e, 1)), /wire type 6/)
  assert.throws(() => readRecords(bytes(0x0c)), /wire type 4/)
  assert.throws(() => readRecords(bytes(0x0b, 0x08, 1)), /truncated/)
  assert.throws(() => readRecords(bytes(0x0b, 0x14)), /wire type 4/)
  assert.throws(() => readRecords(new Uint8Array(100_000).fill(0x0b)), /groups nest deeper/)
})

test('readRecords() reads or refuses any bytes, and its records tile the message', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), message => {
      try {
        let at = 0
        for (const { start, body, end } of readRecords(message)) {
          assert.equal(start, at)
          assert.ok(body > start && end >= body)
          at = end
        }
        assert.equal(at, message.length)
      } catch (thrown) {
        assert.ok(thrown instanceof WireError, String(thrown))
      }
    }),
    { numRuns: 500 },
  )
})
