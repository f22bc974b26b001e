import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { denseAnswer, densePlan, planBytes, type PlanNetwork } from '../../ffi/testing/tensorrt/plan.ts'
import { standinVersions, tensorRtStandin } from '../../ffi/testing/tensorrt/standin.ts'
import { float32, type Tensor } from '../formats/tensor.ts'
import { blockedMs } from '../testing/event-loop.ts'
import { needsTool } from '../testing/needs.ts'
import { scratch } from './fixtures.ts'
import { openTensorRtPlan, type TensorRtOptions } from './tensorrt.ts'

const skip = needsTool('g++')
const ten = standinVersions[1]!
const nothing = { objects: 0, device: 0, host: 0, stream: 0, event: 0 }
const planFile = (bytes: Uint8Array | string, name = 'model.plan') => {
  const path = join(scratch(), name)
  writeFileSync(path, bytes)
  return path
}
const open = (network: PlanNetwork = densePlan(), { version = ten, ...options }: TensorRtOptions & { version?: typeof ten } = {}) => {
  const standin = tensorRtStandin(version, { isLean: true })
  standin.reset()
  return openTensorRtPlan(planFile(planBytes(network, version)), { env: standin.env, ...options })
}
const row = (...values: number[]) => float32([1, values.length], values)
const withEnv = async (env: Record<string, string>, body: () => Promise<unknown>) => {
  Object.assign(process.env, env)
  try {
    await body()
  } finally {
    for (const name of Object.keys(env)) delete process.env[name]
  }
}

test('openTensorRtPlan() answers on 8.6, 10 and 11, and says on what', { skip }, async () => {
  for (const version of standinVersions) {
    await using model = await open(densePlan(), { version })
    assert.equal(model.name, 'tensorrt')
    assert.equal(model.device, `Stand-in GPU 0 0000:01:00.0 (TensorRT ${version.major}.${version.minor}.${version.patch}, CUDA 12.8)`)
    assert.deepEqual([model.inputs, model.outputs], [[{ name: 'x', dtype: 'float32', shape: [1, 3] }], [{ name: 'y', dtype: 'float32', shape: [1, 2] }]])
    assert.ok(model.loadMs > 0)
    const { y } = await model.infer({ x: row(1, 2, 3) })
    assert.deepEqual(y, float32([1, 2], denseAnswer([1, 2, 3])))
    assert.deepEqual(model.inferSync({ x: row(-1, 0, 0) }).y, float32([1, 2], [0, 1]))
  }
  assert.deepEqual(tensorRtStandin(ten, { isLean: true }).live(), nothing)
})

test('infer() takes any size within the profile, and refuses one outside it by name', { skip }, async () => {
  await using model = await open(densePlan({ isOpen: true }))
  assert.deepEqual(model.inputs[0]!.shape, ['?', 3])
  for (const batch of [2, 8, 1]) {
    const feed = Float32Array.from({ length: 3 * batch }, (_, i) => i)
    const { y } = await model.infer({ x: float32([batch, 3], feed) })
    assert.deepEqual([y!.shape, y!.data.length, y!.data[2 * batch - 2]], [[batch, 2], 2 * batch, denseAnswer(Array.from(feed.slice(-3)))[0]])
  }
  await assert.rejects(model.infer({ x: float32([9, 3], new Float32Array(27)) }), { exit: 'usage', message: /"x" the shape \[9, 3\]: it takes \[1, 3\] to \[8, 3\]/ })
  assert.deepEqual((await model.infer({ x: row(1, 2, 3) })).y!.shape, [1, 2])
})

test('infer() refuses a feed of another name, shape or type, and one with NaN, and goes on', { skip }, async () => {
  await using model = await open()
  const refused = async (feeds: Record<string, Tensor>, message: RegExp) => {
    await assert.rejects(model.infer(feeds), { exit: 'usage', message })
    assert.throws(() => model.inferSync(feeds), { exit: 'usage', message })
  }
  await refused({ x: row(1, 2) }, /Cannot feed float32\[1, 2\] to "x": it takes float32\[1, 3\]/)
  await refused({ z: row(1, 2, 3) }, /Cannot feed "z"/)
  await refused({}, /Cannot infer without "x"/)
  await refused({ x: { dtype: 'float64', shape: [1, 3], data: new Float64Array(3) } }, /Cannot feed float64/)
  await refused({ x: row(1, Number.NaN, 3) }, /"x": value 1 is NaN/)
  assert.equal((await model.infer({ x: row(1, 2, 3) })).y!.data[0], 14.25)
})

test('infer() uses its result arrays again, unless somebody waits in line', { skip }, async () => {
  await using model = await open()
  const first = await model.infer({ x: row(1, 2, 3) })
  const second = await model.infer({ x: row(0, 0, 0) })
  assert.equal(first.y!.data, second.y!.data)
  const together = await Promise.all([1, 2, 3, 4, 5, 6].map(n => model.infer({ x: row(n, 0, 0) })))
  assert.deepEqual(together.map(({ y }) => y!.data[0]), [1.25, 2.25, 3.25, 4.25, 5.25, 6.25])
})

test('results outlive the model: they are no views of memory that is gone', { skip }, async () => {
  const model = await open()
  const { y } = await model.infer({ x: row(1, 2, 3) })
  await model[Symbol.asyncDispose]()
  assert.deepEqual([...y!.data], [14.25, 0])
})

test('inferSync() refuses while another question is being answered', { skip }, async () => {
  await using model = await open()
  const asked = model.infer({ x: row(1, 2, 3) })
  assert.throws(() => model.inferSync({ x: row(1, 2, 3) }), /answering another question/)
  await asked
  assert.equal(model.inferSync({ x: row(1, 2, 3) }).y!.data[0], 14.25)
})

test('infer() does not block the event loop for 20 ms while the device works for 60', { skip }, () => withEnv({ STANDIN_WORK_US: '30000' }, async () => {
  await using model = await open()
  const ms = await blockedMs(() => model.infer({ x: row(1, 2, 3) }))
  assert.ok(ms < 20, `${ms} ms`)
}))

test('a model answers while others are opened in the same process', { skip }, async () => {
  await using model = await open()
  const opening = Array.from({ length: 4 }, () => open())
  for (let i = 0; i < 50; i++) assert.equal((await model.infer({ x: row(i, 0, 0) })).y!.data[0], i + 0.25)
  for (const other of await Promise.all(opening)) await other[Symbol.asyncDispose]()
  assert.equal(tensorRtStandin(ten, { isLean: true }).live().objects, 3)
})

test('two models of different ABI profiles work side by side in one process', { skip }, async () => {
  const models = await Promise.all(standinVersions.map(version => open(densePlan(), { version })))
  for (let i = 0; i < 20; i++) {
    const answers = await Promise.all(models.map(model => model.infer({ x: row(i, 1, 0) })))
    assert.deepEqual(answers.map(({ y }) => y!.data[0]), [i + 2.25, i + 2.25, i + 2.25])
  }
  for (const model of models) await model[Symbol.asyncDispose]()
})

test('infer() is a plain error after the model was closed; closing waits for the answer, and twice is once', { skip }, async () => {
  const model = await open()
  const asked = model.infer({ x: row(1, 2, 3) })
  await Promise.all([model[Symbol.asyncDispose](), model[Symbol.asyncDispose]()])
  assert.equal((await asked).y!.data[0], 14.25)
  await assert.rejects(model.infer({ x: row(1, 2, 3) }), (error: Error) => error.name === 'Error' && /is closed/.test(error.message))
  assert.throws(() => model.inferSync({ x: row(1, 2, 3) }), /is closed/)
  assert.deepEqual(tensorRtStandin(ten, { isLean: true }).live(), nothing)
})

test('openTensorRtPlan() is a usage error for a file that is no plan, without a library', async () => {
  const env = { TENSORRT_LIB: '/no/such/libnvinfer.so', CUDART_LIB: '/no/such/libcudart.so' }
  for (const bytes of ['', 'ftr', 'version https://git-lfs.github.com/spec/v1', Buffer.from([1, 0x48, 0x45, 0x46, 0, 0, 0, 2]), 'ftrt\0\0\0\0']) {
    await assert.rejects(openTensorRtPlan(planFile(bytes), { env }), { exit: 'usage', message: /model\.plan/ })
  }
})

test('openTensorRtPlan() is blocked when the file, the library or the device is absent', { skip }, async () => {
  await assert.rejects(openTensorRtPlan(join(scratch(), 'no.plan')), { exit: 'blocked', message: /no\.plan": ENOENT/ })
  const path = planFile(planBytes(densePlan(), ten))
  const { env } = tensorRtStandin(ten, { isLean: true })
  await assert.rejects(openTensorRtPlan(path, { env: { ...env, TENSORRT_LIB: '/no/such/libnvinfer.so' } }), { exit: 'blocked', message: /TensorRT named by TENSORRT_LIB/, hint: /export TENSORRT_LIB=/ })
  await assert.rejects(openTensorRtPlan(path, { env: { ...env, CUDART_LIB: '/no/such/libcudart.so' } }), { exit: 'blocked', hint: /export CUDART_LIB=/ })
  await withEnv({ STANDIN_GPUS: '0' }, () => assert.rejects(openTensorRtPlan(path, { env }), { exit: 'blocked', hint: /nvidia-smi|device that/ }))
})

test('openTensorRtPlan() is blocked by a plan of another version, and by a library of an unknown one', { skip }, async () => {
  const { env } = tensorRtStandin(ten, { isLean: true })
  const older = planFile(planBytes(densePlan(), { major: 10, minor: 3, patch: 0 }))
  await assert.rejects(openTensorRtPlan(older, { env }), { exit: 'blocked', message: /TensorRT 10\.3\.0 wrote it, and this is 10\.13\.3/, hint: /TENSORRT_LIB/ })
  const nine = { major: 9, minor: 3, patch: 0 }
  const { env: unknown } = tensorRtStandin(nine, { isLean: true })
  await assert.rejects(openTensorRtPlan(planFile(planBytes(densePlan(), nine)), { env: unknown }), { exit: 'blocked', message: /TensorRT 9\.3\.0: the places of its methods are not known/, hint: /8\.6, 10\.0/ })
})

test('openTensorRtPlan() fails when memory runs out, leaves nothing behind, and opens when there is room again', { skip }, async () => {
  const standin = tensorRtStandin(ten, { isLean: true })
  standin.reset()
  const path = planFile(planBytes(densePlan(), ten))
  await withEnv({ STANDIN_FAULT: 'cudaMalloc=2@2' }, () => assert.rejects(openTensorRtPlan(path, { env: standin.env }), { exit: 'fail', message: /model\.plan.*cudaMalloc/, hint: /nvidia-smi/ }))
  assert.deepEqual(standin.live(), nothing)
  await (await openTensorRtPlan(path, { env: standin.env }))[Symbol.asyncDispose]()
})

test('infer() fails when the device does, names the plan, and can be closed', { skip }, async () => {
  const model = await open()
  await withEnv({ STANDIN_FAULT: 'enqueueV3=fail' }, () => assert.rejects(model.infer({ x: row(1, 2, 3) }), { exit: 'fail', message: /model\.plan.*enqueueV3 answers false/ }))
  const standin = tensorRtStandin(ten, { isLean: true })
  standin.lose(719)
  await assert.rejects(model.infer({ x: row(1, 2, 3) }), { exit: 'fail', message: /\(719\)/ })
  await model[Symbol.asyncDispose]()
  standin.lose(0)
})
