import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { encodeNpy } from '../../formats/tensors/npy.ts'
import { encodeModel, readModel, type ModelProto } from '../../formats/onnx/index.ts'
import { float32, type FloatTensor } from '../../formats/tensors/tensor.ts'
import { openOrtNode } from '../../infer/ort/node-package.ts'
import { GraphBuilder } from '../../onnx/builder.ts'
import { writeCalibration } from '../calibration-file.ts'
import { hostToolchain } from './toolchain.ts'
import { artifactOf } from '../stage-command.ts'
import type { Stage, StageOptions } from '../toolchain.ts'

const root = mkdtempSync(join(tmpdir(), 'host-'))
after(() => rmSync(root, { recursive: true, force: true }))
const width = 64

/** The same numbers in [-1, 1] every time. */
function noise(length: number, seed = 1): Float32Array {
  let state = seed
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
}

/**
 * input[1, 1, 1, 64] -> conv -> relu -> head -> output[1, 2, 1, 64]. `spoil` is written over the first weight of
 * `conv`.
 */
function smallModel(o: { spoil?: number; headChannels?: number } = {}): ModelProto {
  const graph = new GraphBuilder({ name: 'small' })
  const conv = (name: string, from: string, weights: FloatTensor, output?: string) => {
    const attributes = { kernel_shape: [1, 1], pads: [0, 0, 0, 0], strides: [1, 1], dilations: [1, 1], group: 1 }
    const weight = graph.weight(`${name}.weight`, weights)
    return graph.node('Conv', [from, weight], { name, attributes, ...(output ? { output } : {}) })
  }
  const first = noise(8, 3)
  if (o.spoil !== undefined) first[0] = o.spoil
  const hidden = conv('conv', graph.input('input', 'float32', [1, 1, 1, width]), float32([8, 1, 1, 1], first))
  const channels = o.headChannels ?? 8
  conv(
    'head',
    graph.node('Relu', [hidden], { name: 'relu' }),
    float32([2, channels, 1, 1], noise(2 * channels, 5)),
    'output',
  )
  graph.output('output', 'float32', [1, 2, 1, width])
  return graph.build()
}

type Setting = Omit<Partial<StageOptions>, 'calibration'> & { samples?: FloatTensor }

function setUp(
  model: ModelProto | Uint8Array,
  { samples = float32([10, 1, 1, width], noise(10 * width)), ...o }: Setting = {},
) {
  const folder = mkdtempSync(join(root, 'case-'))
  const onnx = join(folder, 'net.onnx')
  writeFileSync(onnx, model instanceof Uint8Array ? model : encodeModel(model))
  const path = join(folder, 'calibration.npy')
  writeFileSync(path, encodeNpy(samples))
  const options: StageOptions = {
    folder,
    netName: 'net',
    hwArch: 'hailo8',
    inputs: [{ name: 'input', shape: [1, 1, 1, width] }],
    outputs: ['output'],
    calibration: { ...artifactOf(path), count: samples.shape[0]! },
    modelScript: '',
    logFile: join(folder, 'net.log'),
    timeoutMs: 60_000,
    signal: new AbortController().signal,
    ...o,
  }
  return { toolchain: hostToolchain(), onnx: artifactOf(onnx), options, folder }
}

/** Every stage up to the first that fails. */
async function allStages({ toolchain, onnx, options }: ReturnType<typeof setUp>): Promise<Stage[]> {
  const stages: Stage[] = []
  let from = onnx
  for (const name of ['parse', 'optimize', 'compile'] as const) {
    const stage = await toolchain[name](from, options)
    stages.push(stage)
    if (!stage.ok) break
    from = stage.artifact
  }
  return stages
}

async function failureOf(setting: ReturnType<typeof setUp>) {
  const stages = await allStages(setting)
  const last = stages.at(-1)!
  assert.ok(!last.ok, 'every stage ended well')
  return { at: stages.length, ...last }
}

/** The whole way of the small model, gone once for the tests that look at it, with every line that was told. */
let whole: Promise<{ stages: Stage[]; setting: ReturnType<typeof setUp>; lines: string[] }> | undefined
const wholeWay = () =>
  (whole ??= (async () => {
    const lines: string[] = []
    const setting = setUp(smallModel(), { onLine: line => lines.push(line) })
    return { stages: await allStages(setting), setting, lines }
  })())

test('hostToolchain() takes a graph to a compiled int8 model that opens, runs and keeps the signal', async () => {
  const { stages, setting } = await wholeWay()
  assert.deepEqual(
    stages.map(stage => stage.ok),
    [true, true, true],
    readFileSync(setting.options.logFile, 'utf8'),
  )
  const [parsed, optimized, compiled] = stages.map(stage => (stage.ok ? stage.metrics : {}))
  assert.deepEqual({ nodes: parsed!.nodes, parameters: parsed!.parameters }, { nodes: 3, parameters: 24 })
  assert.equal(optimized!.calibrationSamples, 8, 'two of ten are kept back')
  assert.ok(optimized!.quantisedNodes! > 3)
  assert.ok(compiled!.snrDb! > 25 && compiled!.snrDb! < 80, `${compiled!.snrDb}`)
  assert.equal(compiled!.heldOutSamples, 2)

  const last = stages.at(-1)!
  assert.ok(last.ok)
  await using model = await openOrtNode(last.artifact.path)
  const { output } = await model.infer({ input: float32([1, 1, 1, width], noise(width, 9)) })
  assert.deepEqual(output!.shape, [1, 2, 1, width])
  assert.ok(
    readModel(join(setting.folder, 'net.host_int8.onnx')).graph.node.some(node => node.opType === 'QuantizeLinear'),
  )
})

test('hostToolchain() makes nothing that could be taken for a file of the Dataflow Compiler', async () => {
  const { setting } = await wholeWay()
  assert.deepEqual(
    readdirSync(setting.folder).filter(name => /\.(har|hef)$/.test(name)),
    [],
  )
  assert.ok(readdirSync(setting.folder).includes('net.host_compiled.onnx'))
})

test('hostToolchain() has a version that names ONNX Runtime and our own quantiser', async () => {
  const { found, version } = await hostToolchain().available()
  assert.ok(found)
  assert.match(version!, /^\d+\.\d+\.\d+\+[0-9a-f]{8}$/)
})

test('hostToolchain() fails to parse a graph whose shapes contradict one another, and names the node', async () => {
  const { at, failure, stopped } = await failureOf(setUp(smallModel({ headChannels: 5 })))
  assert.equal(at, 1)
  assert.equal(stopped, null)
  assert.equal(failure.bucket, 'parse_internal_error')
  assert.match(failure.evidence, /head/)
  assert.equal(failure.isInfeasible, false)
})

test('hostToolchain() fails to parse a file that is cut short or is no model', async () => {
  for (const bytes of [encodeModel(smallModel()).subarray(0, 60), Buffer.from('not a model at all')]) {
    const { at, failure } = await failureOf(setUp(bytes))
    assert.equal(at, 1)
    assert.equal(failure.bucket, 'parse_internal_error', failure.evidence)
  }
})

test('hostToolchain() fails as weights_nan when a weight is NaN or infinite', async () => {
  for (const spoil of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const { failure } = await failureOf(setUp(smallModel({ spoil })))
    assert.equal(failure.bucket, 'weights_nan', failure.evidence)
  }
})

test('hostToolchain() fails to optimise when there is no sample, or one of another width', async () => {
  for (const shape of [
    [0, 1, 1, width],
    [4, 1, 1, width / 2],
  ]) {
    const size = shape.reduce((product, n) => product * n, 1)
    const { at, failure } = await failureOf(setUp(smallModel(), { samples: float32(shape, noise(size)) }))
    assert.equal(at, 2, failure.evidence)
    assert.match(failure.evidence, /Cannot calibrate/)
    assert.equal(failure.isInfeasible, false)
  }
})

test('hostToolchain() calibrates on a single sample and measures with the same', async () => {
  const stages = await allStages(setUp(smallModel(), { samples: float32([1, 1, 1, width], noise(width)) }))
  const last = stages.at(-1)!
  assert.ok(last.ok && stages.length === 3)
  assert.equal(last.metrics.heldOutSamples, 1)
})

test('hostToolchain() stops a stage when its time is up, and when it is interrupted', async () => {
  const late = await failureOf(setUp(smallModel(), { timeoutMs: 20 }))
  assert.deepEqual([late.at, late.failure.bucket, late.stopped], [1, 'wrapper_timeout', 'timeout'])
  assert.equal(late.failure.isInfeasible, false)
  const abort = new AbortController()
  const stopped = await failureOf(setUp(smallModel(), { signal: abort.signal, onLine: () => abort.abort() }))
  assert.deepEqual([stopped.failure.bucket, stopped.stopped], ['aborted', 'interrupted'])
})

test('hostToolchain() tells its milestones in the words of a vendor', async () => {
  const { lines } = await wholeWay()
  const words = [
    'Translation started',
    "End nodes mapped from original model: 'output'",
    'Using dataset with 8 entries',
    'Model Optimization is done',
    'Successful Compilation',
  ]
  const places = words.map(word => lines.findIndex(line => line.includes(word)))
  assert.ok(
    places.every((place, i) => place >= 0 && place > (places[i - 1] ?? -1)),
    lines.join('\n'),
  )
})

test('hostToolchain() takes several inputs of any type and tells the likeness of each output', async () => {
  const graph = new GraphBuilder({ name: 'two' })
  const sound = graph.input('sound', 'float32', [1, width])
  const step = graph.input('step', 'int64', [1])
  const weight = graph.weight('weight', float32([width, 4], noise(4 * width, 3)))
  graph.node('MatMul', [sound, weight], { name: 'head', output: 'scores' })
  graph.output('scores', 'float32', [1, 4])
  graph.node('Add', [step, step], { name: 'count', output: 'next' })
  graph.output('next', 'int64', [1])
  const folder = mkdtempSync(join(root, 'case-'))
  writeFileSync(join(folder, 'net.onnx'), encodeModel(graph.build()))
  const inputs = [
    { name: 'sound', shape: [1, width] },
    { name: 'step', shape: [1] },
  ]
  const samples = Array.from({ length: 10 }, (_, i) => ({
    sound: float32([1, width], noise(width, i + 1)),
    step: { dtype: 'int64' as const, shape: [1], data: BigInt64Array.of(BigInt(i)) },
  }))
  const calibration = await writeCalibration(folder, { inputs: ['sound', 'step'], samples, layout: 'nchw' })
  const { options, toolchain } = setUp(graph.build(), { folder, inputs, outputs: ['scores', 'next'] })
  const stages = await allStages({
    toolchain,
    onnx: artifactOf(join(folder, 'net.onnx')),
    options: { ...options, calibration },
    folder,
  })
  const last = stages.at(-1)!
  assert.ok(last.ok && stages.length === 3, readFileSync(options.logFile, 'utf8'))
  assert.equal(last.metrics['agreement.next'], 1)
  assert.ok(last.metrics.snrDb! > 25, `${last.metrics.snrDb}`)
  assert.equal(last.metrics['snrDb.scores'], last.metrics.snrDb)
})
