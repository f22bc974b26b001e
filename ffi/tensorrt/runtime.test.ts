import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { needsTool } from '../../lib/testing/needs.ts'
import { FfiError } from '../errors.ts'
import { densePlan, planBytes } from '../testing/tensorrt/plan.ts'
import { standinVersions, tensorRtStandin } from '../testing/tensorrt/standin.ts'
import { inChild } from '../testing/tensorrt/in-child.ts'
import { openTensorRt } from './open.ts'
import { deserialize } from './runtime.ts'

const skip = needsTool('g++')
const ten = standinVersions[1]!
const opened = (version = ten) => {
  const standin = tensorRtStandin(version, { isLean: true })
  standin.reset()
  return { standin, rt: openTensorRt({ env: standin.env }) }
}
const isError = (kind: FfiError['kind'], message: RegExp) => (thrown: unknown) =>
  thrown instanceof FfiError && thrown.kind === kind && message.test(thrown.message)
const withFault = async (fault: string, body: () => Promise<void>) => {
  process.env.STANDIN_FAULT = fault
  try {
    await body()
  } finally {
    delete process.env.STANDIN_FAULT
  }
}
const nothing = { objects: 0, device: 0, host: 0, stream: 0, event: 0 }

test(
  'deserialize() tells on 8.6, 10 and 11 what goes in and out, with types, shapes and profiles',
  { skip },
  async () => {
    for (const version of standinVersions) {
      const { standin, rt } = opened(version)
      const engine = await deserialize(rt, planBytes(densePlan({ isOpen: true }), version), 'm.plan')
      assert.deepEqual([engine.name, engine.layers, engine.profileCount], ['dense', 1, 1])
      assert.deepEqual(engine.tensors, [
        {
          name: 'x',
          mode: 'input',
          dtype: 'float32',
          shape: [-1, 3],
          location: 'device',
          isShape: false,
          isLinear: true,
          profiles: [{ min: [1, 3], opt: [4, 3], max: [8, 3] }],
        },
        {
          name: 'y',
          mode: 'output',
          dtype: 'float32',
          shape: [-1, 2],
          location: 'device',
          isShape: false,
          isLinear: true,
          profiles: [],
        },
      ])
      engine.close()
      engine.close()
      assert.deepEqual(standin.live(), nothing)
    }
  },
)

test('inspect() gives JSON about the layers', { skip }, async () => {
  const { standin, rt } = opened()
  const engine = await deserialize(rt, planBytes(densePlan(), ten), 'm.plan')
  assert.deepEqual(JSON.parse(engine.inspect()), { Layers: ['op 0 of kind 0'] })
  engine.close()
  assert.deepEqual(standin.live(), nothing)
})

test(
  'deserialize() refuses a plan of another version before the library sees it, and names both versions',
  { skip },
  async () => {
    const { rt } = opened()
    for (const version of [
      { major: 10, minor: 13, patch: 2 },
      { major: 10, minor: 12, patch: 3 },
      { major: 8, minor: 6, patch: 1 },
      { major: 11, minor: 0, patch: 0 },
    ]) {
      const text = `${version.major}\\.${version.minor}\\.${version.patch}`
      await assert.rejects(
        deserialize(rt, planBytes(densePlan(), version), 'a b.plan'),
        isError('refused', new RegExp(`"a b.plan": TensorRT ${text} wrote it, and this is 10\\.13\\.3`)),
      )
    }
    assert.deepEqual(rt.logger.messages, [])
  },
)

test(
  'deserialize() lets the library judge another minor when host code is trusted, but never another major',
  { skip },
  async () => {
    const { standin, rt } = opened()
    await assert.rejects(
      deserialize(rt, planBytes(densePlan(), { major: 10, minor: 12, patch: 0 }), 'm.plan', { trustHostCode: true }),
      isError('refused', /Version tag does not match/),
    )
    await assert.rejects(
      deserialize(rt, planBytes(densePlan(), { major: 8, minor: 6, patch: 1 }), 'm.plan', { trustHostCode: true }),
      isError('refused', /TensorRT 8\.6\.1 wrote it/),
    )
    assert.deepEqual(standin.live(), nothing)
  },
)

test(
  'deserialize() says what the library said of a plan that is damaged, and leaves nothing behind',
  { skip },
  async () => {
    const { standin, rt } = opened()
    const plan = planBytes(densePlan(), ten)
    const flipped = Buffer.from(plan)
    flipped[60]! ^= 1
    await assert.rejects(deserialize(rt, flipped, 'm.plan'), isError('usage', /"m\.plan".*checksum does not match/))
    for (const broken of [plan.subarray(0, plan.length - 4), Buffer.concat([plan, Buffer.alloc(3)])]) {
      await assert.rejects(
        deserialize(rt, broken, 'm.plan'),
        isError('usage', /"m\.plan".*Size specified in header does not match archive size/),
      )
    }
    for (const broken of [new Uint8Array(0), plan.subarray(0, 10), Buffer.from('mock plan')])
      await assert.rejects(deserialize(rt, broken, 'm.plan'), isError('usage', /"m\.plan"/))
    assert.deepEqual(standin.live(), nothing)
  },
)

test('deserialize() survives 500 mutated plans with one clear error each', { skip }, async () => {
  const { standin, rt } = opened()
  const plan = planBytes(densePlan({ isOpen: true }), ten)
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(plan.length - 1), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 }),
      fc.nat(plan.length),
      async (flips, cut) => {
        const mutated = Buffer.from(plan.subarray(0, cut % 3 === 0 ? cut : plan.length))
        for (const [at, mask] of flips) if (at < mutated.length) mutated[at]! ^= mask
        if (mutated.equals(plan)) return
        await deserialize(rt, mutated, 'm.plan').then(
          engine => engine.close(),
          (thrown: unknown) => assert.ok(thrown instanceof FfiError && thrown.hint !== ''),
        )
      },
    ),
    { numRuns: 500 },
  )
  assert.deepEqual(standin.live(), nothing)
})

test(
  'deserialize() carries an ordered fault of each call as an error, and leaves nothing behind',
  { skip },
  async () => {
    const { standin, rt } = opened()
    const plan = planBytes(densePlan(), ten)
    for (const [fault, expected] of [
      [
        'createInferRuntime=fail',
        isError('status', /createInferRuntime: TensorRT 10\.13\.3 failed: .*a fault was ordered/),
      ],
      ['deserializeCudaEngine=fail', isError('status', /OutOfMemory/)],
      ['cudaGetDeviceCount=35', isError('absent', /CUDA initialization failure with error: 35/)],
    ] as const) {
      await withFault(fault, () => assert.rejects(deserialize(rt, plan, 'm.plan'), expected))
      standin.reset()
    }
    assert.deepEqual(standin.live(), nothing)
    ;(await deserialize(rt, plan, 'm.plan')).close()
  },
)

test(
  'deserialize() asks CUDA for a device before 8.6 does, which ends the process where there is none',
  { skip },
  () => {
    const { stdout, stderr, signal } = inChild(
      `
    const standin = tensorRtStandin(standinVersions[0], { isLean: true })
    const rt = openTensorRt({ env: standin.env })
    await deserialize(rt, planBytes(densePlan(), standin.version), 'm.plan').catch(
      thrown => console.log(thrown.kind, thrown.message))
    rt.library.handle.func('void *createInferRuntime_INTERNAL(void *logger, int32_t version)')(
      rt.logger.pointer, 8601)`,
      { env: { STANDIN_DRIVER: '0' } },
    )
    assert.equal(
      stdout,
      'absent Cannot call cudaGetDeviceCount: cudaErrorInsufficientDriver (35): no NVIDIA driver is loaded\n',
      stderr,
    )
    assert.equal(signal, 'SIGSEGV')
  },
)

test('deserialize() works when several plans are read at once', { skip }, async () => {
  const { standin, rt } = opened()
  const engines = await Promise.all(
    Array.from({ length: 6 }, (_, i) =>
      deserialize(rt, planBytes({ ...densePlan(), name: `n${i}` }, ten), `${i}.plan`),
    ),
  )
  assert.deepEqual(
    engines.map(engine => engine.name),
    ['n0', 'n1', 'n2', 'n3', 'n4', 'n5'],
  )
  for (const engine of engines) engine.close()
  assert.deepEqual(standin.live(), nothing)
})

test(
  'canaries refuse a library whose methods are elsewhere, without a crash, for each object that is asked',
  { skip },
  () => {
    for (const [type, slot, expected] of [
      ['IRuntime', 2, 'IRuntime.getPImpl'],
      ['IRuntime', 11, 'IRuntime.getLogger'],
      ['ICudaEngine', 2, 'ICudaEngine.getPImpl'],
      ['IExecutionContext', 7, 'IExecutionContext.getEngine'],
    ] as const) {
      const { stdout, stderr, signal } = inChild(`
      const standin = tensorRtStandin(standinVersions[1], { isLean: true, shift: { type: '${type}', slot: ${slot} } })
      try {
        const rt = openTensorRt({ env: standin.env })
    const engine = await deserialize(rt, planBytes(densePlan(), standin.version), 'm.plan')
        await createStep(engine, openCuda({ env: standin.env }))
        console.log('nothing was refused')
      } catch (thrown) {
        console.log(thrown.kind, thrown.message)
      }`)
      assert.equal(signal, null, stderr)
      assert.match(
        stdout,
        new RegExp(
          `^refused Cannot use TensorRT 10\\.13\\.3 .*unsupported ABI, ${expected.replace('.', '\\.')} answers`,
        ),
      )
    }
  },
)

test('a crash in the library ends only the process that it happens in', { skip }, () => {
  tensorRtStandin(ten, { isLean: true })
  const { signal, stdout } = inChild(
    `
    const standin = tensorRtStandin(standinVersions[1], { isLean: true })
    const rt = openTensorRt({ env: standin.env })
    const engine = await deserialize(rt, planBytes(densePlan(), standin.version), 'm.plan')
    const step = await createStep(engine, openCuda({ env: standin.env }))
    step.run()
    console.log('ran once')
    step.run()`,
    { env: { STANDIN_FAULT: 'enqueueV3=crash@2' } },
  )
  assert.equal(signal, 'SIGSEGV')
  assert.equal(stdout, 'ran once\n')
})
