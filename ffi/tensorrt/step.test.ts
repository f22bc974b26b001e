import assert from 'node:assert/strict'
import test from 'node:test'
import { blockedMs } from '../../lib/testing/event-loop.ts'
import { needsTool } from '../../lib/testing/needs.ts'
import { openCuda } from '../cuda/cuda.ts'
import { FfiError } from '../errors.ts'
import { denseAnswer, densePlan, planBytes, type PlanNetwork } from '../testing/tensorrt/plan.ts'
import { standinVersions, tensorRtStandin } from '../testing/tensorrt/standin.ts'
import { openTensorRt } from './open.ts'
import { deserialize } from './runtime.ts'
import { createStep } from './step.ts'

const skip = needsTool('g++')
const ten = standinVersions[1]!
const nothing = { objects: 0, device: 0, host: 0, stream: 0, event: 0 }
const isError = (kind: FfiError['kind'], message: RegExp) => (thrown: unknown) => thrown instanceof FfiError && thrown.kind === kind && message.test(thrown.message)

async function opened(network: PlanNetwork, { version = ten, profile = 0 } = {}) {
  const standin = tensorRtStandin(version, { isLean: true })
  standin.reset()
  const cuda = openCuda({ env: standin.env })
  const engine = await deserialize(openTensorRt({ env: standin.env }), planBytes(network, version), 'm.plan')
  try {
    const step = await createStep(engine, cuda, { profile })
    const floats = (bytes: Uint8Array) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
    return { standin, cuda, engine, step, x: floats(step.inputs[0]!.host), y: floats(step.outputs[0]!.host), close: () => (step.close(), engine.close()) }
  } catch (thrown) {
    engine.close()
    throw thrown
  }
}
const withEnv = async (env: Record<string, string>, body: () => Promise<unknown> | void) => {
  Object.assign(process.env, env)
  try {
    await body()
  } finally {
    for (const name of Object.keys(env)) delete process.env[name]
  }
}

test('createStep() runs 1,000 steps on 8.6, 10 and 11 with right results, and leaves nothing behind', { skip }, async () => {
  for (const version of standinVersions) {
    const { standin, step, x, y, close } = await opened(densePlan(), { version })
    for (let i = 0; i < 1000; i++) {
      const feed = [Math.sin(i), i / 100, -i / 300]
      x.set(feed)
      if (i % 4 === 0) await step.runLater()
      else step.run()
      const expected = denseAnswer([...Float32Array.from(feed)])
      assert.ok(expected.every((value, k) => Math.abs(value - y[k]!) < 1e-4), `${version.major}: step ${i} gave ${y} and not ${expected}`)
    }
    assert.deepEqual(standin.live(), { objects: 3, device: 2, host: 2, stream: 1, event: 0 })
    close()
    assert.deepEqual(standin.live(), nothing)
  }
})

test('run() works with a stream that works in the caller\'s thread', { skip }, () => withEnv({ STANDIN_STREAM: 'inline' }, async () => {
  const { step, x, y, close } = await opened(densePlan())
  x.set([1, 2, 3])
  step.run()
  assert.deepEqual([...y], [14.25, 0])
  close()
}))

test('setShape() changes what is copied and what comes out, within the profile', { skip }, async () => {
  const { standin, step, x, y, close } = await opened(densePlan({ isOpen: true }))
  assert.deepEqual([step.inputs[0]!.shape, step.outputs[0]!.shape, step.inputs[0]!.host.length], [[8, 3], [8, 2], 96])
  for (const batch of [1, 8, 3]) {
    step.setShape('x', [batch, 3])
    assert.deepEqual([step.outputs[0]!.shape, step.outputs[0]!.bytes], [[batch, 2], batch * 8])
    for (let i = 0; i < batch; i++) x.set([i, 1, 0], 3 * i)
    y.fill(-7)
    step.run()
    for (let i = 0; i < 8; i++) assert.equal(y[2 * i], i < batch ? i + 2.25 : -7)
  }
  for (const shape of [[9, 3], [0, 3], [4, 4], [4], [4, 3, 1]]) {
    assert.throws(() => step.setShape('x', shape), isError('usage', /"x" the shape \[.*\]: it takes \[1, 3\] to \[8, 3\]/))
  }
  assert.throws(() => step.setShape('z', [1]), isError('usage', /the inputs are x/))
  assert.deepEqual(step.inputs[0]!.shape, [3, 3])
  close()
  assert.deepEqual(standin.live(), nothing)
})

test('createStep() takes the profile that is asked for, and refuses one that is not there', { skip }, async () => {
  const network: PlanNetwork = { ...densePlan({ isOpen: true }), profiles: [{ x: [[1, 3], [1, 3], [2, 3]] }, { x: [[4, 3], [4, 3], [16, 3]] }] }
  const { step, close } = await opened(network, { profile: 1 })
  assert.deepEqual(step.inputs[0]!.shape, [16, 3])
  assert.throws(() => step.setShape('x', [2, 3]), isError('usage', /it takes \[4, 3\] to \[16, 3\]/))
  close()
  for (const profile of [2, -1, 0.5, Number.NaN]) await assert.rejects(opened(network, { profile }), isError('usage', /Cannot use profile .*: the plan has 2/))
})

test('createStep() carries several inputs, outputs and element types', { skip }, async () => {
  const network: PlanNetwork = {
    tensors: [
      { name: 'a', role: 'input', shape: [4] }, { name: 'b', role: 'input', shape: [4] }, { name: 'n', role: 'input', dtype: 'int64', shape: [2] },
      { name: 'h', role: 'input', dtype: 'float16', shape: [3] }, { name: 'inside', role: 'inner', shape: [4] }, { name: 'sum', role: 'output', shape: [4] },
      { name: 'm', role: 'output', dtype: 'int64', shape: [2] }, { name: 'g', role: 'output', dtype: 'float16', shape: [3] },
    ],
    ops: [{ kind: 'add', from: 'a', and: 'b', to: 'inside' }, { kind: 'relu', from: 'inside', to: 'sum' }, { kind: 'copy', from: 'n', to: 'm' }, { kind: 'copy', from: 'h', to: 'g' }],
  }
  const { step, close } = await opened(network)
  assert.deepEqual([...step.inputs, ...step.outputs].map(({ info, bytes }) => `${info.name} ${info.dtype} ${bytes}`), ['a float32 16', 'b float32 16', 'n int64 16', 'h float16 6', 'sum float32 16', 'm int64 16', 'g float16 6'])
  const [a, b, n, h] = step.inputs.map(({ host }) => host)
  a!.set(new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer))
  b!.set(new Uint8Array(Float32Array.of(-5, 5, 0.5, -4).buffer))
  n!.set(new Uint8Array(BigInt64Array.of(-1n, 2n ** 40n).buffer))
  h!.set(new Uint8Array(Uint16Array.of(0x3c00, 1, 0xffff).buffer))
  await step.runLater()
  const [sum, m, g] = step.outputs.map(({ host }) => host.slice().buffer)
  assert.deepEqual([...new Float32Array(sum!)], [0, 7, 3.5, 0])
  assert.deepEqual([...new BigInt64Array(m!)], [-1n, 2n ** 40n])
  assert.deepEqual([...new Uint16Array(g!)], [0x3c00, 1, 0xffff])
  close()
})

test('createStep() refuses element types that no array here holds', { skip }, async () => {
  const network: PlanNetwork = { tensors: [{ name: 'q', role: 'input', dtype: 'float32', shape: [4] }, { name: 'r', role: 'output', shape: [4] }], ops: [{ kind: 'copy', from: 'q', to: 'r' }] }
  const standin = tensorRtStandin(ten, { isLean: true })
  const engine = await deserialize(openTensorRt({ env: standin.env }), planBytes(network, ten), 'm.plan')
  const cuda = openCuda({ env: standin.env })
  for (const odd of [{ dtype: 'fp8' }, { isShape: true }, { isLinear: false }]) {
    const strange = { ...engine, tensors: [{ ...engine.tensors[0]!, ...odd }, engine.tensors[1]!] }
    await assert.rejects(createStep(strange, cuda), isError('refused', /Cannot bind "q"/))
  }
  engine.close()
  assert.deepEqual(standin.live(), nothing)
})

test('run() says that enqueueV3 failed, and goes on when it works again', { skip }, async () => {
  const { step, standin, x, y, close } = await opened(densePlan())
  x.set([1, 2, 3])
  await withEnv({ STANDIN_FAULT: 'enqueueV3=fail@3' }, async () => {
    step.run()
    step.run()
    assert.throws(() => step.run(), isError('status', /enqueueV3 answers false/))
    await assert.rejects(step.runLater(), isError('status', /enqueueV3 answers false/))
  })
  step.run()
  assert.equal(y[0], 14.25)
  close()
  assert.deepEqual(standin.live(), nothing)
})

test('close() waits for copies that a failed step has left under way', { skip }, () => withEnv({ STANDIN_WORK_US: '20000', STANDIN_FAULT: 'enqueueV3=fail' }, async () => {
  const { step, standin, close } = await opened(densePlan())
  assert.throws(() => step.run(), isError('status', /enqueueV3/))
  close()
  assert.deepEqual(standin.live(), nothing)
}))

test('createStep() leaves nothing behind whichever allocation fails', { skip }, async () => {
  const standin = tensorRtStandin(ten, { isLean: true })
  for (const [fault, message] of [
    ['cudaMalloc=2@1', /cudaMalloc\(12\): cudaErrorMemoryAllocation \(2\): out of memory/], ['cudaMalloc=2@2', /cudaMalloc\(8\)/], ['cudaHostAlloc=2@2', /cudaHostAlloc\(8\)/],
    ['cudaStreamCreateWithFlags=700', /cudaErrorIllegalAddress/], ['createExecutionContext=fail', /createExecutionContext: .*OutOfMemory/],
  ] as const) {
    standin.reset()
    await withEnv({ STANDIN_FAULT: fault }, () => assert.rejects(opened(densePlan()), isError('status', message)))
    assert.deepEqual(standin.live(), nothing, fault)
  }
})

test('a lost device is an error of the step that meets it, and can still be closed', { skip }, async () => {
  const { step, standin, close } = await opened(densePlan())
  step.run()
  standin.lose(700)
  assert.throws(() => step.run(), isError('status', /cudaErrorIllegalAddress \(700\)/))
  await assert.rejects(step.runLater(), isError('status', /illegal memory access/))
  close()
  assert.equal(standin.live().objects, 0)
  standin.lose(0)
})

test('runLater() does not block the event loop for 20 ms while the device works for 60, and refuses a second one meanwhile', { skip }, () => withEnv({ STANDIN_WORK_US: '30000' }, async () => {
  const { step, close } = await opened(densePlan())
  const running = step.runLater()
  await assert.rejects(step.runLater(), /still under way/)
  assert.throws(() => step.run(), /still under way/)
  assert.throws(() => step.close(), /still under way/)
  assert.throws(() => step.setShape('x', [1, 3]), /running/)
  await running
  const asideMs = await blockedMs(() => step.runLater())
  const hereMs = await blockedMs(() => step.run(), { repeats: 2 })
  assert.ok(asideMs < 20 && hereMs > 25, `${asideMs} ms aside, ${hereMs} ms here`)
  close()
}))

test('run() refuses after the step was closed, and closing twice does nothing', { skip }, async () => {
  const { step, close } = await opened(densePlan())
  close()
  close()
  assert.throws(() => step.run(), /the step is closed/)
  await assert.rejects(step.runLater(), /the step is closed/)
  assert.throws(() => step.setShape('x', [1, 3]), /closed/)
})
