import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { densePlan, planBytes, type PlanNetwork } from '../ffi/testing/tensorrt/plan.ts'
import { tensorRtStandin } from '../ffi/testing/tensorrt/standin.ts'
import { encodeModel } from '../lib/formats/onnx/index.ts'
import { float32 } from '../lib/formats/tensors/tensor.ts'
import { readTsv } from '../lib/host/tsv.ts'
import { GraphBuilder } from '../lib/onnx/builder.ts'
import { voice, wavFile } from '../lib/testing/infer/fixtures.ts'
import { needsTool } from '../lib/testing/needs.ts'
import { runInProcess } from '../lib/testing/run-in-process.ts'
import { installTrtexec, trtexecFlags } from '../lib/testing/trtexec/standin.ts'
import infer from './monolithic-infer.ts'
import sweep from './monolithic-sweep.ts'

const scratch = () => mkdtempSync(join(tmpdir(), 'trt-'))
const ten = { version: '101303', flags: trtexecFlags[10] }
const trtexec = (standin: Parameters<typeof installTrtexec>[1] = ten) => [
  '--toolchain',
  'trtexec',
  '--no-cache',
  '--trtexec',
  installTrtexec(scratch(), standin),
]

/** Children find libraries by these variables. */
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
const noLibrary = { TENSORRT_LIB: '/nowhere/libnvinfer.so.10' }

/** y = relu(Wx + b), [1, 3] to [1, 2]. */
function denseFile(): string {
  const graph = new GraphBuilder({ name: 'dense' })
  const w = graph.weight('w', float32([2, 3], [1, 2, 3, -1, 0.5, 0]))
  const b = graph.weight('b', float32([2], [0.25, 0]))
  const sum = graph.node('Gemm', [graph.input('x', 'float32', ['N', 3]), w, b], { attributes: { transB: 1 } })
  graph.node('Relu', [sum], { output: 'y' })
  graph.output('y', 'float32', ['N', 2])
  const path = join(scratch(), 'dense.onnx')
  writeFileSync(path, encodeModel(graph.build()))
  return path
}

test('monolithic-sweep --toolchain trtexec builds the first rung, and is BLOCKED where no GPU runs it', async () => {
  const ran = await withEnv(noLibrary, () => runInProcess(sweep, [...trtexec(), '--ladder', 'plan', '--from', '10']))
  assert.match(ran.verdict, /^BLOCKED monolithic-sweep gates=1\/2 toolchain=trtexec /)
  const [row] = readTsv(ran.path('monolithic_full_trtexec_summary.tsv'))
  assert.deepEqual([row!.hef_success, row!.hef_path!.endsWith('.plan')], ['trtexec', true])
  assert.match(ran.lines.join('\n'), /^HEF status: trtexec 1\/1 ; winner=mono_\S+ ; toolchain=trtexec$/m)
  const only = await withEnv(noLibrary, () =>
    runInProcess(sweep, [...trtexec(), '--ladder', 'plan', '--from', '10', '--compile-only', '--board', 'me@orin']),
  )
  assert.match(
    only.verdict,
    /^PASS monolithic-sweep gates=1\/1 .*next="scp .+\.plan.? .+\.plan\.json.? me@orin:rungbook\/"/,
  )
})

test(
  'monolithic-sweep --model --toolchain trtexec compares the engine on a GPU',
  { skip: needsTool('g++') },
  async () => {
    const { env } = tensorRtStandin({ major: 10, minor: 13, patch: 3 })
    const [op] = densePlan().ops
    const network = { ...densePlan(), ops: [{ ...op!, weight: [1.01, 2, 3, -1, 0.5, 0] } as PlanNetwork['ops'][0]] }
    const argv = [...trtexec({ ...ten, network }), '--model', denseFile()]
    const ran = await withEnv(env, () => runInProcess(sweep, argv))
    assert.match(ran.verdict, /^PASS monolithic-sweep gates=2\/2 toolchain=trtexec /, ran.stderr)
    assert.match(ran.stderr, /engine against float32, dense \(on random numbers\)/)
    const [row] = readTsv(ran.path('models_summary.tsv'))
    assert.ok(Number(row!.snr_db) > 30 && existsSync(row!.compiled_path!))
  },
)

test('monolithic-sweep --model --toolchain trtexec does not pass an engine that no GPU has answered from', async () => {
  const argv = [...trtexec(), '--model', denseFile()]
  const ran = await withEnv(noLibrary, () => runInProcess(sweep, argv))
  assert.match(ran.verdict, /^BLOCKED monolithic-sweep gates=1\/2 /, ran.stderr)
  const only = await withEnv(noLibrary, () => runInProcess(sweep, [...argv, '--compile-only']))
  assert.match(only.verdict, /^PASS monolithic-sweep gates=1\/1 .*next="scp .+dense\.plan.? pi@raspberrypi\.local/)
})

test('monolithic-sweep --model --builder ffi builds through libnvinfer', { skip: needsTool('g++') }, async () => {
  const { env } = tensorRtStandin({ major: 11, minor: 1, patch: 0 })
  const argv = ['--toolchain', 'trtexec', '--builder', 'ffi', '--no-cache', '--model', denseFile()]
  const ran = await withEnv(env, () => runInProcess(sweep, argv))
  const [row] = readTsv(ran.path('models_summary.tsv'))
  assert.deepEqual([row!.status, row!.stage], ['succeeded', 'compiled'], ran.stderr)
  assert.match(ran.stderr, /TensorRT 11\.1\.0 fp32 \(ffi\)/)
})

test('monolithic-sweep --toolchain trtexec is BLOCKED without trtexec, or of an unknown version', async () => {
  const without = ['--toolchain', 'trtexec', '--trtexec', '/nowhere/trtexec']
  const absent = await runInProcess(sweep, without)
  assert.match(absent.verdict, /^BLOCKED monolithic-sweep /)
  assert.match(absent.stderr, /libnvinfer-bin/)
  const unknown = await runInProcess(sweep, trtexec({ ...ten, version: '130000' }))
  assert.match(unknown.verdict, /^BLOCKED monolithic-sweep /)
  assert.match(unknown.stderr, /TensorRT 13\.0\.0, and 8\.6, 10 and 11 are known/)
})

test('monolithic-infer separates a recording with an engine', { skip: needsTool('g++') }, async () => {
  const { env, version } = tensorRtStandin({ major: 10, minor: 13, patch: 3 })
  const shape = [1, 1, 1600]
  const network: PlanNetwork = {
    tensors: [
      { name: 'mix', role: 'input', shape },
      { name: 'first', role: 'output', shape },
      { name: 'second', role: 'output', shape },
    ],
    ops: [
      { kind: 'copy', from: 'mix', to: 'first' },
      { kind: 'relu', from: 'mix', to: 'second' },
    ],
  }
  const model = join(scratch(), 'copy.plan')
  writeFileSync(model, planBytes(network, version))
  const mix = wavFile([voice(16_000)])
  const ran = await withEnv(env, () =>
    runInProcess(infer, ['--model', model, '--mix-wav', mix, '--sample-rate', '16000']),
  )
  assert.match(ran.verdict, /^PASS monolithic-infer /, ran.stderr)
  assert.ok(existsSync(ran.path('sep_src1.wav')) && existsSync(ran.path('sep_src2.wav')))
  const metrics = JSON.parse(ran.read('runtime_metrics.json'))
  assert.match(metrics.device_info, /TensorRT 10\.13\.3/)
})
