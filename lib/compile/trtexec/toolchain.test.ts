import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { densePlan, type PlanNetwork } from '../../../ffi/testing/tensorrt/plan.ts'
import { tensorRtStandin } from '../../../ffi/testing/tensorrt/standin.ts'
import { encodeModel, readModel, tensorFromProto } from '../../formats/onnx/index.ts'
import { encodeNpy } from '../../formats/tensors/npy.ts'
import { float32 } from '../../formats/tensors/tensor.ts'
import { GraphBuilder } from '../../onnx/builder.ts'
import { needsTool } from '../../testing/needs.ts'
import { installTrtexec, trtexecFlags, type TrtexecStandin } from '../../testing/trtexec/standin.ts'
import { artifactOf } from '../stage-command.ts'
import type { Artifact, Stage, StageOptions } from '../toolchain.ts'
import { trtexecToolchain, type TrtOptions } from './toolchain.ts'

const root = mkdtempSync(join(tmpdir(), 'trt-toolchain-'))
after(() => rmSync(root, { recursive: true, force: true }))
const ten: TrtexecStandin = { version: '101303', flags: trtexecFlags[10] }

/** y = relu(Wx + b), [1, 3] to [1, 2]. */
function denseFile(folder: string): Artifact {
  const graph = new GraphBuilder({ name: 'dense' })
  const w = graph.weight('w', float32([2, 3], [1, 2, 3, -1, 0.5, 0]))
  const b = graph.weight('b', float32([2], [0.25, 0]))
  const sum = graph.node('Gemm', [graph.input('x', 'float32', [1, 3]), w, b], {
    name: 'gemm',
    attributes: { transB: 1 },
  })
  graph.node('Relu', [sum], { name: 'last', output: 'y' })
  graph.output('y', 'float32', [1, 2])
  writeFileSync(join(folder, 'net.onnx'), encodeModel(graph.build()))
  return artifactOf(join(folder, 'net.onnx'))
}

async function allStages(standin: TrtexecStandin, o: TrtOptions = {}) {
  const folder = mkdtempSync(join(root, 'case-'))
  const onnx = denseFile(folder)
  const samples = Float32Array.from({ length: 30 }, (_, i) => Math.sin(i))
  writeFileSync(join(folder, 'calibration.npy'), encodeNpy(float32([10, 3], samples)))
  const options: StageOptions = {
    folder,
    netName: 'net',
    hwArch: 'hailo8',
    inputs: [{ name: 'x', shape: [1, 3] }],
    outputs: ['y'],
    calibration: { ...artifactOf(join(folder, 'calibration.npy')), count: 10 },
    modelScript: '',
    logFile: join(folder, 'net.log'),
    timeoutMs: 60_000,
    signal: new AbortController().signal,
  }
  const toolchain = trtexecToolchain({ trtexec: installTrtexec(folder, standin), ...o })
  const stages: Stage[] = []
  let from = onnx
  for (const name of ['parse', 'optimize', 'compile'] as const) {
    const stage = await toolchain[name](from, options)
    stages.push(stage)
    if (!stage.ok) break
    from = stage.artifact
  }
  return { stages, last: stages.at(-1)!, folder, log: () => readFileSync(options.logFile, 'utf8') }
}

/** Children find libraries by these variables; `undefined` takes one out. */
async function withEnv<T>(env: Record<string, string>, work: () => Promise<T>): Promise<T> {
  const before = Object.keys(env).map(name => [name, process.env[name]] as const)
  Object.assign(process.env, env)
  try {
    return await work()
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}

test('trtexecToolchain() gives a plan, and no number of its likeness where no GPU answers', async () => {
  const { stages, last, log } = await withEnv({ TENSORRT_LIB: '/nowhere/libnvinfer.so' }, () => allStages(ten))
  assert.deepEqual(
    stages.map(({ ok }) => ok),
    [true, true, true],
    log(),
  )
  assert.ok(last.ok && last.artifact.path.endsWith('net.plan'))
  assert.deepEqual(last.metrics.askedOnDevice, 0)
  assert.equal(last.metrics.snrDb, undefined)
  assert.match(log(), /not asked here: /)
  assert.match(log(), /--noTF32/)
})

test('trtexecToolchain() compares the plan with float32 on a device', { skip: needsTool('g++') }, async () => {
  const { env } = tensorRtStandin({ major: 10, minor: 13, patch: 3 })
  const [op] = densePlan().ops
  const network: PlanNetwork = {
    ...densePlan(),
    ops: [{ ...op!, weight: [1.01, 2, 3, -1, 0.5, 0] } as PlanNetwork['ops'][0]],
  }
  const { last, log } = await withEnv(env, () => allStages({ ...ten, network }))
  assert.ok(last.ok, log())
  assert.equal(last.metrics.askedOnDevice, 1)
  assert.ok(last.metrics.snrDb! > 30 && last.metrics.snrDb! < 70, `${last.metrics.snrDb} dB`)
  assert.equal(last.metrics.heldOutSamples, 2)
})

test('trtexecToolchain() fails when the plan that was built does not answer', { skip: needsTool('g++') }, async () => {
  const { env } = tensorRtStandin({ major: 10, minor: 13, patch: 3 })
  const network: PlanNetwork = { ...densePlan(), tensors: [{ name: 'other', role: 'input', shape: [1, 3] }], ops: [] }
  const { last } = await withEnv(env, () => allStages({ ...ten, network }))
  assert.equal(last.ok, false)
})

test('trtexecToolchain() quantises for int8 with zero points of 0 and float32 biases', async () => {
  const { stages, folder, log } = await allStages(ten, { precision: 'int8' })
  assert.ok(
    stages.every(({ ok }) => ok),
    log(),
  )
  const { graph } = readModel(join(folder, 'net.int8.onnx'))
  const zeros = graph.initializer.filter(({ name }) => /zero/.test(name)).map(tensor => tensorFromProto(tensor))
  assert.ok(zeros.length >= 2)
  for (const { dtype, data } of zeros) {
    assert.equal(dtype, 'int8')
    assert.ok([...data].every(value => value === 0))
  }
  const gemm = graph.node.find(({ opType }) => opType === 'Gemm')!
  assert.equal(gemm.input[2], 'b', 'the bias is the float32 one')
  assert.match(log(), /--int8/)
})

test('trtexecToolchain() gives a calibration cache to 8.6 and 10 and leaves the graph as it is', async () => {
  const { stages, folder, log } = await allStages(ten, { precision: 'int8', calibrationCache: 'c.cache' })
  assert.ok(
    stages.every(({ ok }) => ok),
    log(),
  )
  assert.ok(!existsSync(join(folder, 'net.int8.onnx')))
  assert.match(log(), /--calib=c\.cache/)
  const eleven = { version: '110100', flags: trtexecFlags[11] }
  await assert.rejects(allStages(eleven, { precision: 'int8', calibrationCache: 'c.cache' }), { exit: 'blocked' })
})

test('trtexecToolchain() is not available without trtexec, and says its precision in its version', async () => {
  const none = await trtexecToolchain({ trtexec: '/nowhere/trtexec' }).available()
  assert.deepEqual([none.found, none.version], [false, null])
  assert.match(none.hint, /libnvinfer-bin/)
  const path = installTrtexec(mkdtempSync(join(root, 'at-')), ten)
  const found = await trtexecToolchain({ trtexec: path, precision: 'fp16' }).available()
  assert.deepEqual([found.found, found.where, found.version], [true, path, '10.13.3 fp16 (trtexec)'])
})

test('trtexecToolchain() classifies what trtexec refuses', async () => {
  const log = '[E] [TRT] In node 3 (importFallbackPluginImporter): UNSUPPORTED_NODE: Assertion failed: creator'
  const { last } = await allStages({ ...ten, fails: { component: 'net', log, exit: 1 } })
  assert.ok(!last.ok)
  assert.equal(last.failure.bucket, 'op_unsupported')
})
