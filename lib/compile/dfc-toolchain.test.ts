import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { encodeNpy } from '../formats/npy.ts'
import { encodeModel, type ModelProto } from '../formats/onnx.ts'
import { float32 } from '../formats/tensor.ts'
import { readTsv } from '../host/tsv.ts'
import { exitNameOf, RunbookError } from '../notebook/errors.ts'
import { GraphBuilder } from '../onnx/builder.ts'
import { complaints, type StandinStage } from '../testing/hailo-scenarios.ts'
import { installHailoStandin } from '../testing/install-standin.ts'
import { openCache } from './cache.ts'
import { runCase, type CaseRun, type LadderCase } from './case.ts'
import { dfcToolchain, hwArchFrom, hwArchs } from './dfc-toolchain.ts'
import { runLadder, type Ladder } from './ladder.ts'
import { artifactOf } from './stage-command.ts'
import type { Artifact, Stage, StageOptions } from './toolchain.ts'

const root = mkdtempSync(join(tmpdir(), 'dfc-'))
after(() => rmSync(root, { recursive: true, force: true }))
const standin = installHailoStandin(join(root, 'venv'))
const scratch = () => mkdtempSync(join(root, 'case-'))

/** input[1, 1, 1, 32] -> conv -> relu -> head -> squeeze -> output[1, 2, 32]. */
function smallModel(name = 'small'): ModelProto {
  const width = 32
  const graph = new GraphBuilder({ name })
  const conv = (name: string, from: string, shape: [number, number]) => {
    const weight = graph.weight(`${name}.weight`, float32([...shape, 1, 1], new Float32Array(shape[0] * shape[1]).fill(0.5)))
    const attributes = { kernel_shape: [1, 1], pads: [0, 0, 0, 0], strides: [1, 1], dilations: [1, 1], group: 1 }
    return graph.node('Conv', [from, weight], { name, attributes })
  }
  const hidden = graph.node('Relu', [conv('conv', graph.input('input', 'float32', [1, 1, 1, width]), [4, 1])], { name: 'relu' })
  graph.node('Squeeze', [conv('head', hidden, [2, 4])], { name: 'squeeze', output: 'output', attributes: { axes: [2] } })
  graph.output('output', 'float32', [1, 2, width])
  return graph.build()
}

interface Setting extends Partial<StageOptions> { fate?: string; calibrationShape?: readonly number[] }

/** A toolchain on the stand-in, and what its stages are told about the small model, in a new folder. */
function setUp({ fate, calibrationShape = [3, 1, 32, 1], ...o }: Setting = {}) {
  const folder = o.folder ?? scratch()
  const path = join(folder, 'calibration.npy')
  writeFileSync(path, encodeNpy(float32(calibrationShape, new Float32Array(calibrationShape.reduce((product, n) => product * n, 1)))))
  const onnx = join(folder, 'net.onnx')
  writeFileSync(onnx, encodeModel(smallModel()))
  const options: StageOptions = {
    folder, netName: 'net', hwArch: 'hailo8', inputName: 'input', inputShape: [1, 1, 1, 32], endNodes: ['output'],
    calibration: { ...artifactOf(path), count: calibrationShape[0]! }, modelScript: 'model_optimization_config(calibration, batch_size=4, calibset_size=3)\n',
    logFile: join(folder, 'net.log'), timeoutMs: 30_000, signal: new AbortController().signal, ...o,
  }
  return { toolchain: dfcToolchain({ program: standin.folder, env: { HAILO_STANDIN: fate } }), onnx: artifactOf(onnx), options, folder }
}

/** HARs that the stand-in made of the small model, for tests of the later stages. */
let hars: Promise<{ parsed: Artifact; optimized: Artifact }> | undefined
const readyHars = () => (hars ??= (async () => {
  const { toolchain, onnx, options } = setUp()
  const parsed = made(await toolchain.parse(onnx, options))
  return { parsed, optimized: made(await toolchain.optimize(parsed, options)) }
})())

const made = (stage: Stage): Artifact => {
  assert.ok(stage.ok, JSON.stringify(stage))
  return stage.artifact
}

/** Run one stage whose predecessors went well. */
async function runStage(stage: StandinStage, setting: Setting) {
  const { toolchain, onnx, options, folder } = setUp(setting)
  const from = stage === 'parse' ? onnx : (await readyHars())[stage === 'optimize' ? 'parsed' : 'optimized']
  return { outcome: await toolchain[stage](from, options), folder, log: () => readFileSync(options.logFile, 'utf8') }
}

async function failureOf(stage: StandinStage, setting: Setting) {
  const { outcome, ...rest } = await runStage(stage, setting)
  assert.ok(!outcome.ok, `${stage} ended well`)
  return { ...outcome, ...rest }
}

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

test('dfcToolchain() takes a graph to a HAR, a quantised HAR and a HEF under the tag, and counts what it did', async () => {
  const { toolchain, onnx, options, folder } = setUp()
  const parsed = await toolchain.parse(onnx, options)
  const optimized = await toolchain.optimize(made(parsed), options)
  const compiled = await toolchain.compile(made(optimized), options)
  assert.deepEqual([parsed, optimized, compiled].map(stage => made(stage).path), ['net.har', 'net_optimized.har', 'net.hef'].map(name => join(folder, name)))
  assert.deepEqual([...readFileSync(join(folder, 'net.hef')).subarray(0, 4)], [1, 0x48, 0x45, 0x46])
  assert.deepEqual(optimized.ok && optimized.metrics, { optimizationLevelReduced: 1, calibrationSamples: 3, outputSnrDbMin: 21.5 })
  assert.deepEqual(compiled.ok && { contexts: compiled.metrics.contexts }, { contexts: 2 })
  assert.equal(compiled.ok && compiled.metrics.hefBytes, readFileSync(join(folder, 'net.hef')).length)
})

test('dfcToolchain() leaves vendor logs in the folder of the case, and its own commands in the log', async () => {
  const { outcome, folder, log } = await runStage('compile', {})
  assert.ok(outcome.ok)
  for (const name of ['allocator.log', 'hailo_sdk.client.log', 'net_compiled.har']) assert.ok(existsSync(join(folder, name)), name)
  assert.ok(!existsSync(join(folder, 'net_compiled')), 'the empty output folder is gone')
  assert.match(log(), /^\$ hailo compiler \S+net_optimized\.har --hw-arch hailo8 --output-dir /)
})

test('dfcToolchain() tells every line of the program to onLine, in order, progress bars too', async () => {
  const lines: string[] = []
  const { outcome } = await runStage('compile', { onLine: line => lines.push(line) })
  assert.ok(outcome.ok)
  const at = (words: string) => lines.findIndex(line => line.includes(words))
  assert.ok(at('Starting Hailo allocation') >= 0 && at('Starting Hailo allocation') < at('Successful Compilation'), lines.join('\n'))
})

test('dfcToolchain() passes the device on to every stage', async () => {
  const { toolchain, onnx, options, folder } = setUp({ hwArch: 'hailo8l' })
  const hef = made(await toolchain.compile(made(await toolchain.optimize(made(await toolchain.parse(onnx, options)), options)), options))
  assert.match(readFileSync(hef.path, 'latin1'), /"hwArch":"hailo8l"/)
  assert.equal(readFileSync(join(folder, 'net.log'), 'utf8').match(/^\$ hailo .*--hw-arch hailo8l/gm)?.length, 3)
})

test('dfcToolchain() fails the stage when a HAR of one device is compiled for another', async () => {
  const { failure } = await failureOf('compile', { hwArch: 'hailo15h' })
  assert.match(failure.evidence, /hailo8\b.*hailo15h/)
  assert.equal(failure.isInfeasible, false)
})

test('hwArchFrom() takes the known devices and asks "did you mean" for others, before anything runs', async () => {
  for (const arch of hwArchs) assert.equal(hwArchFrom(arch), arch)
  const refusals = { hailo8L: /did you mean --hw-arch hailo8l\?/, 'hailo-8': /did you mean --hw-arch hailo8\?/, hailo10: /did you mean --hw-arch hailo10h\?/, jetson: /^give --hw-arch/ }
  for (const [name, hint] of Object.entries(refusals)) {
    assert.throws(() => hwArchFrom(name), thrown => thrown instanceof RunbookError && thrown.exit === 'usage' && hint.test(thrown.hint), name)
  }
  const { toolchain, onnx, options } = setUp({ hwArch: 'hailo9' })
  await assert.rejects(toolchain.parse(onnx, options), thrown => exitNameOf(thrown) === 'usage')
  assert.ok(!existsSync(options.logFile))
})

test('dfcToolchain() writes the model script for the optimiser, and gives none when it is empty', async () => {
  const given = await runStage('optimize', { modelScript: 'performance_param(compiler_optimization_level=max)\n' })
  assert.ok(given.outcome.ok)
  assert.match(given.log(), /Loading model script commands to net from .*net\.alls/)
  assert.equal(readFileSync(join(given.folder, 'net.alls'), 'utf8'), 'performance_param(compiler_optimization_level=max)\n')
  const none = await runStage('optimize', { modelScript: '\n' })
  assert.ok(none.outcome.ok)
  assert.doesNotMatch(none.log(), /model-script|Loading model script/)
})

test('dfcToolchain() fails as model_script_error when a line of the script is no command', async () => {
  assert.equal((await failureOf('optimize', { modelScript: 'make it fit please\n' })).failure.bucket, 'model_script_error')
})

test('dfcToolchain() fails as calibration_shape when the samples are channels first or of another width', async () => {
  for (const calibrationShape of [[3, 1, 1, 32], [3, 1, 16, 1], [0, 1, 32, 1]]) {
    assert.equal((await failureOf('optimize', { calibrationShape })).failure.bucket, 'calibration_shape', calibrationShape.join())
  }
})

test('dfcToolchain() fails as har_not_optimized when it compiles what was only parsed', async () => {
  const { toolchain, options } = setUp()
  const outcome = await toolchain.compile((await readyHars()).parsed, options)
  assert.equal(!outcome.ok && outcome.failure.bucket, 'har_not_optimized')
})

/** Bucket to bucket for every complaint of a stage that was put in another one. */
async function misplaced(stage: StandinStage): Promise<Record<string, string>> {
  const wrong: Record<string, string> = {}
  for (const [bucket, complaint] of Object.entries(complaints)) {
    if (complaint.stage !== stage) continue
    const { failure, stopped } = await failureOf(stage, { fate: bucket })
    if (failure.bucket !== bucket || stopped !== null) wrong[bucket] = failure.bucket
    assert.ok(failure.evidence !== '' && failure.evidence.length <= 500 && failure.cause !== '', bucket)
  }
  return wrong
}

test('dfcToolchain() puts every complaint of the parser in its bucket', async () => {
  assert.deepEqual(await misplaced('parse'), {})
})

test('dfcToolchain() puts every complaint of the optimiser in its bucket', async () => {
  assert.deepEqual(await misplaced('optimize'), {})
})

test('dfcToolchain() puts every complaint of the compiler in its bucket', async () => {
  assert.deepEqual(await misplaced('compile'), {})
})

test('dfcToolchain() fails with what was cut when the parser takes its own recommendation and exits with 0', async () => {
  const { failure, log } = await failureOf('parse', { fate: 'wrong_end_nodes' })
  assert.equal(failure.bucket, 'parse_unsupported_op_with_recommendation')
  assert.match(failure.evidence, /cut the graph short: asked to end at head, it ended at relu \(.*UnsupportedShuffleLayerError in op head/)
  assert.match(failure.milestone ?? '', /Saved HAR to/)
  assert.match(log(), /\[error\] the parser cut the graph short/)
})

test('dfcToolchain() fails when the parser starts elsewhere, or names no end nodes at all', async () => {
  assert.match((await failureOf('parse', { fate: 'wrong_start_node' })).failure.evidence, /cut the graph at its head: asked to start at input, it started at conv/)
  assert.match((await failureOf('parse', { fate: 'silent_end_nodes' })).failure.evidence, /names no end nodes/)
})

test('dfcToolchain() fails as parse_internal_error when the ONNX is broken or the end is nowhere in it', async () => {
  const { toolchain, onnx, options } = setUp()
  const elsewhere = await toolchain.parse(onnx, { ...options, endNodes: ['nowhere'] })
  assert.equal(!elsewhere.ok && elsewhere.failure.bucket, 'parse_internal_error')
  writeFileSync(onnx.path, readFileSync(onnx.path).subarray(0, 100))
  const broken = await toolchain.parse(onnx, options)
  assert.equal(!broken.ok && broken.failure.bucket, 'parse_internal_error')
})

test('dfcToolchain() fails when an exit code of 0 leaves no artifact, or an empty one', async () => {
  const cases = [
    ['parse', 'nothing@parse', 'har_build_failed_unspecified', /no net\.har/], ['parse', 'empty@parse', 'har_build_failed_unspecified', /no net\.har/],
    ['optimize', 'nothing@optimize', 'optimize_subprocess', /no net_optimized\.har/], ['optimize', 'empty@optimize', 'optimize_subprocess', /no net_optimized\.har/],
    ['compile', 'nothing', 'unknown', /there is no \.hef in its output folder/], ['compile', 'empty@compile', 'unknown', /does not begin like a HEF/],
  ] as const
  for (const [stage, fate, bucket, evidence] of cases) {
    const { failure } = await failureOf(stage, { fate })
    assert.equal(failure.bucket, bucket, fate)
    assert.match(failure.evidence, evidence, fate)
    assert.equal(failure.isInfeasible, false, fate)
  }
})

test('dfcToolchain() never takes the artifact of an earlier run for a new one', async () => {
  const folder = scratch()
  for (const name of ['net.har', 'net_optimized.har', 'net.hef']) writeFileSync(join(folder, name), 'old')
  mkdirSync(join(folder, 'net_compiled'))
  writeFileSync(join(folder, 'net_compiled/old.hef'), '\x01HEFold')
  await failureOf('parse', { folder, fate: 'nothing@parse' })
  await failureOf('optimize', { folder, fate: 'nothing@optimize' })
  await failureOf('compile', { folder, fate: 'nothing' })
  assert.deepEqual(['net.har', 'net_optimized.har', 'net.hef'].filter(name => existsSync(join(folder, name))), [])
  assert.ok((await runStage('compile', { folder })).outcome.ok, 'the leftover HEF is not a second one')
})

test('dfcToolchain() refuses two HEFs and one that does not begin like a HEF', async () => {
  const two = await failureOf('compile', { fate: 'two_hefs' })
  assert.match(two.failure.evidence, /2 \.hef files.*net\.hef.*net_b\.hef|2 \.hef files.*net_b\.hef.*net\.hef/)
  assert.deepEqual(readdirSync(join(two.folder, 'net_compiled')).toSorted(), ['net.hef', 'net_b.hef'], 'both are kept to be looked at')
  const wrong = await failureOf('compile', { fate: 'wrong_magic' })
  assert.match(wrong.failure.evidence, /net\.hef does not begin like a HEF \(01 48 45 46\), but with 504b0304/)
  assert.ok(!existsSync(join(wrong.folder, 'net.hef')))
})

test('dfcToolchain() finds the HEF whatever the compiler names it, and wherever below its folder it lies', async () => {
  for (const fate of ['hef_named_otherwise', 'hef_in_subfolder@compile']) {
    const { outcome, folder } = await runStage('compile', { fate })
    assert.equal(made(outcome).path, join(folder, 'net.hef'), fate)
    assert.equal(readFileSync(join(folder, 'net.hef')).toString('latin1', 0, 4), '\x01HEF')
  }
})

test('dfcToolchain() names the end of a compiler that crashes, is killed, or runs out of memory', async () => {
  const ends = { crash: 'compiler_crash', 'crash@parse': 'compiler_crash', killed: 'host_oom', 'oom@optimize': 'host_oom' }
  for (const [fate, bucket] of Object.entries(ends)) {
    const { failure, stopped } = await failureOf((fate.split('@')[1] ?? 'compile') as StandinStage, { fate })
    assert.equal(failure.bucket, bucket, fate)
    assert.equal(stopped, null)
    assert.equal(failure.isInfeasible, false)
  }
})

test('dfcToolchain() ends a hang with all of its deaf descendants when the time is up', async () => {
  const { failure, stopped, folder, durationMs } = await failureOf('compile', { fate: 'hang', timeoutMs: 5000 })
  assert.equal(failure.bucket, 'wrapper_timeout')
  assert.equal(stopped, 'timeout')
  assert.match(failure.milestone ?? '', /Using Multi-context flow/)
  assert.ok(durationMs < 20_000, `${durationMs}`)
  const pids = JSON.parse(readFileSync(join(folder, 'hanging.json'), 'utf8')) as number[]
  assert.equal(pids.length, 3)
  assert.deepEqual(pids.filter(isAlive), [])
})

test('dfcToolchain() stops as interrupted when it is aborted', async () => {
  const abort = new AbortController()
  const onLine = (line: string) => { if (line.includes('Starting Hailo allocation')) abort.abort() }
  const { failure, stopped } = await failureOf('compile', { fate: 'hang', signal: abort.signal, onLine })
  assert.equal(failure.bucket, 'aborted')
  assert.equal(stopped, 'interrupted')
})

test('dfcToolchain() blames the installation when a version does not know a flag', async () => {
  const { failure } = await failureOf('parse', { fate: 'old_flags' })
  assert.equal(failure.bucket, 'environment_broken_install')
  assert.match(failure.evidence, /unrecognized arguments: --tensor-shapes/)
})

test('dfcToolchain() is blocked when its program has gone', async () => {
  const { onnx, options } = setUp()
  await assert.rejects(dfcToolchain({ program: join(root, 'gone/hailo') }).parse(onnx, options), thrown => exitNameOf(thrown) === 'blocked')
})

const columns = ['run_tag', 'har_success', 'hef_success', 'exception_type', 'hef_path', 'failure_log']

function rung(tag: string): LadderCase {
  return {
    tag,
    config: { nFilters: 4, bnChan: 4, hidChan: 4, skipChan: 4, nBlocks: 1, nRepeats: 1, inputLen: 32 },
    prepare: () => ({
      // Named by the tag, because the cache takes two equal graphs for one.
      onnx: encodeModel(smallModel(tag)), inputName: 'input', inputShape: [1, 1, 1, 32], endNodes: ['output'], modelScript: '',
      writeCalibration(folder, layout) {
        assert.equal(layout, 'nhwc')
        const path = join(folder, 'calibration.npy')
        writeFileSync(path, encodeNpy(float32([2, 1, 32, 1], new Float32Array(64))))
        return { ...artifactOf(path), count: 2 }
      },
    }),
  }
}

async function climb(fates: Record<string, string>, o: Partial<Ladder> & { cacheRoot?: string } = {}) {
  const folder = join(scratch(), 'run')
  const { cacheRoot, ...rest } = o
  const toolchain = dfcToolchain({ program: standin.program, env: { HAILO_STANDIN: JSON.stringify(fates) } })
  const cache = cacheRoot === undefined ? null : openCache(cacheRoot, { name: 'dfc', version: '3.33.0' })
  const found = await runLadder({
    cases: ['rung_a', 'rung_b', 'rung_c'].map(rung), profile: 'focused', timeLimitMs: 60_000, caseTimeoutMs: 30_000, folder, resume: null,
    summary: { path: join(folder, 'summary.tsv'), columns, shown: path => path },
    run: { toolchain, hwArch: 'hailo8', signal: new AbortController().signal, cache }, ...rest,
  })
  return { ...found, folder, rows: readTsv(join(folder, 'summary.tsv')) }
}

test('runLadder() on the Dataflow Compiler goes past failures of two stages to the rung that compiles', async () => {
  const { winner, rows, results } = await climb({ rung_a: 'allocator', 'rung_[b]': 'quantization_negative_exponent' })
  assert.equal(winner?.tag, 'rung_c')
  assert.deepEqual(rows.map(row => [row.har_success, row.hef_success, row.exception_type]), [
    ['true', 'false', 'BackendAllocatorException'], ['true', 'false', 'NegativeSlopeExponentNonFixable'], ['true', 'true', ''],
  ])
  assert.deepEqual(results[0]!.failure?.layers, ['dw7', 'conv9'])
  assert.equal(results[0]!.failure?.isInfeasible, true)
  assert.equal(winner.metrics.optimizationLevelReduced, 1)
  assert.match(rows[2]!.hef_path!, /rung_c\/rung_c\.hef$/)
  assert.ok(rows.slice(0, 2).every(row => existsSync(row.failure_log!)))
})

test('runLadder() on the Dataflow Compiler goes on after a time-out and a cut graph, and neither counts as infeasible', async () => {
  const { winner, results } = await climb({ rung_a: 'hang', rung_b: 'wrong_end_nodes' }, { caseTimeoutMs: 9000 })
  assert.equal(winner?.tag, 'rung_c')
  assert.deepEqual(results.map(({ status, failure }) => [status, failure?.bucket ?? '']), [
    ['timed-out', 'wrapper_timeout'], ['failed', 'parse_unsupported_op_with_recommendation'], ['succeeded', ''],
  ])
  assert.equal(results[1]!.harSuccess, false)
  assert.ok(results.every(({ failure }) => failure?.isInfeasible !== true))
})

test('runLadder() takes outcomes of the Dataflow Compiler from the cache, but runs an out-of-memory case again', async () => {
  const cacheRoot = join(root, 'cache')
  const fates = { rung_a: 'oom', rung_b: 'two_hefs' }
  await climb(fates, { cacheRoot })
  const { results, folder } = await climb(fates, { cacheRoot })
  assert.deepEqual(results.map(({ origin }) => origin), ['ran', 'ran', 'cache'])
  assert.equal(readFileSync(join(folder, 'rung_c/rung_c.hef')).toString('latin1', 0, 4), '\x01HEF')
})

test('runCase() tells the stages of a slow compile while they run', async () => {
  const lines: string[] = []
  const run: CaseRun = {
    toolchain: dfcToolchain({ program: standin.folder, env: { HAILO_STANDIN: 'slow' } }), hwArch: 'hailo8', timeoutMs: 30_000, signal: new AbortController().signal,
    onLine: line => lines.push(line), cache: null,
  }
  const folder = join(scratch(), 'rung_slow')
  const result = await runCase(rung('rung_slow'), folder, run)
  assert.equal(result.status, 'succeeded')
  assert.ok(result.metrics.compileMs! >= 900, `${result.metrics.compileMs}`)
  assert.equal(result.files.hef, 'rung_slow.hef')
  assert.ok(lines.some(line => line.includes('End nodes mapped')) && lines.some(line => line.includes('Successful Mapping')))
})
