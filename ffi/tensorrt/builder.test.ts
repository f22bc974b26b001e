import assert from 'node:assert/strict'
import test from 'node:test'
import { encodeModel } from '../../lib/formats/onnx/index.ts'
import { float32 } from '../../lib/formats/tensors/tensor.ts'
import { GraphBuilder } from '../../lib/onnx/builder.ts'
import { needsTool } from '../../lib/testing/needs.ts'
import { openCuda } from '../cuda/cuda.ts'
import { FfiError } from '../errors.ts'
import { inChild } from '../testing/tensorrt/in-child.ts'
import { denseAnswer } from '../testing/tensorrt/plan.ts'
import { standinVersions, tensorRtStandin } from '../testing/tensorrt/standin.ts'
import { buildPlan, type BuildOptions } from './builder.ts'
import { openTensorRt } from './open.ts'
import { deserialize } from './runtime.ts'
import { createStep } from './step.ts'

const skip = needsTool('g++')
const [eight, ten, eleven] = standinVersions as [
  (typeof standinVersions)[0],
  (typeof standinVersions)[0],
  (typeof standinVersions)[0],
]
const nothing = { objects: 0, device: 0, host: 0, stream: 0, event: 0 }
const isError =
  (kind: FfiError['kind'], message: RegExp, hint = /./) =>
  (thrown: unknown) =>
    thrown instanceof FfiError && thrown.kind === kind && message.test(thrown.message) && hint.test(thrown.hint)
const range = { min: [1, 3], opt: [2, 3], max: [4, 3] }

/** y = relu(Wx + b), the same as the stand-in's own plan. */
function denseOnnx(batch: number | string = 'batch', op = 'Relu'): Uint8Array {
  const graph = new GraphBuilder({ name: 'dense' })
  const x = graph.input('x', 'float32', [batch, 3])
  const sum = graph.node(
    'Gemm',
    [x, graph.weight('w', float32([2, 3], [1, 2, 3, -1, 0.5, 0])), graph.weight('b', float32([2], [0.25, 0]))],
    { attributes: { transB: 1 } },
  )
  graph.node(op, [sum], { name: 'last', output: 'y' })
  graph.output('y', 'float32', [batch, 2])
  return encodeModel(graph.build())
}

const opened = (version = ten) => {
  const standin = tensorRtStandin(version)
  standin.reset()
  return { standin, rt: openTensorRt({ env: standin.env }) }
}

test('buildPlan() makes a plan of an ONNX file that runs, on 8.6, 10, 11 and 10.8', { skip }, async () => {
  for (const version of [...standinVersions, { major: 10, minor: 8, patch: 0 }]) {
    const { standin, rt } = opened(version)
    const { plan, layers, timingCache, warnings } = await buildPlan(rt, denseOnnx(), { profiles: [{ x: range }] })
    assert.deepEqual([layers, timingCache, warnings], [2, null, []])
    const engine = await deserialize(rt, plan, 'built.plan')
    assert.deepEqual(engine.tensors[0]!.profiles, [range])
    const step = await createStep(engine, openCuda({ env: standin.env }))
    step.setShapes({ x: [1, 3] })
    new Float32Array(step.inputs[0]!.host.buffer, 0, 3).set([1, 2, 3])
    step.run()
    assert.deepEqual([...new Float32Array(step.outputs[0]!.host.buffer, 0, 2)], denseAnswer([1, 2, 3]))
    step.close()
    engine.close()
    assert.deepEqual(standin.live(), nothing)
  }
})

test("buildPlan() sets what it is told to, at each major's own numbers", { skip }, async () => {
  const options: BuildOptions = {
    clear: ['TF32'],
    workspaceBytes: 2 ** 32,
    optimizationLevel: 5,
    isDetailed: true,
    hardware: 'ampere+',
  }
  for (const [version, set, flags] of [
    [eight, ['FP16', 'OBEY_PRECISION_CONSTRAINTS'], 1 | (1 << 10)],
    [ten, ['FP16', 'BF16'], 1 | (1 << 17)],
    [eleven, ['VERSION_COMPATIBLE'], 1 << 12],
  ] as const) {
    const { rt } = opened(version)
    const { plan } = await buildPlan(rt, denseOnnx(4), { ...options, set: [...set] })
    const engine = await deserialize(rt, plan, 'm.plan')
    assert.equal(engine.name, `built flags=${flags} workspace=4294967296 level=5 verbosity=2 compatibility=1`)
    engine.close()
  }
})

test('buildPlan() refuses a flag that this major lacks, and says what to do instead', { skip }, async () => {
  const { standin, rt } = opened(eleven)
  await assert.rejects(
    buildPlan(rt, denseOnnx(1), { set: ['FP16'] }),
    isError('usage', /flag "FP16": TensorRT 11\.1\.0 has none/, /convert the ONNX file itself/),
  )
  await assert.rejects(
    buildPlan(rt, denseOnnx(1), { clear: ['toString'] }),
    isError('usage', /"toString"/, /one of TF32, DIRECT_IO/),
  )
  await assert.rejects(
    buildPlan(opened(eight).rt, denseOnnx(1), { isStronglyTyped: true }),
    isError('usage', /strongly typed: TensorRT 8\.6\.1 cannot/),
  )
  for (const version of [ten, eleven]) await buildPlan(opened(version).rt, denseOnnx(1), { isStronglyTyped: true })
  assert.deepEqual(standin.live(), nothing)
})

test('buildPlan() names the node that cannot be imported, and a file that is no ONNX', { skip }, async () => {
  const { standin, rt } = opened()
  await assert.rejects(
    buildPlan(rt, denseOnnx(1, 'Erf'), { path: 'erf.onnx' }),
    isError(
      'usage',
      /Cannot import "erf\.onnx" into TensorRT 10\.13\.3: No importer .* op: Erf \(node 1 "last"\) \[code 8\]/,
      /simplify/,
    ),
  )
  for (const bytes of [Buffer.from('this is text, and not a model'), denseOnnx(1).subarray(0, 60), new Uint8Array(1)]) {
    await assert.rejects(buildPlan(rt, bytes), isError('usage', /Cannot import "the ONNX file"/))
  }
  await assert.rejects(
    buildPlan(opened(eight).rt, denseOnnx(1, 'Erf')),
    isError('usage', /op: Erf \(node 1\) \[code 8\]/),
  )
  assert.deepEqual(standin.live(), nothing)
})

test('buildPlan() refuses an empty file before the parser takes it for a model', { skip }, async () => {
  const { standin, rt } = opened()
  await assert.rejects(buildPlan(rt, new Uint8Array(0)), isError('usage', /Cannot import "the ONNX file": it is empty/))
  await assert.rejects(
    buildPlan(rt, new Uint8Array(0), { path: 'a.onnx' }),
    isError('usage', /Cannot import "a\.onnx": it is empty/),
  )
  assert.deepEqual(standin.live(), nothing)
})

test(
  'buildPlan() tells a warning of 8.6 that CUDA does not start from a builder that says nothing',
  { skip },
  async () => {
    const { rt } = opened(eight)
    process.env.STANDIN_FAULT = 'cudaGetDeviceCount=35'
    await assert.rejects(
      buildPlan(rt, denseOnnx(1)),
      isError(
        'absent',
        /createInferBuilder: TensorRT 8\.6\.1 failed: CUDA initialization failure with error: 35/,
        /nvidia-smi/,
      ),
    )
    delete process.env.STANDIN_FAULT
  },
)

test('buildPlan() wants a range for every open input, and one that rises', { skip }, async () => {
  const { standin, rt } = opened()
  await assert.rejects(
    buildPlan(rt, denseOnnx()),
    isError('usage', /the input "x" \[-1, 3\] has open axes and no range/, /for x/),
  )
  await assert.rejects(buildPlan(rt, denseOnnx(), { profiles: [{ x: range }, {}] }), isError('usage', /no range/))
  for (const broken of [
    { min: [4, 3], opt: [2, 3], max: [8, 3] },
    { min: [1, 3], opt: [2, 3], max: [8, 3, 1] },
  ]) {
    await assert.rejects(
      buildPlan(rt, denseOnnx(), { profiles: [{ x: broken }] }),
      isError('usage', /Cannot use profile 0: "x" goes from/),
    )
  }
  await assert.rejects(
    buildPlan(rt, denseOnnx(), { profiles: [{ x: { min: [1], opt: [1], max: [1] } }] }),
    isError('usage', /does not match network definition/),
  )
  await assert.rejects(
    buildPlan(opened(eleven).rt, denseOnnx(), { profiles: [{ x: { min: [1], opt: [1], max: [1] } }] }),
    isError('usage', /has 2 dimensions but profile 0 has 1/, /as many numbers/),
  )
  assert.deepEqual(standin.live(), nothing)
})

test("buildPlan() keeps a timing cache from build to build, and refuses another version's", { skip }, async () => {
  const { standin, rt } = opened()
  const first = await buildPlan(rt, denseOnnx(1), { timingCache: new Uint8Array(0) })
  const second = await buildPlan(rt, denseOnnx(1), { timingCache: first.timingCache! })
  assert.deepEqual([first.timingCache![12], second.timingCache![12]], [1, 2])
  await assert.rejects(
    buildPlan(opened(eleven).rt, denseOnnx(1), { timingCache: second.timingCache! }),
    isError('refused', /timing cache: it is of another TensorRT than 11\.1\.0/, /delete it/),
  )
  assert.deepEqual(standin.live(), nothing)
})

test("buildPlan() gives TensorRT's warnings, and its error when it cannot build", { skip }, async () => {
  const { standin, rt } = opened()
  const { warnings } = await buildPlan(rt, denseOnnx(1), { optimizationLevel: 0 })
  assert.deepEqual(warnings, [{ severity: 'warning', text: 'a low optimization level was asked for: 0' }])
  for (const [fault, message] of [
    ['buildSerializedNetwork=fail', /buildSerializedNetwork: .*Could not find any implementation/],
    ['createInferBuilder=fail', /createInferBuilder/],
    ['createNvOnnxParser=fail', /createNvOnnxParser/],
  ] as const) {
    process.env.STANDIN_FAULT = fault
    await assert.rejects(buildPlan(rt, denseOnnx(1)), isError('status', message))
    delete process.env.STANDIN_FAULT
    assert.deepEqual(standin.live(), nothing, fault)
  }
})

test('buildPlan() leaves the event loop free, and several builds wait for each other', { skip }, async () => {
  const { standin, rt } = opened()
  let turns = 0
  const timer = setInterval(() => void turns++, 1)
  const built = await Promise.all([1, 2, 3].map(batch => buildPlan(rt, denseOnnx(batch))))
  clearInterval(timer)
  assert.equal(new Set(built.map(({ plan }) => Buffer.from(plan).toString('hex'))).size, 3)
  assert.ok(turns > 0)
  assert.deepEqual(standin.live(), nothing)
})

test(
  "buildPlan() keeps the parser's library open as long as the parser lives, when the garbage collector is busy",
  { skip },
  () => {
    tensorRtStandin(ten)
    const { stdout, stderr, signal } = inChild(
      `
    const standin = tensorRtStandin(standinVersions[1])
    const rt = openTensorRt({ env: standin.env })
    const onnx = Buffer.from('${Buffer.from(denseOnnx(1)).toString('base64')}', 'base64')
    const timer = setInterval(() => gc(), 0)
    rt.logger.onMessage = () => void gc()
    for (let i = 0; i < 3; i++) console.log((await buildPlan(rt, onnx)).layers)
    clearInterval(timer)`,
      { flags: ['--expose-gc'] },
    )
    assert.deepEqual([signal, stdout], [null, '2\n2\n2\n'], stderr)
  },
)

test("buildPlan() is absent without the parser's library", { skip }, async () => {
  const { standin } = opened()
  const rt = openTensorRt({ env: { ...standin.env, TENSORRT_PARSER_LIB: '/no/such/libnvonnxparser.so' } })
  await assert.rejects(
    buildPlan(rt, denseOnnx(1)),
    isError('absent', /ONNX parser named by TENSORRT_PARSER_LIB/, /export TENSORRT_PARSER_LIB=/),
  )
  assert.deepEqual(standin.live(), nothing)
})
