import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { encodeModel } from '../../../lib/formats/onnx/index.ts'
import { float32 } from '../../../lib/formats/tensors/tensor.ts'
import { GraphBuilder } from '../../../lib/onnx/builder.ts'
import { needsTool } from '../../../lib/testing/needs.ts'
import { FfiError } from '../../errors.ts'
import { buildStandin, sanitizerEnv } from '../build.ts'
import { writeDeclarations } from './declarations.ts'
import { inChild } from './in-child.ts'
import { standinVersions, tensorRtStandin } from './standin.ts'

const skip = needsTool('g++')

test('the whole flow is clean under AddressSanitizer and UBSan, on each major', { skip, timeout: 600_000 }, () => {
  for (const version of standinVersions) tensorRtStandin(version, { isLean: true, sanitize: true })
  const { stdout, stderr, exitCode, signal } = inChild(
    `
    for (const version of standinVersions) {
      const standin = tensorRtStandin(version, { isLean: true, sanitize: true })
      const rt = openTensorRt({ env: standin.env })
      const cuda = openCuda({ env: standin.env })
      const plan = planBytes(densePlan({ isOpen: true }), version)
      await deserialize(rt, plan.subarray(0, plan.length - 9), 'cut.plan').then(() => process.exit(9), () => {})
      const engine = await deserialize(rt, plan, 'm.plan')
      engine.inspect()
      const step = await createStep(engine, cuda)
      for (let i = 0; i < 200; i++) {
        step.setShapes({ x: [1 + i % 8, 3] })
        step.inputs[0].host.fill(0)
        if (i % 2) step.run()
        else await step.runLater()
      }
      step.close()
      engine.close()
      console.log(version.major, JSON.stringify(standin.live()))
    }`,
    { env: sanitizerEnv(), timeoutMs: 600_000 },
  )
  assert.doesNotMatch(stderr, /AddressSanitizer|runtime error/)
  assert.deepEqual([exitCode, signal], [0, null], stderr.slice(-2000))
  assert.equal(
    stdout,
    [8, 10, 11].map(major => `${major} {"objects":0,"device":0,"host":0,"stream":0,"event":0}\n`).join(''),
  )
})

test(
  'building is clean under AddressSanitizer and UBSan, and so is an ONNX file that cannot be imported',
  { skip, timeout: 600_000 },
  () => {
    const ten = standinVersions[1]!
    tensorRtStandin(ten, { sanitize: true })
    const graph = new GraphBuilder({ name: 'dense' })
    const sum = graph.node('Gemm', [
      graph.input('x', 'float32', ['n', 3]),
      graph.weight('w', float32([3, 2], [1, 2, 3, 4, 5, 6])),
    ])
    graph.node('Relu', [sum], { output: 'y' })
    graph.output('y', 'float32', ['n', 2])
    const onnx = Buffer.from(encodeModel(graph.build())).toString('base64')
    const { stdout, stderr, exitCode } = inChild(
      `
    const standin = tensorRtStandin(standinVersions[1], { sanitize: true })
    const rt = openTensorRt({ env: standin.env })
    const onnx = Buffer.from('${onnx}', 'base64')
    const profiles = [{ x: { min: [1, 3], opt: [2, 3], max: [4, 3] } }]
    let timingCache = new Uint8Array(0)
    for (let i = 0; i < 3; i++) ({ timingCache } = await buildPlan(rt, onnx, { profiles, timingCache }))
    let refused = 0
    for (let bytes = 0; bytes < onnx.length; bytes += 3)
      await buildPlan(rt, onnx.subarray(0, bytes), { profiles }).catch(() => refused++)
    console.log(timingCache[12], refused > 10, JSON.stringify(standin.live()))`,
      { env: sanitizerEnv(), timeoutMs: 600_000 },
    )
    assert.doesNotMatch(stderr, /AddressSanitizer|runtime error/)
    assert.equal(exitCode, 0, stderr.slice(-2000))
    assert.equal(stdout, '3 true {"objects":0,"device":0,"host":0,"stream":0,"event":0}\n')
  },
)

test('AddressSanitizer would have seen a write behind device memory', { skip, timeout: 600_000 }, () => {
  tensorRtStandin(standinVersions[1]!, { isLean: true, sanitize: true })
  const { stderr, exitCode } = inChild(
    `
    const standin = tensorRtStandin(standinVersions[1], { isLean: true, sanitize: true })
    const memory = openCuda({ env: standin.env }).alloc(256)
    koffi().load(null).func('void *memset(void *to, int value, size_t bytes)')(memory.pointer, 0, 257)`,
    { env: sanitizerEnv(), timeoutMs: 600_000 },
  )
  assert.notEqual(exitCode, 0)
  assert.match(stderr, /heap-buffer-overflow/)
})

test('a slot that no binding may call ends the process, and says which it was', { skip }, () => {
  tensorRtStandin(standinVersions[1]!, { isLean: true })
  const { signal, stderr } = inChild(`
    const standin = tensorRtStandin(standinVersions[1], { isLean: true })
    const rt = openTensorRt({ env: standin.env })
    const { object } = await deserialize(rt, planBytes(densePlan(), standin.version), 'm.plan')
    const k = koffi()
    const code = k.decode(BigInt(k.decode.uint64(object.self)) + 8n * 47n, 'void *')
    k.decode(code, k.proto('void (void *self)'))(object.self)`)
  assert.equal(signal, 'SIGABRT')
  assert.match(stderr, /slot 47 of ICudaEngine was called/)
})

test('a library that is built with its methods elsewhere does not compile where it claims not to be', { skip }, () => {
  // The slots that are typed into the stand-in's source are compared when it is compiled, unless it says that it is
  // moved.
  const folder = writeDeclarations(standinVersions[1]!, { type: 'IExecutionContext', slot: 7 })
  const build = () =>
    buildStandin([join(import.meta.dirname, 'nvinfer.cpp')], { out: 'libnvinfer.so', flags: ['-O1', `-I${folder}`] })
  assert.throws(
    build,
    (thrown: unknown) =>
      thrown instanceof FfiError && thrown.kind === 'usage' && thrown.message.includes('a method is not at its slot'),
  )
})
