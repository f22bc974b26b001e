import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import test from 'node:test'
import { readTsv } from '../lib/host/tsv.ts'
import { readWav } from '../lib/formats/wav/index.ts'
import { writeNpz } from '../lib/formats/tensors/npz.ts'
import { encodeModel } from '../lib/formats/onnx/index.ts'
import { GraphBuilder } from '../lib/onnx/builder.ts'
import { float32 } from '../lib/formats/tensors/tensor.ts'
import { recordingPaths, recordingRecipes, recordingsFolder } from '../lib/systems/monolithic/recordings.ts'
import { countOpens } from '../lib/testing/files/opens.ts'
import { installHailoStandin } from '../lib/testing/hailo-program/install-standin.ts'
import { encodeSafetensors } from '../lib/testing/formats/safetensors.ts'
import { stockWeights } from '../lib/testing/onnx/stock-weights.ts'
import { processesWith } from '../lib/testing/processes.ts'
import { until } from '../lib/testing/until.ts'
import { runInProcess, type Ran } from '../lib/testing/run-in-process.ts'
import sweep from './monolithic-sweep.ts'

const scratch = () => mkdtempSync(join(tmpdir(), 'sweep-'))
const { folder: dfc } = installHailoStandin(join(scratch(), 'venv'), { wheel: '3.33.0' })
const plan = ['--ladder', 'plan']
const host = ['--toolchain', 'host', '--no-cache', ...plan]

/** Run on the stand-in for the vendor's compiler, with one fate for all or one for each pattern of names. */
async function onStandin(fates: string | object, argv: readonly string[], cwd = scratch()): Promise<Ran> {
  process.env.HAILO_STANDIN = typeof fates === 'string' ? fates : JSON.stringify(fates)
  try {
    return await runInProcess(sweep, ['--dfc', dfc, '--no-cache', ...plan, ...argv], { cwd })
  } finally {
    delete process.env.HAILO_STANDIN
  }
}
const rows = (ran: Ran, name = 'monolithic_full_host_summary.tsv') => readTsv(ran.path(name))

test('monolithic-sweep compiles the first rung on the host, separates a shipped recording and passes', async () => {
  // The shipped recordings also calibrate: a copy of one is read for nothing but to be separated.
  const cwd = scratch()
  cpSync(recordingsFolder, cwd, { recursive: true })
  const recording = recordingPaths(cwd, recordingRecipes[0]!.name).mix
  using opens = countOpens()
  const ran = await runInProcess(sweep, [...host, '--mix-wav', recording], { cwd })
  assert.equal(ran.exit, 0, ran.stderr)
  assert.equal(opens.of(recording), 1, 'the recording is checked and separated through one open file')
  assert.match(ran.verdict, /^PASS monolithic-sweep gates=8\/8 toolchain=host run=module_runs\/\S+ next=/)
  assert.match(ran.verdict, / next="npx tsx runbooks\/monolithic-infer.ts --model /)
  assert.deepEqual(ran.lines.slice(-5, -1), [
    'HAR status: host 1/10 ; toolchain=host',
    'HEF status: host 1/10 ; winner=mono_f256_bn128_hid256_skip128_b2_r1_t16000 ; toolchain=host',
    `Runtime status: pass ; output_dir=${ran.report.run} ; toolchain=host`,
    'Next knob: none: mono_f256_bn128_hid256_skip128_b2_r1_t16000 compiled ; toolchain=host',
  ])
  assert.equal(rows(ran).length, 10)
  assert.deepEqual(
    rows(ran).map(row => row.exception_type),
    ['', ...Array.from({ length: 9 }, () => 'NotReached')],
  )
  assert.deepEqual(
    readdirSync(ran.path()).filter(name => /\.(har|hef)$/.test(name)),
    [],
  )
  const [mix, ...separated] = ['mix', 'sep_src1', 'sep_src2'].map(name => readWav(ran.path(`${name}.wav`)))
  for (const { info, channels } of [mix!, ...separated]) {
    assert.deepEqual([info.frames, info.sampleRate, info.channels], [96_000, 16_000, 1])
    assert.ok(channels[0]!.some(value => Math.abs(value) > 0.01))
  }
  const metrics = JSON.parse(ran.read('runtime_metrics.json')) as Record<string, unknown>
  assert.equal(metrics.ok, true)
  assert.equal(typeof metrics.si_sdri_db, 'number')
  assert.deepEqual(
    JSON.parse(ran.read('monolithic_full_next_knob.json')).winner,
    'mono_f256_bn128_hid256_skip128_b2_r1_t16000',
  )
  assert.match(ran.stderr, /\[1\] Choose the toolchain\n {2}toolchain: host/)
  assert.equal(ran.report.fingerprint.toolchain, 'host')
})

/** The default sweep, which two tests look at, and the folder in which it ran. */
let shared: Promise<Ran> | undefined
const defaultRun = () => (shared ??= runInProcess(sweep, ['--toolchain', 'host']))

test('monolithic-sweep takes the voices of a shipped recording apart with the largest trained network', async () => {
  const ran = await defaultRun()
  assert.equal(ran.exit, 0, ran.stderr)
  assert.equal(ran.lines.at(-5), 'HAR status: host 1/13 ; toolchain=host')
  const rows13 = rows(ran)
  assert.deepEqual([rows13.length, rows13[0]!.har_success], [13, 'host'])
  const gates = ran.report.gates.map(({ name, status }) => [name, status])
  assert.deepEqual(gates.at(-1), ['voices come apart (SI-SDRi)', 'pass'])
  const metrics = JSON.parse(ran.read('runtime_metrics.json')) as Record<string, unknown>
  assert.deepEqual(metrics.permutation, [0, 1])
})

test('monolithic-sweep takes identical cases from the cache the second time', async () => {
  const first = await defaultRun()
  const second = await runInProcess(sweep, ['--toolchain', 'host'], { cwd: first.cwd })
  assert.deepEqual([first.exit, second.exit], [0, 0], second.stderr)
  assert.doesNotMatch(first.stderr, /taken from the cache/)
  assert.match(second.stderr, /taken from the cache/)
  assert.notEqual(first.report.run, second.report.run)
})

test('monolithic-sweep compiles a decoder at the latent rate, and is blocked because that is no sound', async () => {
  const ran = await onStandin('success', ['--from', '10', '--decoder', 'conv1x1_head'])
  assert.equal(ran.exit, 3)
  assert.match(ran.stderr, /blocked {2}runtime: conv1x1_head answers at the latent rate/)
  assert.match(ran.verdict, /next="npx tsx runbooks\/monolithic-sweep.ts .*--from 10/)
  assert.doesNotMatch(ran.verdict, /conv1x1_head/)
  assert.ok(ran.lines.some(line => line.startsWith('Runtime status: blocked')))
  assert.ok(!existsSync(ran.path('sep_src1.wav')))
})

test('monolithic-sweep refuses a recording that it could not separate before it compiles anything', async () => {
  const cwd = scratch()
  const mix = join(cwd, 'mix.wav')
  writeFileSync(mix, 'ID3 and so on')
  const ran = await runInProcess(sweep, [...host, '--mix-wav', mix], { cwd })
  assert.equal(ran.exit, 2)
  assert.equal(ran.report.cells.length, 0)
})

test('monolithic-sweep is blocked with "no monolithic hef success" when every case runs out of time', async () => {
  const ran = await runInProcess(sweep, [...host, '--from', '9', '--case-timeout-min', '0.002'])
  assert.equal(ran.exit, 3)
  assert.equal(ran.lines.at(-2), 'no monolithic hef success')
  assert.deepEqual(
    rows(ran).map(row => row.exception_type),
    ['Timeout', 'Timeout'],
  )
  assert.match(ran.lines.join('\n'), /HEF status: host 0\/2 ; winner=none/)
})

test('monolithic-sweep marks cases whose calibration has another width, and names it', async () => {
  const calib = join(scratch(), 'narrow.npz')
  await writeNpz(calib, { calib_data: float32([2, 3200], new Float32Array(6400).fill(0.1)) })
  const ran = await runInProcess(sweep, [...host, '--from', '9', '--calib-npz', calib])
  assert.equal(ran.exit, 1)
  for (const row of rows(ran)) {
    assert.match(row.failure_head!, /\(N, 16000\), got \(2, 3200\)/)
    assert.equal(JSON.parse(readFileSync(`${row.failure_log}.json`, 'utf8')).signature, 'calibration_shape')
  }
})

test('monolithic-sweep stops at a broken installation, which no rung can escape, and is blocked', async () => {
  const ran = await onStandin('environment_broken_install', ['--from', '8'])
  assert.equal(ran.exit, 3, ran.stderr)
  assert.deepEqual(
    rows(ran, 'monolithic_full_hef_summary.tsv').map(row => row.exception_type === 'NotReached'),
    [false, true, true],
  )
  assert.match(ran.verdict, /^BLOCKED /)
})

test('monolithic-sweep in --dry-run names the rungs that it would try', async () => {
  const ran = await runInProcess(sweep, ['--dry-run', ...plan, '--from', '9'])
  assert.equal(ran.lines.filter(line => line.startsWith('would compile')).length, 2)
  assert.equal((await runInProcess(sweep, ['--dry-run', ...plan, '--from', '99'])).exit, 2)
})

test("monolithic-sweep tries one rung of one's own, and with --compile-only says how it gets to a board", async () => {
  const own = ['--toolchain', 'host', ...plan, '--config', 'mono_f32_bn8_hid16_skip8_b1_r1_t8000']
  const ran = await runInProcess(sweep, own)
  assert.equal(ran.exit, 0, ran.stderr)
  assert.equal(rows(ran)[0]!.input_len, '8000')
  assert.equal((await runInProcess(sweep, [...host, '--config', 'mine'])).exit, 2)
  const compiled = await runInProcess(sweep, [...own, '--compile-only'], { cwd: ran.cwd })
  assert.equal(compiled.exit, 0, compiled.stderr)
  assert.ok(!existsSync(compiled.path('sep_src1.wav')))
  assert.match(compiled.verdict, /next="scp .+\.host_compiled\.onnx.? .+\.onnx\.json.? pi@/)
  assert.match(compiled.lines.join('\n'), /^Runtime status: blocked ; output_dir=none/m)
  assert.match(compiled.lines.join('\n'), /^Board: npx tsx runbooks\/monolithic-infer\.ts --model mono_/m)
})

/** A sweep as a process. */
function start(argv: readonly string[], cwd: string, env: Record<string, string> = {}) {
  const child = spawn(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), join(import.meta.dirname, 'monolithic-sweep.ts'), ...argv],
    { cwd, env: { ...process.env, ...env } },
  )
  const out = { stdout: '', stderr: '' }
  child.stdout.on('data', text => {
    out.stdout += String(text)
  })
  child.stderr.on('data', text => {
    out.stderr += String(text)
  })
  return { child, out, ended: new Promise<number | null>(leave => child.on('close', leave)) }
}
const onDfc = ['--dfc', dfc, '--no-cache', ...plan]

test('monolithic-sweep on Ctrl-C in a case ends the compiler, writes every row and leaves with 130', async () => {
  const cwd = scratch()
  const { child, out, ended } = start([...onDfc, '--run-ts', 'c'], cwd, { HAILO_STANDIN: 'hang' })
  const folder = join(cwd, 'module_runs/c')
  const isHanging = () =>
    existsSync(folder) &&
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).some(at => at.endsWith('hanging.json'))
  await until(isHanging, () => out.stderr)
  child.kill('SIGINT')
  assert.equal(await ended, 130, out.stderr)
  assert.match(
    out.stdout.trimEnd().split('\n').at(-1)!,
    /^INTERRUPTED monolithic-sweep .*next="npx tsx .*runbooks\/monolithic-sweep.ts.* --resume module_runs\/c[ "]/,
  )
  assert.match(out.stdout, /^HAR status: \d\/10\nHEF status: 0\/10 ; winner=none\nRuntime status: fail/m)
  assert.ok(existsSync(join(folder, 'monolithic_full_next_knob.json')))
  const written = readTsv(join(folder, 'monolithic_full_hef_summary.tsv'))
  assert.equal(written.length, 10)
  assert.equal(written[0]!.hef_success, 'false')
  assert.deepEqual(processesWith(folder), [])
})

test('monolithic-sweep killed in the middle loses no finished row when it is resumed', async () => {
  const cwd = scratch()
  const argv = ['--profile', 'extended', '--from', '8']
  const fates = JSON.stringify({ 'mono_f96_bn24.*': 'hang' })
  const { child, out, ended } = start([...onDfc, ...argv, '--run-ts', 'k'], cwd, { HAILO_STANDIN: fates })
  await until(
    () => /1\/3 .* succeeded/.test(out.stderr),
    () => out.stderr,
  )
  child.kill('SIGKILL')
  await ended
  const ran = await onStandin('success', [...argv, '--resume', 'k', '--run-ts', 'r'], cwd)
  assert.match(ran.stderr, /1\/3 \S+ succeeded taken from the earlier run/)
  const written = rows(ran, 'monolithic_full_hef_summary.tsv')
  assert.deepEqual(
    written.map(row => row.hef_success),
    ['true', 'true', 'true'],
    ran.stderr,
  )
  assert.ok(existsSync(resolve(cwd, written[0]!.hef_path!)))
})

test('monolithic-sweep twice at once in one folder gives two whole runs', async () => {
  const cwd = scratch()
  const argv = ['--dfc', dfc, ...plan, '--from', '10', '--compile-only', '--run-ts', 'same']
  const runs = await Promise.all(
    [1, 2].map(async () => {
      const { ended, out } = start(argv, cwd, { HAILO_STANDIN: 'success' })
      return { exit: await ended, out }
    }),
  )
  assert.deepEqual(
    runs.map(({ exit }) => exit),
    [0, 0],
    runs.map(({ out }) => out.stderr).join('\n'),
  )
  const folders = readdirSync(join(cwd, 'module_runs')).filter(name => name.startsWith('same'))
  assert.deepEqual(folders.toSorted(), ['same', 'same-2'])
  for (const folder of folders) {
    const [row] = readTsv(join(cwd, 'module_runs', folder, 'monolithic_full_hef_summary.tsv'))
    assert.ok(existsSync(resolve(cwd, row!.hef_path!)), folder)
  }
})

const canMount = process.getuid?.() === 0 && process.platform === 'linux'
test(
  'monolithic-sweep on a full disk is blocked, says so, and still gives its verdict',
  { skip: canMount ? false : 'tool: mounting a small disk needs root' },
  async t => {
    const disk = scratch()
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=700k', 'tmpfs', disk])
    } catch {
      return t.skip('tool: mounting is not allowed here')
    }
    try {
      const ran = await runInProcess(sweep, [...host, '--out-dir', disk])
      assert.equal(ran.exit, 3, ran.stderr)
      assert.match(ran.stderr, /ENOSPC/)
      assert.match(ran.verdict, /^BLOCKED monolithic-sweep .*the disk is full/)
    } finally {
      execFileSync('umount', ['-l', disk])
    }
  },
)

test('monolithic-sweep refuses input that is absent or malformed before it makes a run folder', async () => {
  const cwd = scratch()
  const cases = [
    { argv: ['--calib-npz', 'nowhere.npz'], exit: 3 },
    { argv: ['--mix-wav', 'nowhere.wav'], exit: 3 },
    { argv: ['--profile', 'x'], exit: 2 },
    { argv: ['--time-limit-min', '-3'], exit: 2 },
    { argv: ['--laddr', 'plan'], exit: 2 },
  ]
  for (const { argv, exit } of cases)
    assert.equal((await runInProcess(sweep, argv, { cwd })).exit, exit, argv.join(' '))
  assert.ok(!existsSync(join(cwd, 'module_runs')))
  assert.equal((await runInProcess(sweep, [...plan, '--from', '11'], { cwd })).exit, 2)
  assert.equal((await runInProcess(sweep, ['--resume', 'nowhere'], { cwd })).exit, 2)
  assert.equal((await runInProcess(sweep, ['--hw-arch', 'hailo9'], { cwd })).exit, 2)
})

test("monolithic-sweep drives the vendor's compiler when it is found", async () => {
  const ran = await onStandin({ 'mono_f256_bn128.*': 'allocator_infeasible' }, ['--until', '3'])
  assert.equal(ran.exit, 3, ran.stderr)
  assert.match(
    ran.verdict,
    /^BLOCKED monolithic-sweep .*toolchain=dfc .*next="npx tsx runbooks\/monolithic-infer.ts --model .+\.hef.?"/,
  )
  const written = rows(ran, 'monolithic_full_hef_summary.tsv')
  assert.deepEqual(
    written.map(row => [row.har_success, row.hef_success, row.exception_type]),
    [
      ['true', 'false', 'BackendAllocatorException'],
      ['true', 'true', ''],
      ['false', 'false', 'NotReached'],
    ],
  )
  assert.ok(ran.lines.includes('HEF status: 1/3 ; winner=mono_f256_bn96_hid192_skip96_b2_r1_t16000'), ran.stdout)
  assert.match(ran.stderr, /install it .*export HAILORT_LIB=.*pyhailort\/hailo_platform, is not needed/)
})

test('monolithic-sweep proposes the temporal ladder, as a command', async () => {
  const evidence = await onStandin('allocator_infeasible', ['--from', '9'])
  assert.equal(evidence.exit, 1, evidence.stderr)
  assert.match(evidence.verdict, /next="npx tsx runbooks\/monolithic-sweep.ts .*--ladder temporal/)
  assert.ok(evidence.lines.includes('Next knob: --ladder temporal'))
  // The same outcomes, judged in the plan's order.
  const again = ['--from', '9', '--knob', 'plan', '--resume', basename(evidence.report.run)]
  const byPlan = await onStandin('success', again, evidence.cwd)
  assert.ok(byPlan.lines.includes('Next knob: reduce hid_chan: 48 -> 32'), byPlan.stdout)
  assert.match(byPlan.verdict, /--config mono_f64_bn24_hid32_skip24_b1_r1_t16000/)
  assert.equal(JSON.parse(byPlan.read('monolithic_full_next_knob.json')).next_knob, 'reduce hid_chan: 48 -> 32')
})

test('monolithic-sweep takes models of your own: int8, compiled, measured, and explained where one fails', async () => {
  const cwd = scratch()
  const graph = new GraphBuilder({ name: 'mine' })
  const [x, state] = [graph.input('x', 'float32', ['N', 1, 'T']), graph.input('state', 'float32', [1, 1, 1])]
  const weights = Float32Array.from({ length: 64 * 64 }, (_, i) => Math.sin(i))
  const scaled = graph.node('MatMul', [x, graph.weight('gain', float32([64, 64], weights))], { name: 'scale' })
  graph.node('Add', [scaled, state], { name: 'sum', output: 'y' })
  graph.output('y', 'float32', ['N', 1, 'T'])
  writeFileSync(join(cwd, 'mine.onnx'), encodeModel(graph.build()))
  const argv = [...host, '--model', join(cwd, 'mine.onnx'), '--shape', 'x=1x1x64']
  const ran = await runInProcess(sweep, argv, { cwd })
  assert.equal(ran.exit, 0, ran.stderr)
  const [row] = readTsv(ran.path('models_summary.tsv'))
  assert.deepEqual([row!.status, row!.stage], ['succeeded', 'compiled'])
  assert.ok(Number(row!.snr_db) > 20 && Number(row!.latency_ms) > 0 && existsSync(row!.compiled_path!))
  assert.match(ran.stderr, /int8 against float32, mine \(on random numbers\)/)
  const open = await runInProcess(sweep, argv.slice(0, -2), { cwd })
  assert.equal(open.exit, 2)
  assert.match(open.stderr, /Cannot fix "x".*T is open/)
  assert.match(open.verdict, /hint="give --shape x=1x1x16000"/)
})

test("monolithic-sweep authors Asteroid's network of --weights with its norms over the whole window", async () => {
  const cwd = scratch()
  const tensors = new Map([...stockWeights('Asteroid')].map(([name, read]) => [name, read()]))
  writeFileSync(join(cwd, 'asteroid.safetensors'), encodeSafetensors(tensors))
  const weights = ['--toolchain', 'host', '--no-cache', '--weights', join(cwd, 'asteroid.safetensors')]
  const unsaid = await runInProcess(sweep, weights, { cwd })
  assert.equal(unsaid.exit, 2)
  assert.match(unsaid.stdout, /hint="say it: --config mono_f6_bn4_hid5_skip3_b4_r1_t4000_k4_s2 --mask-act sigmoid"/)
  const said = ['--config', 'mono_f6_bn4_hid5_skip3_b4_r1_t4000_k4_s2', '--mask-act', 'sigmoid']
  const ran = await runInProcess(sweep, [...weights, ...said], { cwd })
  assert.match(ran.verdict, /^(PASS|FAIL) monolithic-sweep gates=[12]\/2 /, ran.stderr)
  assert.match(ran.stderr, /it equals the trained network on recordings of that length/)
  assert.match(ran.stderr, /assumed: the norm is gLN/)
  const [row] = readTsv(ran.path('models_summary.tsv'))
  assert.deepEqual([row!.status, row!.stage], ['succeeded', 'compiled'])
})
