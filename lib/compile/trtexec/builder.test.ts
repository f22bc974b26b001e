import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { tensorRtStandin } from '../../../ffi/testing/tensorrt/standin.ts'
import { dataTypes, encodeModel, type ModelProto } from '../../formats/onnx/index.ts'
import { float32 } from '../../formats/tensors/tensor.ts'
import { GraphBuilder } from '../../onnx/builder.ts'
import { needsTool } from '../../testing/needs.ts'
import { installTrtexec, trtexecFlags, type TrtexecStandin } from '../../testing/trtexec/standin.ts'
import { openEngineBuilder } from './builder.ts'
import type { EngineRequest } from './request.ts'

const root = mkdtempSync(join(tmpdir(), 'engines-'))
after(() => rmSync(root, { recursive: true, force: true }))
const ten: TrtexecStandin = { version: '101303', flags: trtexecFlags[10] }
const eleven: TrtexecStandin = { version: '110100', flags: trtexecFlags[11] }
const folder = () => mkdtempSync(join(root, 'case-'))

/** y = relu(Wx + b), as the stand-in of TensorRT computes it. */
function dense(change: (model: ModelProto) => ModelProto = model => model): Uint8Array {
  const graph = new GraphBuilder({ name: 'dense' })
  const w = graph.weight('w', float32([2, 3], [1, 2, 3, -1, 0.5, 0]))
  const b = graph.weight('b', float32([2], [0.25, 0]))
  const sum = graph.node('Gemm', [graph.input('x', 'float32', ['batch', 3]), w, b], { attributes: { transB: 1 } })
  graph.node('Relu', [sum], { name: 'last', output: 'y' })
  graph.output('y', 'float32', ['batch', 2])
  return encodeModel(change(graph.build()))
}

function asked(o: Partial<EngineRequest> & { bytes?: Uint8Array; timeoutMs?: number } = {}) {
  const { bytes = dense(), timeoutMs = 60_000, ...change } = o
  const at = folder()
  writeFileSync(join(at, 'm.onnx'), bytes)
  const request: EngineRequest = {
    onnx: join(at, 'm.onnx'),
    plan: join(at, 'm.plan'),
    precision: 'fp32',
    profile: {
      x: [
        [1, 3],
        [2, 3],
        [4, 3],
      ],
    },
    ...change,
  }
  const bounds = { folder: at, logFile: join(at, 'm.log'), timeoutMs, signal: new AbortController().signal }
  return { request, bounds, at }
}
const withTrtexec = (standin: TrtexecStandin) =>
  openEngineBuilder({ way: 'trtexec', trtexec: installTrtexec(folder(), standin) })

async function failureOf(standin: TrtexecStandin, o: Parameters<typeof asked>[0] = {}) {
  const { request, bounds } = asked(o)
  const end = await (await withTrtexec(standin)).build(request, bounds)
  assert.ok(!end.ok, 'it ended well')
  return end
}

test('build() gives a plan of the version that trtexec says it is', async () => {
  const { request, bounds } = asked()
  const builder = await withTrtexec(ten)
  const end = await builder.build(request, bounds)
  assert.ok(end.ok)
  assert.equal(end.artifact.path, request.plan)
  assert.equal(end.metrics.planBytes, readFileSync(request.plan).length)
})

test('build() does not believe an exit code of 0: no plan, another version, FAILED, an older plan', async () => {
  assert.equal((await failureOf({ ...ten, writesNothing: true })).failure.bucket, 'no_plan')
  const skewed = await failureOf({ ...ten, planVersion: '101600' })
  assert.equal(skewed.failure.bucket, 'engine_version_mismatch')
  assert.match(skewed.failure.evidence, /written by TensorRT 10\.16\.0.*10\.13\.3/)
  const log = '[E] Error[10]: Internal Error (Could not find any implementation for node {ForeignNode[x]}.)'
  const failed = await failureOf({ ...ten, fails: { component: 'm', log, exit: 0 } })
  assert.equal(failed.failure.bucket, 'no_implementation')
  const { request, bounds } = asked()
  writeFileSync(request.plan, 'an older plan')
  const none = await (await withTrtexec({ ...ten, writesNothing: true })).build(request, bounds)
  assert.ok(!none.ok && !existsSync(request.plan))
})

test('build() ends a trtexec that hangs when its time is up', async () => {
  const { failure, stopped } = await failureOf({ ...ten, hangs: true }, { timeoutMs: 800 })
  assert.deepEqual([failure.bucket, stopped], ['wrapper_timeout', 'timeout'])
})

test('build() refuses a precision that the graph does not have where the graph decides', async () => {
  const builder = await withTrtexec(eleven)
  const plain = asked({ precision: 'fp16' })
  await assert.rejects(builder.build(plain.request, plain.bounds), {
    exit: 'blocked',
    message: /TensorRT 11\.1\.0 takes the precision from the ONNX file, and none of its tensors is fp16/,
  })
  const floatGraph = asked({ precision: 'int8', int8: 'graph' })
  for (const any of [builder, await withTrtexec(ten)])
    await assert.rejects(any.build(floatGraph.request, floatGraph.bounds), {
      exit: 'blocked',
      message: /it holds no QuantizeLinear and DequantizeLinear/,
    })
  const half = (model: ModelProto): ModelProto => {
    const initializer = model.graph.initializer.map(tensor => ({ ...tensor, dataType: dataTypes.float16 }))
    return { ...model, graph: { ...model.graph, initializer } }
  }
  const converted = asked({ precision: 'fp16', bytes: dense(half) })
  assert.ok((await builder.build(converted.request, converted.bounds)).ok)
})

test('openEngineBuilder() is blocked without trtexec', async () => {
  await assert.rejects(openEngineBuilder({ way: 'trtexec', trtexec: '/nowhere/trtexec' }), {
    exit: 'blocked',
    hint: /libnvinfer-bin/,
  })
})

/** Children find the stand-in by these variables. */
async function withLibrary<T>(env: Record<string, string>, work: () => Promise<T>): Promise<T> {
  const before = { ...process.env }
  Object.assign(process.env, env)
  try {
    return await work()
  } finally {
    for (const name of Object.keys(env)) {
      if (before[name] === undefined) delete process.env[name]
      else process.env[name] = before[name]
    }
  }
}

test(
  'build() builds through libnvinfer, keeps the timings, and says what the parser refused',
  { skip: needsTool('g++') },
  async () => {
    const { env } = tensorRtStandin({ major: 10, minor: 13, patch: 3 })
    await withLibrary(env, async () => {
      const builder = await openEngineBuilder({ way: 'ffi' })
      assert.deepEqual([builder.way, builder.version, builder.major], ['ffi', '10.13.3', 10])
      const good = asked({ precision: 'fp16', timingCache: join(folder(), 't.cache') })
      const end = await builder.build(good.request, good.bounds)
      assert.ok(end.ok, readFileSync(good.bounds.logFile, 'utf8'))
      assert.ok(existsSync(good.request.timingCache!))
      const rename = (model: ModelProto): ModelProto => {
        const node = model.graph.node.map(one => (one.opType === 'Relu' ? { ...one, opType: 'Erf2' } : one))
        return { ...model, graph: { ...model.graph, node } }
      }
      const bad = asked({ bytes: dense(rename) })
      const failed = await builder.build(bad.request, bad.bounds)
      assert.ok(!failed.ok)
      assert.notEqual(failed.failure.bucket, 'unknown', failed.failure.evidence)
      assert.match(failed.failure.evidence, /Erf2/)
      const open = asked({ profile: {} })
      const unranged = await builder.build(open.request, open.bounds)
      assert.ok(!unranged.ok)
      assert.match(unranged.failure.evidence, /open axes and no range/)
    })
  },
)

test('openEngineBuilder() is blocked where libnvinfer is a file that is none', async () => {
  const path = join(folder(), 'libnvinfer.so.10')
  writeFileSync(path, 'no library')
  await withLibrary({ TENSORRT_LIB: path }, async () => {
    await assert.rejects(openEngineBuilder({ way: 'ffi' }), { exit: 'blocked', message: /libnvinfer/ })
  })
})
