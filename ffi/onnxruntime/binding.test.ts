import assert from 'node:assert/strict'
import test from 'node:test'
import { encodeModel, type ModelProto } from '../../lib/formats/onnx/index.ts'
import { float32 } from '../../lib/formats/tensors/tensor.ts'
import { GraphBuilder } from '../../lib/onnx/builder.ts'
import { forked, halves, single } from '../../lib/testing/infer/fixtures.ts'
import type { OrtBinding } from './binding.ts'
import { nativeTensor, type NativeTensor } from './elements.ts'
import { openOnnxRuntime } from './runtime.ts'

const runtime = openOnnxRuntime({ env: {} })
test.after(() => runtime.close())
const sessionOf = (model: ModelProto) => runtime.openSession(encodeModel(model), { threads: 1 })
const bindingOf = async (model: ModelProto) => (await sessionOf(model)).openBinding()
const tensor = (shape: readonly number[], values: readonly number[]): NativeTensor => {
  const made = nativeTensor('float32', shape)
  made.data.set(values as never)
  return made
}
const values = ({ data }: NativeTensor) => [...(data as Float32Array)]

/** `next = state + 1`, of a fixed shape. */
function counter(): ModelProto {
  const graph = new GraphBuilder({ name: 'count' })
  graph.node('Add', [graph.input('state', 'float32', [2]), graph.weight('one', float32([1], [1]))], { output: 'next' })
  graph.output('next', 'float32', [2])
  return graph.build()
}

/** A cache as a decoder has one: `present` is `past` with `token` appended, `sum` is the sum over time. */
function cache(): ModelProto {
  const graph = new GraphBuilder({ name: 'cache', opset: 13 })
  const past = graph.input('past', 'float32', [1, 'time', 2])
  const token = graph.input('token', 'float32', [1, 1, 2])
  const present = graph.node('Concat', [past, token], { output: 'present', attributes: { axis: 1 } })
  graph.node('ReduceMean', [present], { output: 'mean', attributes: { axes: [1], keepdims: 0 } })
  graph.output('present', 'float32', [1, 'next', 2])
  graph.output('mean', 'float32', [1, 2])
  return graph.build()
}

test('runSync() of two bindings hands a state back and forth, and nothing is copied', async () => {
  const session = await sessionOf(counter())
  const [a, b] = [tensor([2], [0, 10]), tensor([2], [0, 0])]
  const [ping, pong] = [session.openBinding(), session.openBinding()]
  ping.setInput('state', a)
  ping.setOutput('next', b)
  pong.setInput('state', b)
  pong.setOutput('next', a)
  for (let i = 0; i < 100; i++) {
    ping.runSync()
    pong.runSync()
  }
  assert.deepEqual(
    [values(a), values(b)],
    [
      [200, 210],
      [199, 209],
    ],
  )
})

test('feedBack() makes a cache grow from nothing, and the other outputs stay in their own arrays', async () => {
  const step = await bindingOf(cache())
  const token = tensor([1, 1, 2], [0, 0])
  const mean = tensor([1, 2], [0, 0])
  step.setInput('past', nativeTensor('float32', [1, 0, 2]))
  step.setInput('token', token)
  step.setOutput('present')
  step.setOutput('mean', mean)
  for (let i = 1; i <= 300; i++) {
    token.data.set([i, -i] as never)
    if (i % 2 === 0) step.runSync()
    else await step.run()
    assert.deepEqual(values(mean), [(i + 1) / 2, -(i + 1) / 2])
    step.feedBack({ present: 'past' })
  }
  step.setInput('past', nativeTensor('float32', [1, 0, 2]))
  token.data.set([7, 8] as never)
  step.runSync()
  const [present] = step.take(['present'])
  assert.deepEqual(
    [present!.shape, [...present!.read()]],
    [
      [1, 1, 2],
      [7, 8],
    ],
  )
  present!.release()
})

test('take() gives a value that another binding takes as its input, also after the first has closed', async () => {
  const session = await sessionOf(cache())
  const first = session.openBinding()
  first.setInput('past', tensor([1, 2, 2], [1, 2, 3, 4]))
  first.setInput('token', tensor([1, 1, 2], [5, 6]))
  first.setOutput('present')
  first.setOutput('mean')
  first.runSync()
  const [present, mean] = first.take(['present', 'mean'])
  first.runSync()
  await first.close()
  assert.deepEqual([...mean!.read()], [3, 4])
  const second = session.openBinding()
  second.setInput('past', present!)
  present!.release()
  second.setInput('token', tensor([1, 1, 2], [0, 0]))
  const third = tensor([1, 4, 2], [])
  second.setOutput('present', third)
  second.setOutput('mean')
  second.runSync()
  assert.deepEqual(values(third), [1, 2, 3, 4, 5, 6, 0, 0])
  mean!.release()
  mean!.release()
  assert.throws(() => present!.read(), { kind: 'usage', message: /the value was released/ })
  assert.throws(() => second.setInput('past', present!), { kind: 'usage', message: /released/ })
})

test('readInto() copies into an array of the same type and size, and refuses another', async () => {
  const binding = await bindingOf(single('Neg', { input: ['n'], output: ['n'] }))
  binding.setInput('input', tensor([3], [1, 2, 3]))
  binding.setOutput('output')
  binding.runSync()
  const [value] = binding.take(['output'])
  const all = new Float32Array(5)
  value!.readInto(all.subarray(1, 4))
  assert.deepEqual([...all], [0, -1, -2, -3, 0])
  assert.throws(() => value!.readInto(new Float32Array(4)), {
    kind: 'usage',
    message: /Float32Array of 4 does not hold/,
  })
  assert.throws(() => value!.readInto(new Int32Array(3)), { kind: 'usage', message: /Int32Array/ })
  value!.release()
})

test('setInput() takes a tensor of another shape before each run', async () => {
  const binding = await bindingOf(single('Neg', { input: ['n'], output: ['n'] }))
  binding.setOutput('output')
  for (const n of [2, 5, 0, 1]) {
    binding.setInput('input', tensor([n], Array(n).fill(n)))
    binding.runSync()
    const [value] = binding.take(['output'])
    assert.deepEqual([value!.shape, [...value!.read()]], [[n], Array(n).fill(-n)])
    value!.release()
  }
})

test('setInput() and setOutput() refuse names, types and shapes that do not fit', async () => {
  const binding = await bindingOf(forked(2))
  const refused = (job: () => void, message: RegExp) => assert.throws(job, { kind: 'usage', message })
  refused(() => binding.setInput('noise', tensor([1], [0])), /Cannot bind "noise" of .*: its inputs are sound float32/)
  refused(() => binding.setInput('quiet', tensor([1], [0])), /its inputs are/)
  refused(() => binding.setOutput('sound'), /its outputs are quiet/)
  refused(() => binding.setInput('sound', tensor([1, 1, 1, 3], [])), /it takes float32\[1, 1, 1, 2\]/)
  refused(() => binding.setInput('sound', nativeTensor('int32', [1, 1, 1, 2])), /as int32/)
  refused(() => binding.setOutput('loud', tensor([2], [])), /Cannot bind "loud"/)
})

test('take() and feedBack() refuse before a run, for a bound output, and for an unknown name', async () => {
  const binding = await bindingOf(cache())
  binding.setInput('past', nativeTensor('float32', [1, 0, 2]))
  binding.setInput('token', tensor([1, 1, 2], [1, 1]))
  binding.setOutput('present')
  binding.setOutput('mean', tensor([1, 2], []))
  assert.throws(() => binding.take(['present']), { kind: 'usage', message: /no run came before/ })
  binding.runSync()
  assert.throws(() => binding.take(['mean']), { kind: 'usage', message: /it is bound to a tensor/ })
  assert.throws(() => binding.take(['nobody']), { kind: 'usage', message: /its outputs are/ })
  assert.throws(() => binding.feedBack({ present: 'nobody' }), { kind: 'usage', message: /its inputs are/ })
  binding.feedBack({ present: 'past' })
  binding.runSync()
})

test("runSync() fails in the library's words for an input that was never bound, and goes on", async () => {
  const binding = await bindingOf(counter())
  const out = tensor([2], [])
  binding.setOutput('next', out)
  assert.throws(() => binding.runSync(), { kind: 'status', message: /RunWithBinding\(\) answers/ })
  binding.setInput('state', tensor([2], [3, 4]))
  binding.runSync()
  assert.deepEqual(values(out), [4, 5])
})

test('run() refuses a second run, changes and a run after close; close() waits and may be called twice', async () => {
  const binding: OrtBinding = await bindingOf(halves(2))
  const out = tensor([1, 2, 1, 2], [])
  binding.setInput('input', tensor([1, 1, 1, 2], [2, 4]))
  binding.setOutput('output', out)
  const first = binding.run()
  await assert.rejects(binding.run(), { kind: 'usage', message: /under way/ })
  assert.throws(() => binding.runSync(), { kind: 'usage', message: /under way/ })
  assert.throws(() => binding.setOutput('output'), { kind: 'usage', message: /under way/ })
  await Promise.all([binding.close(), binding.close(), first])
  assert.deepEqual(values(out), [1, 2, 1, 2])
  assert.throws(() => binding.runSync(), { kind: 'usage', message: /it was closed/ })
})

test('close() of a session closes its bindings', async () => {
  const session = await sessionOf(counter())
  const binding = session.openBinding()
  await session.close()
  assert.throws(() => binding.setOutput('next'), { kind: 'usage', message: /it was closed/ })
  assert.throws(() => session.openBinding(), { kind: 'usage', message: /it was closed/ })
})
