import assert from 'node:assert/strict'
import test from 'node:test'
import { RunbookError } from '../../base/errors.ts'
import { decodeCt2Model, readCt2Model } from './model-bin.ts'

const u32 = (n: number) => Buffer.from(Uint32Array.of(n).buffer)
const text = (words: string) => {
  const body = Buffer.from(`${words}\0`)
  return Buffer.concat([Buffer.from(Uint16Array.of(body.length).buffer), body])
}
const variable = (name: string, shape: readonly number[], code: number, payload: Uint8Array) =>
  Buffer.concat([text(name), Buffer.of(shape.length), ...shape.map(u32), Buffer.of(code), u32(payload.length), payload])
const file = (o: { version?: number; variables?: Buffer[]; aliases?: Buffer[]; rest?: Buffer } = {}) => {
  const {
    version = 6,
    rest = Buffer.alloc(0),
    variables = [
      variable('a/bias', [2], 4, new Uint8Array(Uint16Array.of(0x3c00, 0xc000).buffer)),
      variable('a/weight', [2, 3], 0, new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer)),
      variable('heads', [], 2, new Uint8Array(Int16Array.of(6).buffer)),
    ],
    aliases = [Buffer.concat([text('b/weight'), text('a/weight')])],
  } = o
  return Buffer.concat([
    u32(version),
    text('WhisperSpec'),
    u32(3),
    u32(variables.length),
    ...variables,
    u32(aliases.length),
    ...aliases,
    rest,
  ])
}

test('decodeCt2Model gives variables of every rank, and aliases', () => {
  const model = decodeCt2Model(file())
  assert.equal(model.spec, 'WhisperSpec')
  assert.equal(model.revision, 3)
  assert.deepEqual([...model.variables.keys()], ['a/bias', 'a/weight', 'heads'])
  assert.deepEqual(model.variables.get('a/weight'), {
    dtype: 'float32',
    shape: [2, 3],
    data: Float32Array.of(1, 2, 3, 4, 5, 6),
  })
  assert.deepEqual(model.variables.get('heads'), { dtype: 'int16', shape: [], data: Int16Array.of(6) })
  assert.deepEqual(model.variables.get('a/bias')!.data, Uint16Array.of(0x3c00, 0xc000))
  assert.deepEqual([...model.aliases], [['b/weight', 'a/weight']])
})

test('decodeCt2Model refuses a file cut at any byte', () => {
  const whole = file()
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => decodeCt2Model(whole.subarray(0, length)), RunbookError, `${length} bytes`)
  }
})

test('decodeCt2Model refuses what goes on behind its end, another version, and contradictions', () => {
  const two = Buffer.alloc(2)
  const bad: Record<string, Buffer> = {
    'bytes behind': file({ rest: Buffer.of(0) }),
    'version 5': file({ version: 5 }),
    'a type nobody knows': file({ variables: [variable('x', [1], 9, two)] }),
    'a length that its shape does not take': file({ variables: [variable('x', [2], 4, two)], aliases: [] }),
    'a name twice': file({ variables: [variable('x', [1], 4, two), variable('x', [1], 4, two)], aliases: [] }),
    'an alias of nothing': file({ aliases: [Buffer.concat([text('b'), text('gone')])] }),
    'a rank of 200': file({
      variables: [
        variable(
          'x',
          Array.from({ length: 200 }, () => 1),
          4,
          two,
        ),
      ],
      aliases: [],
    }),
    'a name without an end': Buffer.concat([u32(6), Buffer.from(Uint16Array.of(2).buffer), Buffer.from('ab')]),
    'four billion variables': Buffer.concat([u32(6), text('W'), u32(3), u32(0xffff_ffff)]),
  }
  for (const [name, bytes] of Object.entries(bad)) assert.throws(() => decodeCt2Model(bytes), RunbookError, name)
})

test('readCt2Model is blocked when the file is absent', () => {
  assert.throws(
    () => readCt2Model('no-such-folder/model.bin'),
    (thrown: RunbookError) => thrown.exit === 'blocked',
  )
})
