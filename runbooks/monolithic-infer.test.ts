import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { hailortStandin } from '../ffi/testing/hailort.ts'
import { smallHef } from '../lib/testing/hef/samples.ts'
import { float32 } from '../lib/formats/tensors/tensor.ts'
import { readWav } from '../lib/formats/wav/index.ts'
import { GraphBuilder } from '../lib/onnx/builder.ts'
import {
  diskOf,
  forked,
  longRecording,
  modelFile,
  scratch,
  tinyModel,
  tinyOptions,
  voice,
  wavFile,
} from '../lib/testing/infer/fixtures.ts'
import { convTasNetGraph } from '../lib/models/convtasnet/graph.ts'
import { tinyModel as tinyHef } from '../lib/testing/hef/models.ts'
import { needsTool } from '../lib/testing/needs.ts'
import { typescriptCommand } from '../lib/host/typescript.ts'
import { processesWith } from '../lib/testing/processes.ts'
import { until } from '../lib/testing/until.ts'
import { runInProcess } from '../lib/testing/run-in-process.ts'
import infer from './monolithic-infer.ts'

type Metrics = Record<string, unknown>
const metricsIn = (folder: string) => JSON.parse(readFileSync(join(folder, 'runtime_metrics.json'), 'utf8')) as Metrics
const run = (env: Readonly<Record<string, string>>, argv: readonly string[] = []) =>
  runInProcess(infer, ['--run-ts', 't', ...argv], { env, cwd: scratch() })
const mixture = (samples = 32_000) => wavFile([voice(samples)])

/** Expect one way out: exit code, verdict, one error with a hint, and metrics that say why. */
async function refused(
  env: Readonly<Record<string, string>>,
  want: { exit: number; verdict: string; reason: RegExp; hint?: RegExp },
  argv: readonly string[] = [],
) {
  const ran = await run(env, argv)
  assert.equal(ran.exit, want.exit, ran.stderr)
  assert.match(ran.verdict, new RegExp(`^${want.verdict} monolithic-infer gates=0/0 run=module_runs/t (?:next|hint)="`))
  assert.match(ran.report.error!.message, want.reason)
  assert.equal(ran.stderr.match(/^error: /gm)?.length, 1, ran.stderr)
  assert.doesNotMatch(ran.stderr, /\.ts:\d+/, 'an operating error prints no stack')
  if (want.hint) assert.match(ran.report.error!.hint!, want.hint)
  const metrics = metricsIn(ran.path())
  assert.deepEqual([metrics.ok, metrics.files], [false, []])
  assert.match(String(metrics.reason), want.reason)
  assert.deepEqual(
    readdirSync(ran.path()).filter(name => /\.(wav|tmp)$/.test(name)),
    [],
  )
  return { ...ran, metrics }
}

test("monolithic-infer separates a recording and ends in PASS with the plan's files, keys and line", async () => {
  const ran = await run({ HEF_PATH: tinyModel({ inputLen: 16_000 }), MIX_WAV: mixture() })
  assert.equal(ran.exit, 0, ran.stderr)
  assert.equal(
    ran.verdict,
    'PASS monolithic-infer gates=6/6 run=module_runs/t hint="listen to module_runs/t/sep_src1.wav"',
  )
  assert.equal(ran.lines.at(-2), 'Runtime status: pass ; output_dir=module_runs/t')
  for (const name of ['mix.wav', 'sep_src1.wav', 'sep_src2.wav'])
    assert.equal(readWav(ran.path(name)).info.frames, 32_000)
  const metrics = metricsIn(ran.path())
  for (const key of [
    'ok',
    'device_info',
    'input_samples',
    'output_samples',
    'output_samples_src1',
    'output_samples_src2',
    'latency_ms',
    'latency_ms_p50',
    'latency_ms_p95',
    'load_ms',
    'configure_ms',
    'infer_ms',
    'rtf',
    'sample_rate',
    'hef',
    'mix_wav',
    'input_stream',
    'output_stream',
  ])
    assert.ok(metrics[key] !== null && metrics[key] !== undefined, key)
  assert.equal(ran.report.fingerprint.device, metrics.device_info)
})

test('monolithic-infer separates a recording that ships with the project when none is named', async () => {
  const ran = await run({ HEF_PATH: tinyModel({ inputLen: 16_000 }) })
  assert.equal(ran.exit, 0, ran.stderr)
  assert.match(ran.stderr, /ships with Rungbook\), with its two references/)
  const metrics = metricsIn(ran.path())
  assert.deepEqual([metrics.output_samples, (metrics.si_sdr_db as number[]).length], [96_000, 2])
  assert.match(ran.read('report.html'), /against the references/)
})

test('monolithic-infer sends sound and metrics to OUT_DIR, and keeps its evidence in the run folder', async () => {
  const outDir = join(scratch(), 'deep/out')
  const ran = await run({ HEF_PATH: tinyModel({ inputLen: 16_000 }), MIX_WAV: mixture(), OUT_DIR: outDir })
  assert.deepEqual(readdirSync(outDir).toSorted(), ['mix.wav', 'runtime_metrics.json', 'sep_src1.wav', 'sep_src2.wav'])
  assert.deepEqual(metricsIn(ran.path()), metricsIn(outDir))
  assert.ok(!existsSync(ran.path('mix.wav')) && existsSync(ran.path('report.html')))
  assert.equal(ran.lines.at(-2), `Runtime status: pass ; output_dir=${outDir}`)
})

test('monolithic-infer picks from LIBRIMIX_ROOT, which counts for nothing when MIX_WAV is given', async () => {
  const root = scratch()
  const test = join(root, 'Libri2Mix/wav16k/min/test')
  for (const name of ['mix_clean', 's1', 's2']) {
    mkdirSync(join(test, name), { recursive: true })
    copyFileSync(mixture(700), join(test, name, 'a.wav'))
  }
  const picked = metricsIn((await run({ HEF_PATH: tinyModel({ inputLen: 16_000 }), LIBRIMIX_ROOT: root })).path())
  assert.deepEqual([picked.mix_wav, (picked.references as string[]).length], [join(test, 'mix_clean/a.wav'), 2])
  const named = await run({
    HEF_PATH: tinyModel({ inputLen: 16_000 }),
    LIBRIMIX_ROOT: '/nowhere/at/all',
    MIX_WAV: mixture(),
  })
  assert.equal(named.exit, 0, named.stderr)
})

test('monolithic-infer is BLOCKED with metrics when model, recording or LibriMix are not there', async () => {
  const model = tinyModel({ inputLen: 16_000 })
  const blocked = { exit: 3, verdict: 'BLOCKED' }
  await refused(
    { HEF_PATH: '/nowhere/m.onnx', MIX_WAV: mixture() },
    { ...blocked, reason: /Cannot read "\/nowhere\/m\.onnx": ENOENT/ },
  )
  const { metrics } = await refused(
    { HEF_PATH: model, MIX_WAV: '/nowhere/x.wav' },
    { ...blocked, reason: /Cannot read "\/nowhere\/x\.wav": ENOENT/ },
  )
  assert.deepEqual([metrics.hef, metrics.mix_wav], [model, '/nowhere/x.wav'])
  await refused(
    { HEF_PATH: model, LIBRIMIX_ROOT: '/nowhere' },
    { ...blocked, reason: /Cannot find a mixture below "\/nowhere"/, hint: /--mix-wav/ },
  )
})

test('monolithic-infer without a runtime for HEFs is BLOCKED and says what to install instead of it', async () => {
  const hef = join(scratch(), 'model.hef')
  writeFileSync(hef, smallHef())
  for (const argv of [[], ['--backend', 'hailort']]) {
    const { lines } = await refused(
      { HEF_PATH: hef, MIX_WAV: mixture() },
      {
        exit: 3,
        verdict: 'BLOCKED',
        reason: /Cannot open HailoRT/,
        hint: /install it .*export HAILORT_LIB=.*pyhailort\/hailo_platform, is not needed/,
      },
      argv,
    )
    assert.match(lines.at(-2)!, /^Runtime status: blocked ; output_dir=module_runs\/t$/)
  }
  const foreign = { exit: 2, verdict: 'USAGE' }
  await refused({ HEF_PATH: hef, MIX_WAV: mixture() }, { ...foreign, reason: /it is a HEF/ }, ['--backend', 'ort'])
  await refused(
    { HEF_PATH: tinyModel({ inputLen: 16_000 }), MIX_WAV: mixture() },
    { ...foreign, reason: /it is not a HEF/ },
    ['--backend', 'hailort'],
  )
})

test('monolithic-infer lists the streams on a mismatch, and --input and --output choose', async () => {
  const env = { HEF_PATH: modelFile(forked(400)), MIX_WAV: mixture() }
  const usage = { exit: 2, verdict: 'USAGE' }
  await refused(env, {
    ...usage,
    reason: /the model has 2 inputs: sound float32\[1, 1, 1, 400\], bias float32/,
    hint: /--input sound\|bias/,
  })
  await refused(
    env,
    { ...usage, reason: /the model has 2 outputs: quiet float32\[1, 2, 1, 400\], loud/, hint: /--output quiet\|loud/ },
    ['--input', 'sound'],
  )
  await refused(env, { ...usage, reason: /there is no output "x": quiet/ }, ['--input', 'sound', '--output', 'x'])
  const ran = await run(env, ['--input', 'sound', '--output', 'loud'])
  // One of its two sources is silent.
  assert.equal(ran.exit, 1, ran.stderr)
  assert.equal(metricsIn(ran.path()).halo_samples, 0, 'measured: the model looks at one sample at a time')
  assert.match(ran.stderr, /warning: the model takes 16000 Hz: nothing says its rate/)
  assert.deepEqual(metricsIn(ran.path()).zero_inputs, ['bias'])
})

test('monolithic-infer refuses a model at the latent rate, with the way out', async () => {
  const env = { HEF_PATH: tinyModel({ decoderMode: 'conv1x1_head' }), MIX_WAV: mixture() }
  await refused(env, { exit: 2, verdict: 'USAGE', reason: /latent rate/, hint: /--decoder polyphase/ })
})

test('monolithic-infer ends in FAIL and 1 when the model answers NaN', async () => {
  const model = convTasNetGraph(tinyOptions())
  const weight = model.graph.initializer.find(({ name }) => name === 'decoder.weight')!
  weight.rawData = Buffer.alloc(weight.rawData!.length, 0xff)
  const env = { HEF_PATH: modelFile(model), MIX_WAV: mixture() }
  const { lines } = await refused(env, {
    exit: 1,
    verdict: 'FAIL',
    reason: /Cannot use the answer of "output": value 0 .* is NaN/,
  })
  assert.match(lines.at(-2)!, /^Runtime status: fail ; /)
})

test('monolithic-infer ends in FAIL, not in pass, when the model has one source', async () => {
  const ran = await run({ HEF_PATH: tinyModel({ forceNSrc1: true }), MIX_WAV: mixture() })
  assert.deepEqual([ran.exit, ran.lines.at(-2)], [1, 'Runtime status: fail ; output_dir=module_runs/t'])
  assert.match(ran.verdict, /^FAIL monolithic-infer gates=4\/5 .* hint="choose another rung/)
  assert.deepEqual(metricsIn(ran.path()).files, ['mix.wav', 'sep_src1.wav'])
})

test('monolithic-infer refuses each bad recording with exit code 2', async () => {
  const cut = mixture()
  truncateSync(cut, 500)
  const text = join(scratch(), 'x.wav')
  writeFileSync(text, 'sound of silence')
  const empty = join(scratch(), 'empty.wav')
  writeFileSync(empty, '')
  const cases: [string, RegExp][] = [
    [cut, /cut short/],
    [text, /Cannot read/],
    [empty, /Cannot read/],
    [wavFile([new Float32Array(999)]), /silent/],
    [scratch(), /folder/],
  ]
  for (const [MIX_WAV, reason] of cases)
    await refused({ HEF_PATH: tinyModel({ inputLen: 16_000 }), MIX_WAV }, { exit: 2, verdict: 'USAGE', reason })
})

test('monolithic-infer does not write over the recording when OUT_DIR is where it lies', async () => {
  const folder = scratch()
  const mix = wavFile([voice(600), voice(600)], { path: join(folder, 'mix.wav') })
  const before = readFileSync(mix)
  const ran = await run({ HEF_PATH: tinyModel({ inputLen: 16_000 }), MIX_WAV: mix, OUT_DIR: folder })
  assert.equal(ran.exit, 2)
  assert.match(ran.report.error!.hint!, /--audio-dir/)
  assert.deepEqual(readFileSync(mix), before)
  assert.equal(metricsIn(folder).ok, false)
})

test('monolithic-infer is BLOCKED by an OUT_DIR that cannot be written, and its evidence says so', async () => {
  const file = join(scratch(), 'file')
  writeFileSync(file, '')
  const readOnly = diskOf('ro')
  for (const outDir of [file, join(file, 'x'), ...(readOnly === null ? [] : [readOnly])]) {
    const { verdict } = await refused(
      { HEF_PATH: tinyModel({ inputLen: 16_000 }), MIX_WAV: mixture(), OUT_DIR: outDir },
      { exit: 3, verdict: 'BLOCKED', reason: /EEXIST|ENOTDIR|EROFS/ },
    )
    assert.doesNotMatch(verdict, /bug/i)
  }
})

test('monolithic-infer is BLOCKED by a full OUT_DIR, and says that the disk is full', async t => {
  const full = diskOf('size=64k')
  if (full === null) return t.diagnostic('no file system can be mounted here; separation-outputs.test.ts covers it')
  await refused(
    { HEF_PATH: tinyModel({ inputLen: 16_000 }), MIX_WAV: mixture(40_000), OUT_DIR: full },
    { exit: 3, verdict: 'BLOCKED', reason: /ENOSPC/, hint: /the disk is full/ },
  )
  assert.deepEqual(readdirSync(full), ['runtime_metrics.json'])
})

test('monolithic-infer cannot run without a model, says how to name one, and opens no run folder', async () => {
  const ran = await run({})
  assert.equal(ran.exit, 2)
  assert.match(ran.stderr, /Cannot run without --model.*\n\nhint: give --model <file> or set HEF_PATH/)
  assert.ok(!existsSync(join(ran.cwd, 'module_runs')))
})

test('monolithic-infer with --dry-run says what it would open and write, and opens nothing', async () => {
  const ran = await run({ HEF_PATH: '/nowhere/m.onnx' }, ['--dry-run'])
  assert.equal(ran.exit, 0)
  assert.ok(
    ran.lines.includes('would open /nowhere/m.onnx (auto)') &&
      ran.lines.some(line => /^would separate .*mix_clean/.test(line)),
    ran.stdout,
  )
})

test('monolithic-infer leaves metrics that say why, and no half of a file, when its process is killed', async () => {
  const [cwd, outDir] = [scratch(), scratch()]
  const env = {
    ...process.env,
    HEF_PATH: tinyModel({ inputLen: 16_000 }),
    MIX_WAV: longRecording(3600),
    OUT_DIR: outDir,
  }
  const [program, ...words] = typescriptCommand(join(import.meta.dirname, 'monolithic-infer.ts'), ['--run-ts', 'c'])
  const child = spawn(program!, words, { cwd, env, stdio: 'ignore' })
  const ended = new Promise<number | null>(leave => child.on('exit', leave))
  await until(() => readdirSync(outDir).some(name => name.endsWith('.tmp')), 'the first samples')
  process.kill(processesWith('monolithic-infer', child.pid)[0]!.pid, 'SIGKILL')
  assert.equal(await ended, 130)
  assert.deepEqual(readdirSync(outDir), ['runtime_metrics.json'])
  const metrics = metricsIn(outDir)
  assert.equal(metrics.ok, false)
  assert.match(String(metrics.reason), /its process was ended by SIGKILL/)
  assert.deepEqual(metricsIn(join(cwd, 'module_runs/c')), metrics)
})

test('monolithic-infer as a process stops on Ctrl-C in the middle of a long recording', async () => {
  const [cwd, outDir] = [scratch(), scratch()]
  const env = {
    ...process.env,
    HEF_PATH: tinyModel({ inputLen: 16_000 }),
    MIX_WAV: longRecording(3600),
    OUT_DIR: outDir,
  }
  const child = spawn(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), join(import.meta.dirname, 'monolithic-infer.ts'), '--run-ts', 'c'],
    { cwd, env },
  )
  const out = { stdout: '', stderr: '' }
  child.stdout.on('data', text => {
    out.stdout += String(text)
  })
  child.stderr.on('data', text => {
    out.stderr += String(text)
  })
  const ended = new Promise<number | null>(leave => child.on('exit', leave))
  const hasBegun = () =>
    readdirSync(outDir).some(name => name.endsWith('.tmp') && statSync(join(outDir, name)).size > 10_000)
  await until(() => hasBegun() || child.exitCode !== null, 'the first samples')
  assert.ok(hasBegun(), out.stderr)
  child.kill('SIGINT')
  assert.equal(await ended, 130, out.stderr)
  assert.match(out.stdout.trimEnd().split('\n').at(-1)!, /^INTERRUPTED monolithic-infer gates=0\/0 run=module_runs\/c/)
  assert.deepEqual(readdirSync(outDir), ['runtime_metrics.json'])
  const metrics = metricsIn(outDir)
  assert.deepEqual([metrics.ok, metrics.reason, metrics.input_samples], [false, 'interrupted (SIGINT)', 3600 * 16_000])
  assert.deepEqual(metricsIn(join(cwd, 'module_runs/c')), metrics)
})

test('monolithic-infer is BLOCKED on the null backend, for zeros are no result', async () => {
  const ran = await run({ HEF_PATH: tinyModel({ inputLen: 16_000 }), MIX_WAV: mixture(), MODEL_BACKEND: 'null' })
  assert.equal(ran.exit, 3)
  assert.match(ran.verdict, /^BLOCKED monolithic-infer gates=4\/5 /)
  assert.match(ran.stdout, /^Runtime status: blocked/m)
})

test(
  'monolithic-infer runs a HEF on a device in a child process, and lists the streams when none is chosen',
  { skip: needsTool('gcc') },
  async () => {
    const hef = join(scratch(), 'mono_f64_bn24_hid48_skip24_b1_r1_t1600.hef')
    writeFileSync(hef, tinyHef({ width: 1600 }).hef)
    process.env.HAILORT_LIB = hailortStandin({ profile: 'C' })
    try {
      const { metrics } = await refused(
        { HEF_PATH: hef, MIX_WAV: mixture() },
        { exit: 2, verdict: 'USAGE', reason: /net\/voices float32\[1, 2, 1, 1600\], net\/noise/, hint: /--output/ },
      )
      assert.match(String(metrics.device_info), /Hailo-8/)
      const words = ['--output', 'net/voices', '--backend', 'hailort', '--sample-rate', '16000', '--no-rescale']
      const ran = await run({ HEF_PATH: hef, MIX_WAV: mixture() }, words)
      assert.equal(ran.exit, 0, ran.stderr)
      assert.match(ran.verdict, /^PASS monolithic-infer gates=6\/6 /)
      const found = metricsIn(ran.path())
      assert.deepEqual(
        [found.ok, found.output_samples, found.input_stream, found.output_stream],
        [true, 32_000, 'net/mix', 'net/voices'],
      )
      assert.ok(Number(found.temperature_c) >= 40 && Number(found.power_w) > 1)
      assert.deepEqual(found.warnings, [])
      assert.ok(readWav(ran.path('sep_src1.wav')).channels[0]!.some(value => Math.abs(value) > 0.01))
    } finally {
      delete process.env.HAILORT_LIB
    }
  },
)

test(
  'monolithic-infer warns of a HEF that runs slower than it could, and takes a device, a group and a time limit',
  { skip: needsTool('gcc') },
  async () => {
    const hef = join(scratch(), 'mono_f64_bn24_hid48_skip24_b1_r1_t1600.hef')
    writeFileSync(hef, tinyHef({ width: 1600, arch: 'hailo8l' }).hef)
    Object.assign(process.env, { HAILORT_LIB: hailortStandin({ profile: 'C' }), HAILO_STANDIN_DEVICES: '2' })
    const env = { HEF_PATH: hef, MIX_WAV: mixture() }
    try {
      const ran = await run(env, [
        '--output',
        'net/voices',
        '--device',
        '0000:02:00.0',
        '--group',
        'net',
        '--timeout-ms',
        '20000',
        '--sample-rate',
        '16000',
      ])
      assert.equal(ran.exit, 0, ran.stderr)
      assert.match(ran.stderr, /warning: .*compiled for hailo8l and runs slower/)
      assert.match(String(metricsIn(ran.path()).device_info), /0000:02:00\.0/)
      assert.equal((metricsIn(ran.path()).warnings as string[]).length, 1)
      await refused(env, { exit: 2, verdict: 'USAGE', reason: /it has the groups net/, hint: /--group NAME/ }, [
        '--output',
        'net/voices',
        '--group',
        'other',
      ])
      process.env.HAILO_STANDIN_LATENCY_US = '300000'
      await refused(env, { exit: 1, verdict: 'FAIL', reason: /HAILO_TIMEOUT/, hint: /--timeout-ms/ }, [
        '--output',
        'net/voices',
        '--timeout-ms',
        '50',
      ])
    } finally {
      for (const name of ['HAILORT_LIB', 'HAILO_STANDIN_DEVICES', 'HAILO_STANDIN_LATENCY_US']) delete process.env[name]
    }
  },
)

test(
  'monolithic-infer on a device that crashes says which call it was, and keeps the metrics',
  { skip: needsTool('gcc') },
  async () => {
    const hef = join(scratch(), 'mono_f64_bn24_hid48_skip24_b1_r1_t1600.hef')
    writeFileSync(hef, tinyHef({ width: 1600 }).hef)
    Object.assign(process.env, {
      HAILORT_LIB: hailortStandin({ profile: 'C' }),
      HAILO_STANDIN_CRASH: 'hailo_vstream_write_raw_buffer:3',
    })
    try {
      const ran = await run({ HEF_PATH: hef, MIX_WAV: mixture() }, ['--output', 'net/voices'])
      assert.equal(ran.exit, 1, ran.stderr)
      assert.match(ran.stderr, /its process ended \(SIG\w+\) during "infer", in hailo_vstream_write_raw_buffer/)
      assert.equal(metricsIn(ran.path()).ok, false)
    } finally {
      delete process.env.HAILORT_LIB
      delete process.env.HAILO_STANDIN_CRASH
    }
  },
)

test('monolithic-infer fails a model that answers silence, a constant, or one sound twice', async () => {
  for (const [gain, bias, failed] of [
    [0, 0, ['quietest source']],
    [0, 0.25, ['quietest source']],
    [1e-6, 0, ['quietest source', 'likeness of two sources']],
    [0.5, 0, ['likeness of two sources']],
  ] as const) {
    const graph = new GraphBuilder({ name: 'broken' })
    const sound = graph.input('mix', 'float32', [1, 1, 16_000])
    const quiet = graph.node('Mul', [sound, graph.weight('gain', float32([1], [gain]))])
    const moved = graph.node('Add', [quiet, graph.weight('bias', float32([1], [bias]))])
    graph.node('Concat', [moved, moved], { output: 'sources', attributes: { axis: 1 } })
    graph.output('sources', 'float32', [1, 2, 16_000])
    const ran = await run({ HEF_PATH: modelFile(graph.build()), MIX_WAV: mixture() })
    assert.equal(ran.exit, 1, ran.stdout)
    assert.deepEqual(
      ran.report.gates.filter(({ status }) => status === 'fail').map(({ name }) => name),
      failed,
    )
    assert.match(ran.verdict, /answers no separate sound/)
  }
})
