import assert from 'node:assert/strict'
import test from 'node:test'
import { turnsDuring } from '../../lib/testing/event-loop.ts'
import { needsTool } from '../../lib/testing/needs.ts'
import { openCuda } from '../cuda/cuda.ts'
import { FfiError } from '../errors.ts'
import { denseAnswer, densePlan, planBytes, type PlanNetwork } from '../testing/tensorrt/plan.ts'
import { standinVersions, tensorRtStandin } from '../testing/tensorrt/standin.ts'
import { dimsBytes } from './dims.ts'
import { openTensorRt } from './open.ts'
import { deserialize } from './runtime.ts'
import { createStep } from './step.ts'

const skip = needsTool('g++')
const ten = standinVersions[1]!
const nothing = { objects: 0, device: 0, host: 0, stream: 0, event: 0 }
const isError = (kind: FfiError['kind'], message: RegExp) => (thrown: unknown) =>
  thrown instanceof FfiError && thrown.kind === kind && message.test(thrown.message)

async function opened(network: PlanNetwork, { version = ten, profile = 0 } = {}) {
  const standin = tensorRtStandin(version, { isLean: true })
  standin.reset()
  const cuda = openCuda({ env: standin.env })
  const engine = await deserialize(openTensorRt({ env: standin.env }), planBytes(network, version), 'm.plan')
  try {
    const step = await createStep(engine, cuda, { profile })
    const floats = (bytes: Uint8Array) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
    return {
      standin,
      cuda,
      engine,
      step,
      x: floats(step.inputs[0]!.host),
      y: floats(step.outputs[0]!.host),
      close: () => (step.close(), engine.close()),
    }
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

test(
  'createStep() runs 1,000 steps on 8.6, 10 and 11 with right results, and leaves nothing behind',
  { skip },
  async () => {
    for (const version of standinVersions) {
      const { standin, step, x, y, close } = await opened(densePlan(), { version })
      for (let i = 0; i < 1000; i++) {
        const feed = [Math.sin(i), i / 100, -i / 300]
        x.set(feed)
        if (i % 4 === 0) await step.runLater()
        else step.run()
        const expected = denseAnswer([...Float32Array.from(feed)])
        assert.ok(
          expected.every((value, k) => Math.abs(value - y[k]!) < 1e-4),
          `${version.major}: step ${i} gave ${y} and not ${expected}`,
        )
      }
      assert.deepEqual(standin.live(), { objects: 3, device: 2, host: 2, stream: 1, event: 0 })
      close()
      assert.deepEqual(standin.live(), nothing)
    }
  },
)

test("run() works with a stream that works in the caller's thread", { skip }, () =>
  withEnv({ STANDIN_STREAM: 'inline' }, async () => {
    const { step, x, y, close } = await opened(densePlan())
    x.set([1, 2, 3])
    step.run()
    assert.deepEqual([...y], [14.25, 0])
    close()
  }),
)

test('setShapes() changes what is copied and what comes out, within the profile', { skip }, async () => {
  const { standin, step, x, y, close } = await opened(densePlan({ isOpen: true }))
  assert.deepEqual([step.inputs[0]!.shape, step.outputs[0]!.shape, step.inputs[0]!.host.length], [[8, 3], [8, 2], 96])
  for (const batch of [1, 8, 3]) {
    step.setShapes({ x: [batch, 3] })
    assert.deepEqual([step.outputs[0]!.shape, step.outputs[0]!.bytes], [[batch, 2], batch * 8])
    for (let i = 0; i < batch; i++) x.set([i, 1, 0], 3 * i)
    y.fill(-7)
    step.run()
    for (let i = 0; i < 8; i++) assert.equal(y[2 * i], i < batch ? i + 2.25 : -7)
  }
  for (const shape of [[9, 3], [0, 3], [4, 4], [4], [4, 3, 1]]) {
    assert.throws(
      () => step.setShapes({ x: shape }),
      isError('usage', /"x" the shape \[.*\]: it takes \[1, 3\] to \[8, 3\]/),
    )
  }
  assert.throws(() => step.setShapes({ z: [1] }), isError('usage', /the inputs are x/))
  assert.deepEqual(step.inputs[0]!.shape, [3, 3])
  close()
  assert.deepEqual(standin.live(), nothing)
})

test('createStep() takes the profile that is asked for, and refuses one that is not there', { skip }, async () => {
  const network: PlanNetwork = {
    ...densePlan({ isOpen: true }),
    profiles: [
      {
        x: [
          [1, 3],
          [1, 3],
          [2, 3],
        ],
      },
      {
        x: [
          [4, 3],
          [4, 3],
          [16, 3],
        ],
      },
    ],
  }
  const { step, close } = await opened(network, { profile: 1 })
  assert.deepEqual(step.inputs[0]!.shape, [16, 3])
  assert.throws(() => step.setShapes({ x: [2, 3] }), isError('usage', /it takes \[4, 3\] to \[16, 3\]/))
  close()
  for (const profile of [2, -1, 0.5, Number.NaN])
    await assert.rejects(opened(network, { profile }), isError('usage', /Cannot use profile .*: the plan has 2/))
})

test('createStep() carries several inputs, outputs and element types', { skip }, async () => {
  const network: PlanNetwork = {
    tensors: [
      { name: 'a', role: 'input', shape: [4] },
      { name: 'b', role: 'input', shape: [4] },
      { name: 'n', role: 'input', dtype: 'int64', shape: [2] },
      { name: 'h', role: 'input', dtype: 'float16', shape: [3] },
      { name: 'inside', role: 'inner', shape: [4] },
      { name: 'sum', role: 'output', shape: [4] },
      { name: 'm', role: 'output', dtype: 'int64', shape: [2] },
      { name: 'g', role: 'output', dtype: 'float16', shape: [3] },
    ],
    ops: [
      { kind: 'add', from: 'a', and: 'b', to: 'inside' },
      { kind: 'relu', from: 'inside', to: 'sum' },
      { kind: 'copy', from: 'n', to: 'm' },
      { kind: 'copy', from: 'h', to: 'g' },
    ],
  }
  const { step, close } = await opened(network)
  assert.deepEqual(
    [...step.inputs, ...step.outputs].map(({ info, bytes }) => `${info.name} ${info.dtype} ${bytes}`),
    ['a float32 16', 'b float32 16', 'n int64 16', 'h float16 6', 'sum float32 16', 'm int64 16', 'g float16 6'],
  )
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

test('setShapes() changes inputs that share an axis together, at every change of it', { skip }, async () => {
  for (const version of standinVersions) {
    const { standin, step, close } = await opened(sumPlan, { version })
    const [x, y, z] = [...step.inputs, ...step.outputs].map(({ host }) => new Float32Array(host.buffer))
    for (const batch of [1, 8, 3, 2]) {
      step.setShapes({ x: [batch, 3], y: [batch, 3] })
      assert.deepEqual(step.outputs[0]!.shape, [batch, 3])
      x!.fill(batch)
      y!.fill(0.5)
      z!.fill(-7)
      if (batch % 2) await step.runLater()
      else step.run()
      assert.deepEqual(
        [...z!],
        Array.from({ length: 24 }, (_, i) => (i < 3 * batch ? batch + 0.5 : -7)),
      )
    }
    close()
    assert.deepEqual(standin.live(), nothing)
  }
})

test(
  'setShapes() leaves every shape as it was, and the step usable, when one is refused or two disagree',
  { skip },
  async () => {
    const { step, close } = await opened(sumPlan)
    const [x, y, z] = [...step.inputs, ...step.outputs].map(({ host }) => new Float32Array(host.buffer))
    step.setShapes({ x: [2, 3], y: [2, 3] })
    for (const [shapes, message] of [
      [{ x: [4, 3], y: [9, 3] }, /"y" the shape \[9, 3\]: it takes \[1, 3\] to \[8, 3\]/],
      [{ x: [4, 3], z: [4, 3] }, /Cannot shape "z": the inputs are x, y/],
      [{ x: [4, 3] }, /Cannot give "x" \[4, 3\] and "y" \[2, 3\]: TensorRT finds no shape for "z"/],
      [{ x: [4, 3], y: [5, 3] }, /"x" \[4, 3\] and "y" \[5, 3\]/],
      [{ x: [4, 3], y: [4.5, 3] }, /\[4\.5, 3\]: up to 8 whole numbers/],
    ] as const) {
      assert.throws(() => step.setShapes(shapes), isError('usage', message))
      assert.deepEqual(
        [...step.inputs, ...step.outputs].map(({ shape, bytes }) => [shape, bytes]),
        Array.from({ length: 3 }, () => [[2, 3], 24]),
      )
      x!.fill(1)
      y!.fill(2)
      z!.fill(-7)
      step.run()
      assert.deepEqual([...z!.subarray(0, 7)], [3, 3, 3, 3, 3, 3, -7])
    }
    close()
  },
)

test('setShapes() refuses a shape that the buffers have no room for', { skip }, async () => {
  const standin = tensorRtStandin(ten, { isLean: true })
  const engine = await deserialize(
    openTensorRt({ env: standin.env }),
    planBytes(densePlan({ isOpen: true }), ten),
    'm.plan',
  )
  const small = {
    ...engine,
    tensors: engine.tensors.map(tensor => ({
      ...tensor,
      profiles: tensor.profiles.map(range => ({ ...range, max: [4, 3] })),
    })),
  }
  const step = await createStep(small, openCuda({ env: standin.env }))
  assert.throws(
    () => step.setShapes({ x: [5, 3] }),
    isError('refused', /"x" \[5, 3\]: "x" then takes 60 bytes, and 48 at the profile's largest/),
  )
  assert.deepEqual(step.inputs[0]!.shape, [4, 3])
  step.run()
  step.close()
  engine.close()
})

test('createStep() refuses a profile whose largest shapes disagree', { skip }, async () => {
  const network = {
    ...sumPlan,
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
          [16, 3],
        ],
      },
    ],
  } as const
  await assert.rejects(
    opened(network),
    isError('refused', /Cannot bind "z": .* largest shapes disagree \("x" \[8, 3\] and "y" \[16, 3\]\)/),
  )
  assert.deepEqual(tensorRtStandin(ten, { isLean: true }).live(), nothing)
})

test(
  'the stand-in gives no output shape and runs nothing while inputs disagree, as a real TensorRT',
  { skip },
  async () => {
    const standin = tensorRtStandin(ten, { isLean: true })
    const engine = await deserialize(openTensorRt({ env: standin.env }), planBytes(sumPlan, ten), 'm.plan')
    const context = await engine.rt.logger.inTurn(() => engine.createContext())
    const cuda = openCuda({ env: standin.env })
    const [stream, memory] = [cuda.createStream(), cuda.alloc(96)]
    for (const name of ['x', 'y', 'z']) context.flag('setTensorAddress', name, memory.pointer)
    const set = (name: string, batch: number) =>
      context.flag('setInputShape', name, dimsBytes([batch, 3], engine.rt.abi.dims))
    assert.deepEqual(
      [set('x', 2), context.shape('getTensorShape', 'z'), context.flag('enqueueV3', stream.pointer)],
      [true, null, false],
    )
    assert.deepEqual(
      [set('y', 2), context.shape('getTensorShape', 'z'), context.flag('enqueueV3', stream.pointer)],
      [true, [2, 3], true],
    )
    assert.deepEqual(
      [set('y', 3), context.shape('getTensorShape', 'z'), context.flag('enqueueV3', stream.pointer)],
      [true, null, false],
    )
    stream.wait()
    context.delete()
    for (const thing of [stream.destroy, memory.free, engine.close]) thing()
    assert.deepEqual(standin.live(), nothing)
  },
)

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

test('close() waits for copies that a failed step has left under way', { skip }, () =>
  withEnv({ STANDIN_WORK_US: '20000', STANDIN_FAULT: 'enqueueV3=fail' }, async () => {
    const { step, standin, close } = await opened(densePlan())
    assert.throws(() => step.run(), isError('status', /enqueueV3/))
    close()
    assert.deepEqual(standin.live(), nothing)
  }),
)

test('createStep() leaves nothing behind whichever allocation fails', { skip }, async () => {
  const standin = tensorRtStandin(ten, { isLean: true })
  for (const [fault, message] of [
    ['cudaMalloc=2@1', /cudaMalloc\(12\): cudaErrorMemoryAllocation \(2\): out of memory/],
    ['cudaMalloc=2@2', /cudaMalloc\(8\)/],
    ['cudaHostAlloc=2@2', /cudaHostAlloc\(8\)/],
    ['cudaStreamCreateWithFlags=700', /cudaErrorIllegalAddress/],
    ['createExecutionContext=fail', /createExecutionContext: .*OutOfMemory/],
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

test(
  'runLater() leaves the event loop alone while the device works, and refuses a second one meanwhile',
  { skip },
  () =>
    withEnv({ STANDIN_WORK_US: '30000' }, async () => {
      const { step, close } = await opened(densePlan())
      const running = step.runLater()
      await assert.rejects(step.runLater(), /still under way/)
      assert.throws(() => step.run(), /still under way/)
      assert.throws(() => step.close(), /still under way/)
      assert.throws(() => step.setShapes({ x: [1, 3] }), /running/)
      await running
      const [aside, here] = [await turnsDuring(() => step.runLater()), await turnsDuring(() => step.run())]
      assert.ok(aside > 20 && here === 0, `${aside} turns aside, ${here} here`)
      close()
    }),
)

test('run() refuses after the step was closed, and closing twice does nothing', { skip }, async () => {
  const { step, close } = await opened(densePlan())
  close()
  close()
  assert.throws(() => step.run(), /the step is closed/)
  await assert.rejects(step.runLater(), /the step is closed/)
  assert.throws(() => step.setShapes({ x: [1, 3] }), /closed/)
})
