import assert from 'node:assert/strict'
import test from 'node:test'
import { needsTool } from '../../../lib/testing/needs.ts'
import { FfiError } from '../../errors.ts'
import { koffi } from '../../load.ts'
import { densePlan, planBytes } from '../../testing/tensorrt/plan.ts'
import { standinVersions, tensorRtStandin } from '../../testing/tensorrt/standin.ts'
import { openTensorRt } from '../open.ts'
import { deserialize } from '../runtime.ts'
import { objectOf } from './vtable.ts'

const skip = needsTool('g++')
const ten = standinVersions[1]!
const refused = (message: RegExp) => (thrown: unknown) =>
  thrown instanceof FfiError && thrown.kind === 'refused' && message.test(thrown.message)
const opened = () => {
  const standin = tensorRtStandin(ten, { isLean: true })
  return { standin, rt: openTensorRt({ env: standin.env }) }
}

test('object() refuses a pointer that cannot be followed, instead of following it', { skip }, () => {
  const {
    rt: { vtables },
  } = opened()
  for (const pointer of [8n, 0xdead_beef_0000n, 0xffff_ffff_ffff_fff0n]) {
    assert.throws(
      () => vtables.object('ICudaEngine', pointer),
      refused(/unsupported ABI, the address 0x[0-9a-f]+ cannot be read/),
    )
  }
})

test("object() refuses an object whose vtable does not lead into the library's code", { skip }, () => {
  const {
    rt: { vtables },
  } = opened()
  const k = koffi()
  const memory = k.alloc('void *', 256) as bigint
  const word = (index: number, value: bigint) => k.encode(memory + BigInt(8 * index), 'void *', value)
  word(0, memory + 32n)
  word(1, memory)
  // Nothing but null in the vtable.
  assert.throws(() => vtables.object('ICudaEngine', memory), refused(/there is no code at its place/))
  // Data where code should be, then another library's code.
  for (let i = 4; i < 256; i++) word(i, memory)
  assert.throws(() => vtables.object('ICudaEngine', memory), refused(/there is no code at its place/))
  const foreign = k.load(null).symbol('getppid') as bigint
  for (let i = 4; i < 256; i++) word(i, foreign)
  assert.throws(() => vtables.object('ICudaEngine', memory), refused(/leads into \/.*lib/))
})

test('NativeObject calls by name, and says when a version has no such method', { skip }, async () => {
  const { standin, rt } = opened()
  const engine = await deserialize(rt, planBytes(densePlan(), ten), 'm.plan')
  const { object } = engine
  assert.equal(object.number('getNbIOTensors'), 2)
  assert.equal(object.text('getIOTensorName', 0), 'x')
  assert.equal(object.text('getIOTensorName', 7), null)
  assert.deepEqual(object.shape('getTensorShape', 'y'), [1, 2])
  assert.equal(object.shape('getTensorShape', 'no such tensor'), null)
  assert.equal(object.address('getPImpl'), object.pointer)
  assert.equal(object.has('getNbIOTensors'), true)
  assert.equal(object.has('flyAway'), false)
  assert.throws(() => object.call('flyAway'), refused(/ICudaEngine\.flyAway: TensorRT 10\.13\.3 has no such method/))
  assert.equal(await object.later('getNbLayers'), 1)
  engine.close()
  assert.throws(() => object.number('getNbIOTensors'), /after the object was deleted/)
  assert.equal(standin.live().objects, 0)
})

test('objectOf() takes what lies below every mapping for null, as TensorRT gives it when CUDA does not start', () => {
  for (const given of [null, undefined, 0n, 0x228n, 0xffffn, 7, 'x']) assert.equal(objectOf(given), null)
  assert.equal(objectOf(0x1_0000n), 0x1_0000n)
  assert.equal(objectOf(0x7fff_1234_5678n), 0x7fff_1234_5678n)
})

test('methods of one type are made once, for making one costs 20 µs', { skip }, async () => {
  const { rt } = opened()
  const engines = [
    await deserialize(rt, planBytes(densePlan(), ten), 'a.plan'),
    await deserialize(rt, planBytes(densePlan(), ten), 'b.plan'),
  ] as const
  assert.equal(engines[0].object.method('getNbLayers'), engines[1].object.method('getNbLayers'))
  for (const engine of engines) engine.close()
})
