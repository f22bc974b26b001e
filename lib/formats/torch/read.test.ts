import assert from 'node:assert/strict'
import test from 'node:test'
import { dataPath, needsData } from '../../testing/needs.ts'
import {
  pickled,
  pickledCall,
  pickledDict,
  pickledInt,
  pickledName,
  pickledTensor,
  pickledText,
  pickledTuple,
  torchFile,
  torchStateDict,
} from '../../testing/torch/write.ts'
import { fileSource, partSource } from '../byte-source.ts'
import { bufferSource } from '../../testing/formats/byte-source.ts'
import { bytesFromTensor } from '../tensors/tensor-bytes.ts'
import { readSafetensors } from '../tensors/safetensors.ts'
import { float32, type Tensor } from '../tensors/tensor.ts'
import { readTorch, stateDictOf, TorchTensor } from './read.ts'

const read = (bytes: Uint8Array) => readTorch(bufferSource(bytes, 'x.pt'))
const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer)
const matrix = { key: '0', dtype: 'float32', elements: 6, shape: [2, 3], strides: [3, 1] } as const
const one = (view: Parameters<typeof pickledTensor>[0], storage = floats(0, 1, 2, 3, 4, 5), more = {}) =>
  torchFile(pickled(pickledTensor(view)), { '0': storage }, more)
const tensorOf = (bytes: Uint8Array) => {
  const value = read(bytes)
  assert.ok(value instanceof TorchTensor)
  return value.tensor()
}

test('readTorch() gives a view by its strides and its offset in row-major order', () => {
  assert.deepEqual(tensorOf(one(matrix)), float32([2, 3], [0, 1, 2, 3, 4, 5]))
  assert.deepEqual(tensorOf(one({ ...matrix, shape: [3, 2], strides: [1, 3] })), float32([3, 2], [0, 3, 1, 4, 2, 5]))
  assert.deepEqual(tensorOf(one({ ...matrix, shape: [2], strides: [2], offset: 1 })), float32([2], [1, 3]))
  assert.deepEqual(
    tensorOf(one({ ...matrix, shape: [2, 2], strides: [0, 1], offset: 4 })),
    float32([2, 2], [4, 5, 4, 5]),
  )
  assert.deepEqual(tensorOf(one({ ...matrix, shape: [], strides: [], offset: 5 })), float32([], [5]))
  assert.deepEqual(tensorOf(one({ ...matrix, shape: [0, 3], strides: [3, 1] })), float32([0, 3], []))
})

test('readTorch() keeps float16, bfloat16, int64 and bool as they are', () => {
  const tensors = new Map<string, Tensor>([
    ['half', { dtype: 'float16', shape: [2], data: Uint16Array.of(0x3c00, 0xc000) }],
    ['brain', { dtype: 'bfloat16', shape: [1], data: Uint16Array.of(0x3f80) }],
    ['long', { dtype: 'int64', shape: [1], data: BigInt64Array.of(-3n) }],
    ['flag', { dtype: 'bool', shape: [2], data: Uint8Array.of(1, 0) }],
  ])
  const state = stateDictOf(read(torchStateDict(tensors)))
  assert.deepEqual(new Map([...state].map(([name, tensor]) => [name, tensor.tensor()])), tensors)
})

test('readTorch() turns the bytes of a big-endian file', () => {
  const big = Buffer.from(floats(1, 2, 3, 4, 5, 6)).swap32()
  const bytes = one(matrix, big, { 'archive/byteorder': Buffer.from('big') })
  assert.deepEqual(tensorOf(bytes), float32([2, 3], [1, 2, 3, 4, 5, 6]))
  assert.throws(() => read(one(matrix, big, { 'archive/byteorder': Buffer.from('pdp') })), /its byte order is "pdp"/)
})

test('readTorch() reads a parameter, an untyped storage and plain values beside tensors', () => {
  const hooks = Buffer.of(0x4e)
  const parameter = pickledCall(
    pickledName('torch._utils', '_rebuild_parameter'),
    pickledTuple(pickledTensor(matrix), Buffer.of(0x88), hooks),
  )
  const untyped = pickledTuple(
    pickledText('storage'),
    pickledName('torch.storage', 'UntypedStorage'),
    pickledText('0'),
    pickledText('cpu'),
    pickledInt(24),
  )
  const v3 = pickledCall(
    pickledName('torch._utils', '_rebuild_tensor_v3'),
    pickledTuple(
      Buffer.concat([untyped, Buffer.of(0x51)]),
      pickledInt(2),
      pickledTuple(pickledInt(2)),
      pickledTuple(pickledInt(1)),
      Buffer.of(0x89),
      hooks,
      pickledName('torch', 'uint16'),
    ),
  )
  const dims = pickledDict([['n_mels', pickledInt(80)]])
  const file = torchFile(
    pickled(
      pickledDict([
        ['w', parameter],
        ['u', v3],
        ['dims', dims],
      ]),
    ),
    { '0': floats(0, 1, 2, 3, 4, 5) },
  )
  const value = read(file) as Map<string, unknown>
  assert.deepEqual((value.get('w') as TorchTensor).tensor(), float32([2, 3], [0, 1, 2, 3, 4, 5]))
  assert.deepEqual((value.get('dims') as Map<string, number>).get('n_mels'), 80)
  const words = (value.get('u') as TorchTensor).tensor()
  assert.deepEqual([words.dtype, ...words.data], ['uint16', 0, 0x3f80])
})

test('stateDictOf() finds the dictionary under one of its keys, and refuses values that are no tensors', () => {
  const inner = pickledDict([['w', pickledTensor(matrix)]])
  const value = read(
    torchFile(
      pickled(
        pickledDict([
          ['model_state_dict', inner],
          ['epoch', pickledInt(3)],
        ]),
      ),
      { '0': floats(0, 1, 2, 3, 4, 5) },
    ),
  )
  assert.deepEqual([...stateDictOf(value, ['state_dict', 'model_state_dict']).keys()], ['w'])
  assert.throws(() => stateDictOf(value), /its entry "model_state_dict" is no tensor/)
  assert.throws(() => stateDictOf(read(torchFile(pickled(pickledDict([])), {}))), /holds no dictionary of tensors/)
})

test('readTorch() refuses a view that leaves its storage', () => {
  for (const view of [
    { ...matrix, shape: [2, 4] },
    { ...matrix, offset: 1 },
    { ...matrix, offset: -1 },
    { ...matrix, strides: [-3, 1] },
    { ...matrix, shape: [2], strides: [3, 1] },
    { ...matrix, shape: [1 << 30], strides: [0] },
  ])
    assert.throws(() => read(one(view)), /leaves its 6 elements/)
})

test('readTorch() refuses a storage that is absent, or of another length than the pickle says', () => {
  const absent = read(torchFile(pickled(pickledTensor(matrix)), {})) as TorchTensor
  assert.throws(() => absent.tensor(), /holds no entry "archive\/data\/0"/)
  assert.throws(() => tensorOf(one(matrix, floats(1, 2, 3))), /holds 12 bytes instead of 24/)
})

test('readTorch() refuses TorchScript, the old format, other zips and other files by name', () => {
  const script = one(matrix, undefined, { 'archive/constants.pkl': Buffer.of(1) })
  assert.throws(() => read(script), /it is a TorchScript program/)
  assert.throws(() => read(Buffer.from('8002 8a0a6cfc9c46f9206aa85019 2e'.replaceAll(' ', ''), 'hex')), /before 1\.6/)
  assert.throws(() => read(Buffer.from('hello, this is a text')), /it is no zip archive/)
  assert.throws(() => read(new Uint8Array(0)), /it is empty/)
  const nothing = torchFile(pickled(pickledInt(1)), {}, { 'other/data.pkl': Buffer.of(1) })
  assert.throws(() => read(nothing), /it holds 2 data\.pkl/)
})

test('readTorch() runs nothing: a pickle that calls the system is refused', () => {
  const attack = pickledCall(pickledName('posix', 'system'), pickledTuple(pickledText('touch /tmp/owned')))
  assert.throws(() => read(torchFile(pickled(attack), {})), /it names posix\.system, which is not read here/)
})

test('readTorch() refuses a file cut at any place', () => {
  const whole = one(matrix)
  for (let length = 0; length < whole.length; length += 11)
    assert.throws(() => read(whole.subarray(0, length)), /Cannot read/)
})

const nemo = 'nemo/tdt-tiny-a/tdt-tiny-a.nemo'
test('readTorch() reads the weights of a .nemo in place, equal to their safetensors', { skip: needsData(nemo) }, () => {
  const tar = fileSource(dataPath(nemo))
  const size = 970_823
  const at = Math.floor((tar.size - size) / 512) * 512
  const begins = [...Array(40).keys()]
    .map(i => at - 512 * i)
    .find(i => Buffer.from(tar.read(i, 4)).toString('latin1') === 'PK\x03\x04')
  const state = stateDictOf(readTorch(partSource(tar, { name: 'model_weights.ckpt', at: begins!, size })))
  const expected = readSafetensors(dataPath('nemo/tdt-tiny-a/weights.safetensors'))
  assert.equal(state.size, expected.size)
  for (const [name, tensor] of expected) {
    const got = state.get(name)!.tensor()
    assert.deepEqual([got.dtype, got.shape], [tensor.dtype, tensor.shape], name)
    assert.ok(Buffer.from(bytesFromTensor(got)).equals(bytesFromTensor(tensor)), name)
  }
})
