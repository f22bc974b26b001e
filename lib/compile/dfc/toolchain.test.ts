import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { readHef } from '../../formats/hef/read.ts'
import { exitNameOf, RunbookError } from '../../base/errors.ts'
import { dfcBench, made } from '../../testing/hailo-program/dfc-bench.ts'
import { hwArchFrom, hwArchs } from './toolchain.ts'

const { close, failureOf, readyHars, runStage, scratch, setUp } = dfcBench()
after(close)

test('dfcToolchain() takes a graph to a HAR, a quantised HAR and a HEF under the tag', async () => {
  const { toolchain, onnx, options, folder } = setUp()
  const parsed = await toolchain.parse(onnx, options)
  const optimized = await toolchain.optimize(made(parsed), options)
  const compiled = await toolchain.compile(made(optimized), options)
  const names = ['net.har', 'net_optimized.har', 'net.hef']
  assert.deepEqual(
    [parsed, optimized, compiled].map(stage => made(stage).path),
    names.map(name => join(folder, name)),
  )
  assert.deepEqual([...readFileSync(join(folder, 'net.hef')).subarray(0, 4)], [1, 0x48, 0x45, 0x46])
  const metrics = { optimizationLevelReduced: 1, calibrationSamples: 3, outputSnrDbMin: 21.5 }
  assert.deepEqual(optimized.ok && optimized.metrics, metrics)
  const hefBytes = readFileSync(join(folder, 'net.hef')).length
  assert.deepEqual(compiled.ok && compiled.metrics, { contexts: 2, hefBytes })
})

test('dfcToolchain() leaves vendor logs in the folder of the case, and its own commands in the log', async () => {
  const { outcome, folder, log } = await runStage('compile', {})
  assert.ok(outcome.ok)
  const logs = ['allocator.log', 'hailo_sdk.client.log', 'net_compiled.har']
  assert.deepEqual(
    logs.filter(name => !existsSync(join(folder, name))),
    [],
  )
  assert.ok(!existsSync(join(folder, 'net_compiled')), 'the empty output folder is gone')
  assert.match(log(), /^\$ hailo compiler .+net_optimized\.har'? --hw-arch hailo8 --output-dir /)
})

test('dfcToolchain() tells every line of the program to onLine, in order, progress bars too', async () => {
  const lines: string[] = []
  const { outcome } = await runStage('compile', { onLine: line => lines.push(line) })
  assert.ok(outcome.ok)
  const at = (words: string) => lines.findIndex(line => line.includes(words))
  const [start, middle, end] = [at('Starting Hailo allocation'), at('Iterating 100%'), at('Successful Compilation')]
  assert.ok(start >= 0 && start < middle && middle < end, lines.join('\n'))
})

test('dfcToolchain() passes the device on to every stage', async () => {
  const { toolchain, onnx, options, folder } = setUp({ hwArch: 'hailo8l' })
  const har = made(await toolchain.parse(onnx, options))
  const hef = made(await toolchain.compile(made(await toolchain.optimize(har, options)), options))
  assert.equal(readHef(hef.path).arch, 'hailo8l')
  assert.equal(readFileSync(join(folder, 'net.log'), 'utf8').match(/^\$ hailo .*--hw-arch hailo8l/gm)?.length, 3)
})

test('dfcToolchain() fails the stage when a HAR of one device is compiled for another', async () => {
  const { failure } = await failureOf('compile', { hwArch: 'hailo15h' })
  assert.match(failure.evidence, /hailo8\b.*hailo15h/)
  assert.equal(failure.isInfeasible, false)
})

const refused = (hint: string) => (thrown: unknown) =>
  thrown instanceof RunbookError && thrown.exit === 'usage' && thrown.hint === hint
const parserEvidence = async (fate: string) => (await failureOf('parse', { fate })).failure.evidence

test('hwArchFrom() takes the known devices and asks "did you mean" for others, before anything runs', async () => {
  for (const arch of hwArchs) assert.equal(hwArchFrom(arch), arch)
  const nearest = { hailo8L: 'hailo8l', 'hailo-8': 'hailo8', HAILO15H: 'hailo15h', hailo10: 'hailo10h' }
  for (const [name, near] of Object.entries(nearest)) {
    assert.throws(() => hwArchFrom(name), refused(`did you mean --hw-arch ${near}?`), name)
  }
  for (const name of ['jetson', '']) assert.throws(() => hwArchFrom(name), refused('give --hw-arch one of them'), name)
  const { toolchain, onnx, options } = setUp({ hwArch: 'hailo9' })
  await assert.rejects(toolchain.parse(onnx, options), thrown => exitNameOf(thrown) === 'usage')
  assert.ok(!existsSync(options.logFile))
})

test('dfcToolchain() writes the model script for the optimiser, and gives none when it is empty', async () => {
  const given = await runStage('optimize', { modelScript: 'performance_param(compiler_optimization_level=max)\n' })
  assert.ok(given.outcome.ok)
  assert.match(given.log(), /Loading model script commands to net from .*net\.alls/)
  assert.equal(
    readFileSync(join(given.folder, 'net.alls'), 'utf8'),
    'performance_param(compiler_optimization_level=max)\n',
  )
  const none = await runStage('optimize', { modelScript: '\n' })
  assert.ok(none.outcome.ok)
  assert.doesNotMatch(none.log(), /model-script|Loading model script/)
})

test('dfcToolchain() fails as model_script_error when a line of the script is no command', async () => {
  assert.equal(
    (await failureOf('optimize', { modelScript: 'make it fit please\n' })).failure.bucket,
    'model_script_error',
  )
})

test('dfcToolchain() fails as calibration_shape when the samples are channels first or of another width', async () => {
  for (const calibrationShape of [
    [3, 1, 1, 32],
    [3, 1, 16, 1],
    [0, 1, 32, 1],
  ]) {
    assert.equal(
      (await failureOf('optimize', { calibrationShape })).failure.bucket,
      'calibration_shape',
      calibrationShape.join(),
    )
  }
})

test('dfcToolchain() fails as har_not_optimized when it compiles what was only parsed', async () => {
  const { toolchain, options } = setUp()
  const outcome = await toolchain.compile((await readyHars()).parsed, options)
  assert.equal(!outcome.ok && outcome.failure.bucket, 'har_not_optimized')
})

test('dfcToolchain() fails with what was cut when the parser takes its own advice and exits with 0', async () => {
  const { failure, log } = await failureOf('parse', { fate: 'wrong_end_nodes' })
  assert.equal(failure.bucket, 'parse_unsupported_op_with_recommendation')
  assert.match(failure.evidence, /cut the graph short: asked to end at head, it ended at relu \(/)
  assert.match(failure.evidence, /UnsupportedShuffleLayerError in op head/)
  assert.match(failure.milestone ?? '', /Saved HAR to/)
  assert.match(log(), /\[error\] the parser cut the graph short/)
})

test('dfcToolchain() fails when the parser starts elsewhere, or names no end nodes at all', async () => {
  assert.match(await parserEvidence('wrong_start_node'), /at its head: asked to start at input, it started at conv/)
  assert.match(await parserEvidence('silent_end_nodes'), /names no end nodes/)
})

test('dfcToolchain() fails as parse_internal_error when the ONNX is broken or the end is nowhere in it', async () => {
  const { toolchain, onnx, options } = setUp()
  const elsewhere = await toolchain.parse(onnx, { ...options, outputs: ['nowhere'] })
  assert.equal(!elsewhere.ok && elsewhere.failure.bucket, 'parse_internal_error')
  writeFileSync(onnx.path, readFileSync(onnx.path).subarray(0, 100))
  const broken = await toolchain.parse(onnx, options)
  assert.equal(!broken.ok && broken.failure.bucket, 'parse_internal_error')
})

test('dfcToolchain() fails when an exit code of 0 leaves no artifact, or an empty one', async () => {
  const cases = [
    ['parse', 'nothing@parse', 'har_build_failed_unspecified', /no net\.har/],
    ['parse', 'empty@parse', 'har_build_failed_unspecified', /no net\.har/],
    ['optimize', 'nothing@optimize', 'optimize_subprocess', /no net_optimized\.har/],
    ['optimize', 'empty@optimize', 'optimize_subprocess', /no net_optimized\.har/],
    ['compile', 'nothing', 'unknown', /there is no \.hef in its output folder/],
    ['compile', 'empty@compile', 'unknown', /does not begin like a HEF/],
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
  assert.deepEqual(
    ['net.har', 'net_optimized.har', 'net.hef'].filter(name => existsSync(join(folder, name))),
    [],
  )
  assert.ok((await runStage('compile', { folder })).outcome.ok, 'the leftover HEF is not a second one')
})

test('dfcToolchain() refuses two HEFs and one that does not begin like a HEF', async () => {
  const two = await failureOf('compile', { fate: 'two_hefs' })
  assert.match(two.failure.evidence, /2 \.hef files in its output folder, not one: net\.hef, net_b\.hef/)
  assert.deepEqual(readdirSync(join(two.folder, 'net_compiled')).toSorted(), ['net.hef', 'net_b.hef'], 'both are kept')
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
