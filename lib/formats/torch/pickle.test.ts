import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { RunbookError } from '../../base/errors.ts'
import { pickled, pickledCall, pickledDict, pickledInt, pickledName, pickledText } from '../../testing/torch/write.ts'
import { pickledTuple } from '../../testing/torch/write.ts'
import { readPickle, type PickleTable } from './pickle.ts'

const table: PickleTable<never> = {
  calls: { 'math.pair': args => [...args] },
  isPlainName: path => path === 'torch.float32',
  persistent: id => ['outside', id],
}
const read = (bytes: Uint8Array) => readPickle(bytes, table, 'x.pkl')
const body = (...bytes: number[]) => read(Buffer.from([0x80, 2, ...bytes, 0x2e]))

test('readPickle() reads what Python 3 wrote in protocol 4', () => {
  // pickle.dumps({'a': [1, -2, 3.5, None, True], 'b': (2**40, b'\x01\x02'), 'c': {'x'}}, 4)
  const hex =
    '8004953e000000000000007d94288c0161945d94284b014afeffffff47400c0000000000004e88658c0162948a0600000000000143020102' +
    '9486948c0163948f94288c01789490752e'
  assert.deepEqual(
    read(Buffer.from(hex, 'hex')),
    new Map<string, unknown>([
      ['a', [1, -2, 3.5, null, true]],
      ['b', [2 ** 40, Uint8Array.of(1, 2)]],
      ['c', new Set(['x'])],
    ]),
  )
})

test('readPickle() makes a call that its table names, and keeps an import as a name', () => {
  const call = pickledCall(pickledName('math', 'pair'), pickledTuple(pickledInt(1), pickledText('é')))
  assert.deepEqual(read(pickled(call)), [1, 'é'])
  assert.equal((read(pickled(pickledName('torch', 'float32'))) as { path: string }).path, 'torch.float32')
})

test('readPickle() refuses every other import and call, in each form that a pickle has', () => {
  const system = pickledCall(pickledName('os', 'system'), pickledTuple(pickledText('echo')))
  assert.throws(() => read(pickled(system)), /it names os\.system/)
  const stacked = Buffer.concat([pickledText('builtins'), pickledText('eval'), Buffer.of(0x93)])
  assert.throws(() => read(pickled(stacked)), /it names builtins\.eval/)
  const uncalled = pickledCall(pickledName('torch', 'float32'), pickledTuple())
  assert.throws(() => read(pickled(uncalled)), /it calls torch\.float32/)
  const inherited = pickledCall(pickledName('constructor', 'call'), pickledTuple())
  assert.throws(() => read(pickled(inherited)), /it names constructor\.call/)
  assert.throws(() => read(pickled(pickledCall(pickledText('eval'), pickledTuple()))), /it calls something without/)
  for (const code of [0x69, 0x6f, 0x82, 0x92, 0x97, 0x98, 0x49, 0x53, 0x70, 0x50])
    assert.throws(() => body(code, 0x31, 0x0a), /opcode|cut short/)
})

test('readPickle() keeps a dictionary whose attributes are set, and refuses attributes of anything else', () => {
  const attributes = Buffer.concat([pickledDict([['k', pickledInt(1)]]), pickledDict([]), Buffer.of(0x62)])
  assert.deepEqual(read(pickled(attributes)), new Map([['k', 1]]))
  assert.throws(() => read(pickled(Buffer.concat([pickledInt(1), pickledDict([]), Buffer.of(0x62)]))), /attributes/)
})

test('readPickle() refuses a list that contains itself', () => {
  assert.throws(() => body(0x5d, 0x71, 0, 0x68, 0, 0x61), /it contains itself/)
  // The same list twice is no circle.
  assert.deepEqual(body(0x5d, 0x71, 0, 0x68, 0, 0x86), [[], []])
})

test('readPickle() refuses an empty stack, an absent mark, an unknown memo and an unknown protocol', () => {
  assert.throws(() => body(0x86), /takes from an empty stack/)
  assert.throws(() => body(0x74), /looks for a mark/)
  assert.throws(() => body(0x68, 7), /recalls value 7/)
  assert.throws(() => body(), /ends with no single value/)
  assert.throws(() => read(Buffer.of(0x80, 9, 0x4e, 0x2e)), /protocol 9/)
  assert.throws(() => body(0x8b, 0, 0, 0, 0x70), /cut short/)
})

test('readPickle() ends with a value or a RunbookError for any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), bytes => {
      try {
        read(bytes)
      } catch (thrown) {
        assert.ok(thrown instanceof RunbookError, String(thrown))
      }
    }),
    { numRuns: 2000, seed: 5 },
  )
})
