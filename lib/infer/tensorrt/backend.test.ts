import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { denseAnswer, densePlan, planBytes, type PlanNetwork } from '../../../ffi/testing/tensorrt/plan.ts'
import { standinVersions, tensorRtStandin } from '../../../ffi/testing/tensorrt/standin.ts'
import { float32, type Tensor } from '../../formats/tensors/tensor.ts'
import type { RunbookError } from '../../base/errors.ts'
import { turnsDuring } from '../../testing/event-loop.ts'
import { needsTool } from '../../testing/needs.ts'
import { scratch } from '../../testing/infer/fixtures.ts'
import { openIsolated } from '../isolate/parent.ts'
import { openTensorRtPlan } from './backend.ts'
import type { TensorRtOptions } from './types.ts'

const skip = needsTool('g++')
const ten = standinVersions[1]!
const nothing = { objects: 0, device: 0, host: 0, stream: 0, event: 0 }
const planFile = (bytes: Uint8Array | string, name = 'model.plan') => {
  const path = join(scratch(), name)
  writeFileSync(path, bytes)
  return path
}
const open = (
  network: PlanNetwork = densePlan(),
  { version = ten, ...options }: TensorRtOptions & { version?: typeof ten } = {},
) => {
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
    assert.equal(
      model.device,
      `Stand-in GPU 0 0000:01:00.0 (TensorRT ${version.major}.${version.minor}.${version.patch}, CUDA 12.8)`,
    )
    assert.deepEqual(
      [model.inputs, model.outputs],
      [[{ name: 'x', dtype: 'float32', shape: [1, 3] }], [{ name: 'y', dtype: 'float32', shape: [1, 2] }]],
    )
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
    assert.deepEqual(
      [y!.shape, y!.data.length, y!.data[2 * batch - 2]],
      [[batch, 2], 2 * batch, denseAnswer(Array.from(feed.slice(-3)))[0]],
    )
  }
  await assert.rejects(model.infer({ x: float32([9, 3], new Float32Array(27)) }), {
    exit: 'usage',
    message: /"x" cannot have the shape \[9, 3\]: it takes \[1, 3\] to \[8, 3\]/,
  })
  assert.deepEqual((await model.infer({ x: row(1, 2, 3) })).y!.shape, [1, 2])
})

/** z = x + y over a batch that both share. */
const sumPlan: PlanNetwork = {
  tensors: [
    { name: 'x', role: 'input', shape: [-1, 3] },
    { name: 'y', role: 'input', shape: [-1, 3] },
    { name: 'z', role: 'output', shape: [-1, 3] },
  ],
  ops: [{ kind: 'add', from: 'x', and: 'y', to: 'z' }],
  profiles: [
    {
      x: [
        [1, 3],
        [2, 3],
        [8, 3],
      ],
      y: [
        [1, 3],
        [2, 3],
        [8, 3],
      ],
    },
  ],
}
const rows = (count: number, value: number) => float32([count, 3], new Float32Array(3 * count).fill(value))

test('infer() and inferSync() take two inputs that share an axis, at every change of it', { skip }, async () => {
  await using model = await open(sumPlan)
  for (const batch of [2, 8, 8, 1, 3]) {
    assert.deepEqual((await model.infer({ x: rows(batch, 1), y: rows(batch, 0.5) })).z, rows(batch, 1.5))
    assert.deepEqual(model.inferSync({ x: rows(9 - batch, 2), y: rows(9 - batch, 0.5) }).z, rows(9 - batch, 2.5))
  }
})

test('infer() answers the questions in line behind one that is refused, each in its own shape', { skip }, async () => {
  await using model = await open(sumPlan)
  const asked = [
    [2, 2],
    [4, 9],
    [2, 3],
    [4, 4],
    [1, 2],
    [2, 2],
  ] as const
  const ends = await Promise.allSettled(asked.map(([a, b], i) => model.infer({ x: rows(a, i), y: rows(b, 10) })))
  assert.deepEqual(
    ends.map(end => (end.status === 'fulfilled' ? end.value.z : (end.reason as RunbookError).exit)),
    [rows(2, 10), 'usage', 'usage', rows(4, 13), 'usage', rows(2, 15)],
  )
  assert.match(
    String((ends[2] as PromiseRejectedResult).reason),
    /model\.plan": TensorRT finds no shape for "\w+" with "x" \[2, 3\] and "y" \[3, 3\]/,
  )
  assert.deepEqual(model.inferSync({ x: rows(2, 1), y: rows(2, 1) }).z, rows(2, 2))
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
  assert.deepEqual(
    together.map(({ y }) => y!.data[0]),
    [1.25, 2.25, 3.25, 4.25, 5.25, 6.25],
  )
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

test('infer() leaves the event loop alone while the device works', { skip }, () =>
  withEnv({ STANDIN_WORK_US: '30000' }, async () => {
    await using model = await open()
    const turns = await turnsDuring(() => model.infer({ x: row(1, 2, 3) }))
    assert.ok(turns > 20, `${turns} turns`)
  }),
)

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
    assert.deepEqual(
      answers.map(({ y }) => y!.data[0]),
      [i + 2.25, i + 2.25, i + 2.25],
    )
  }
  for (const model of models) await model[Symbol.asyncDispose]()
})

test(
  'infer() is a plain error after the model was closed; closing waits for the answer, and twice is once',
  { skip },
  async () => {
    const model = await open()
    const asked = model.infer({ x: row(1, 2, 3) })
    await Promise.all([model[Symbol.asyncDispose](), model[Symbol.asyncDispose]()])
    assert.equal((await asked).y!.data[0], 14.25)
    await assert.rejects(
      model.infer({ x: row(1, 2, 3) }),
      (error: Error) => error.name === 'Error' && /is closed/.test(error.message),
    )
    assert.throws(() => model.inferSync({ x: row(1, 2, 3) }), /is closed/)
    assert.deepEqual(tensorRtStandin(ten, { isLean: true }).live(), nothing)
  },
)

test(
  'closing answers every question in line, refuses those that come later, and a second closing ends with the first',
  { skip },
  () =>
    withEnv({ STANDIN_WORK_US: '10000' }, async () => {
      const model = await open()
      const asked = [1, 2, 3].map(n => model.infer({ x: row(n, 0, 0) }))
      const first = model[Symbol.asyncDispose]()
      assert.throws(() => model.inferSync({ x: row(1, 2, 3) }), /is closed/)
      await assert.rejects(model.infer({ x: row(1, 2, 3) }), /is closed/)
      await model[Symbol.asyncDispose]()
      assert.deepEqual(tensorRtStandin(ten, { isLean: true }).live(), nothing)
      assert.deepEqual(
        (await Promise.all(asked)).map(({ y }) => y!.data[0]),
        [1.25, 2.25, 3.25],
      )
      await first
    }),
)

test('openTensorRtPlan() is a usage error for a file that is no plan, without a library', async () => {
  const env = { TENSORRT_LIB: '/no/such/libnvinfer.so', CUDART_LIB: '/no/such/libcudart.so' }
  for (const [bytes, message, hint] of [
    ['', /it is empty/, /sha256sum/],
    ['ftr', /it is a text that begins "ftr"/, /sha256sum/],
    ['version https://git-lfs.github.com/spec/v1', /a git-lfs pointer/, /git lfs pull/],
    [Buffer.from([1, 0x48, 0x45, 0x46, 0, 0, 0, 2]), /a HEF for a Hailo device/, /hailort/],
    [Buffer.from([8, 7, 0x12, 4, 1, 2]), /it begins with/, /trtexec/],
    ['ftrt\0\0\0\0', /takes 28 bytes, and the file has 8/, /trtexec/],
    [planBytes(densePlan(), ten).subarray(0, 28), /it ends with its header/, /trtexec/],
  ] as const) {
    await assert.rejects(openTensorRtPlan(planFile(bytes), { env }), { exit: 'usage', message, hint })
  }
  await assert.rejects(openTensorRtPlan(planFile(''), { env }), {
    message: /Cannot read ".*model\.plan" as a TensorRT plan: /,
  })
  await assert.rejects(openTensorRtPlan(scratch(), { env }), { exit: 'usage', message: /it is a folder/ })
})

test('openTensorRtPlan() is a usage error for a plan that is damaged or cut behind its header', { skip }, async () => {
  const { env, live } = tensorRtStandin(ten, { isLean: true })
  const whole = planBytes(densePlan(), ten)
  const flipped = Buffer.from(whole)
  flipped[60]! ^= 1
  for (const [bytes, message] of [
    [flipped, /checksum does not match/],
    [whole.subarray(0, 100), /does not match archive size/],
  ] as const) {
    await assert.rejects(openTensorRtPlan(planFile(bytes), { env }), { exit: 'usage', message, hint: /sha256sum/ })
  }
  assert.deepEqual(live(), nothing)
})

test(
  'openTensorRtPlan() is blocked by a plan with elements that no array here holds, and names tensor and type',
  { skip },
  async () => {
    const { env, live } = tensorRtStandin(ten, { isLean: true })
    for (const dtype of ['fp8', 'int4'] as const) {
      const network: PlanNetwork = {
        tensors: [
          { name: 'q', role: 'input', dtype, shape: [4] },
          { name: 'r', role: 'output', dtype, shape: [4] },
        ],
        ops: [{ kind: 'copy', from: 'q', to: 'r' }],
      }
      await assert.rejects(openTensorRtPlan(planFile(planBytes(network, ten)), { env }), {
        exit: 'blocked',
        message: new RegExp(
          `model\\.plan": the input "q" cannot be bound: its elements are ${dtype}, for which there is no array here$`,
        ),
        hint: /cast it in the ONNX file/,
      })
    }
    assert.deepEqual(live(), nothing)
  },
)

test('openTensorRtPlan() in a child names the method that the library crashed in', { skip }, async () => {
  const { env } = tensorRtStandin(ten, { isLean: true })
  const path = planFile(planBytes(densePlan(), ten))
  const isolated = (fault: string) => openIsolated(path, { env: { ...env, STANDIN_FAULT: fault } })
  await assert.rejects(isolated('deserializeCudaEngine=crash'), {
    exit: 'fail',
    message: /SIGSEGV\) during "open", in IRuntime\.deserializeCudaEngine/,
  })
  await using model = await isolated('enqueueV3=crash')
  await assert.rejects(model.infer({ x: row(1, 2, 3) }), {
    exit: 'fail',
    message: /SIGSEGV\) during "infer", in IExecutionContext\.enqueueV3/,
  })
})

test('openTensorRtPlan() is blocked when the file, the library or the device is absent', { skip }, async () => {
  await assert.rejects(openTensorRtPlan(join(scratch(), 'no.plan')), { exit: 'blocked', message: /no\.plan": ENOENT/ })
  const path = planFile(planBytes(densePlan(), ten))
  const { env } = tensorRtStandin(ten, { isLean: true })
  await assert.rejects(openTensorRtPlan(path, { env: { ...env, TENSORRT_LIB: '/no/such/libnvinfer.so' } }), {
    exit: 'blocked',
    message: /TensorRT named by TENSORRT_LIB/,
    hint: /export TENSORRT_LIB=/,
  })
  await assert.rejects(openTensorRtPlan(path, { env: { ...env, CUDART_LIB: '/no/such/libcudart.so' } }), {
    exit: 'blocked',
    hint: /export CUDART_LIB=/,
  })
  await withEnv({ STANDIN_GPUS: '0' }, () =>
    assert.rejects(openTensorRtPlan(path, { env }), { exit: 'blocked', hint: /nvidia-smi|device that/ }),
  )
})

test(
  'openTensorRtPlan() is blocked by a plan of another version, and by a library of an unknown one',
  { skip },
  async () => {
    const { env } = tensorRtStandin(ten, { isLean: true })
    const older = planFile(planBytes(densePlan(), { major: 10, minor: 3, patch: 0 }))
    await assert.rejects(openTensorRtPlan(older, { env }), {
      exit: 'blocked',
      message: /TensorRT 10\.3\.0 wrote it, and this is 10\.13\.3/,
      hint: /TENSORRT_LIB/,
    })
    const nine = { major: 9, minor: 3, patch: 0 }
    const { env: unknown } = tensorRtStandin(nine, { isLean: true })
    await assert.rejects(openTensorRtPlan(planFile(planBytes(densePlan(), nine)), { env: unknown }), {
      exit: 'blocked',
      message: /TensorRT 9\.3\.0: the places of its methods are not known/,
      hint: /8\.6\.1, 10\.0/,
    })
  },
)

test(
  'openTensorRtPlan() fails when memory runs out, leaves nothing behind, and opens when there is room again',
  { skip },
  async () => {
    const standin = tensorRtStandin(ten, { isLean: true })
    standin.reset()
    const path = planFile(planBytes(densePlan(), ten))
    await withEnv({ STANDIN_FAULT: 'cudaMalloc=2@2' }, () =>
      assert.rejects(openTensorRtPlan(path, { env: standin.env }), {
        exit: 'fail',
        message: /model\.plan.*cudaMalloc/,
        hint: /nvidia-smi/,
      }),
    )
    assert.deepEqual(standin.live(), nothing)
    await (await openTensorRtPlan(path, { env: standin.env }))[Symbol.asyncDispose]()
  },
)

test('infer() fails when the device does, names the plan, and can be closed', { skip }, async () => {
  const model = await open()
  await withEnv({ STANDIN_FAULT: 'enqueueV3=fail' }, () =>
    assert.rejects(model.infer({ x: row(1, 2, 3) }), { exit: 'fail', message: /model\.plan.*enqueueV3 answers false/ }),
  )
  const standin = tensorRtStandin(ten, { isLean: true })
  standin.lose(719)
  await assert.rejects(model.infer({ x: row(1, 2, 3) }), { exit: 'fail', message: /\(719\)/ })
  await model[Symbol.asyncDispose]()
  standin.lose(0)
})
