import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { encodeModel } from '../lib/formats/onnx/index.ts'
import { float32 } from '../lib/formats/tensors/tensor.ts'
import { GraphBuilder } from '../lib/onnx/builder.ts'
import { readTsv } from '../lib/host/tsv.ts'
import { monolithicContract } from '../lib/systems/monolithic/contract.ts'
import { installHailoStandin } from '../lib/testing/hailo-program/install-standin.ts'
import { runInProcess, type Ran } from '../lib/testing/run-in-process.ts'
import { shellWords } from '../lib/testing/shell-words.ts'
import ramp from './monolithic-ramp.ts'

const { files, tsv } = monolithicContract()
const root = mkdtempSync(join(tmpdir(), 'monolithic-ramp-'))
after(() => rmSync(root, { recursive: true, force: true }))
const scratch = () => mkdtempSync(join(root, 'cwd-'))
const small = ['--ladder', 'plan', '--rung', '10', '--n-blocks', '2', '--n-repeats', '1']
const rows = (ran: Ran) => readTsv(ran.path(files.rampSummary))
const sidecar = (ran: Ran) => JSON.parse(ran.read('monolithic_prefix_boundary.json')) as Record<string, unknown>
const name = 'mono_f64_bn24_hid48_skip24_b2_r1_t16000'

/** Run on the stand-in for the vendor's compiler, which gives each net its fate by name. */
async function onStandin(
  argv: readonly string[],
  fates: Readonly<Record<string, string>>,
  cwd = scratch(),
): Promise<Ran> {
  const { folder } = installHailoStandin(join(cwd, 'venv'), { wheel: '3.33.0' })
  process.env.HAILO_STANDIN = JSON.stringify(fates)
  try {
    return await runInProcess(ramp, ['--dfc', folder, ...argv], { cwd })
  } finally {
    delete process.env.HAILO_STANDIN
  }
}

test('monolithic-ramp passes on the host: every prefix compiles, and the line says on what', async () => {
  const ran = await runInProcess(ramp, ['--toolchain', 'host', ...small], { cwd: scratch() })
  assert.equal(ran.exit, 0, ran.stderr)
  assert.equal(ran.lines.at(-2), `Ramp boundary: last pass=${name}_repeats ; first fail=none ; toolchain=host`)
  assert.match(ran.verdict, /^PASS monolithic-ramp gates=1\/1 toolchain=host run=\S+ next=/)
  assert.match(ran.verdict, / next="npx tsx runbooks\/monolithic-ramp.ts .*--toolchain dfc"$/)
  assert.deepEqual(Object.keys(rows(ran)[0]!), [...tsv.rampColumns])
  assert.deepEqual(
    rows(ran).map(row => [row.stage, row.hef_success]),
    [
      ['prefix_bypass', 'host'],
      ['truncate', 'host'],
      ['truncate', 'host'],
      ['blocks', 'host'],
      ['blocks', 'host'],
      ['repeats', 'host'],
    ],
  )
  for (const row of rows(ran))
    for (const path of [row.har_path, row.hef_path, row.har_log, row.hef_log]) assert.ok(existsSync(path!), path)
  assert.equal([...ran.stderr.matchAll(/taken from the cache/g)].length, 3, 'equal prefixes are compiled once')
  assert.deepEqual([sidecar(ran).answered, sidecar(ran).first_fail, sidecar(ran).toolchain], [true, null, 'host'])
  assert.ok(readdirSync(ran.path()).includes('report.html'))
})

test("monolithic-ramp cuts the host's graph after a node, calibrates it and compiles it", async () => {
  const ran = await runInProcess(ramp, ['--toolchain', 'host', '--by', 'end-nodes', '--search', 'bisect', ...small], {
    cwd: scratch(),
  })
  assert.equal(ran.exit, 0, ran.stderr)
  assert.equal(sidecar(ran).last_pass, `${name}_end_decoder`)
  assert.deepEqual([sidecar(ran).run, sidecar(ran).configured], [1, 25])
  assert.equal(rows(ran).length, 25)
})

test('monolithic-ramp names the same boundary in order and by halves', async () => {
  const fates = { '.*_k[3-8]': 'allocator' }
  const argv = ['--ladder', 'plan', '--rung', '10', '--by', 'truncate']
  const cwd = scratch()
  for (const search of ['linear', 'bisect']) {
    const ran = await onStandin([...argv, '--search', search], fates, cwd)
    assert.equal(ran.exit, 0, ran.stderr)
    const base = 'mono_f64_bn24_hid48_skip24_b4_r2_t16000'
    assert.equal(ran.lines.at(-2), `Ramp boundary: last pass=${base}_k2 ; first fail=${base}_k3`)
    assert.match(
      ran.verdict,
      /^PASS .* toolchain=dfc .*--by end-nodes --search bisect --ladder plan --rung 10 --n-blocks 3 --n-repeats 1/,
    )
    assert.equal(rows(ran).length, 9)
    assert.deepEqual([sidecar(ran).bucket, sidecar(ran).run], ['allocator_infeasible', search === 'linear' ? 4 : 5])
    const words = shellWords(String(sidecar(ran).next)).slice(3)
    assert.equal((await runInProcess(ramp, [...words, '--dry-run'], { cwd: ran.cwd })).exit, 0)
  }
})

test('monolithic-ramp finds the first failing node, and then proposes a change of the network', async () => {
  const failing = '.*_end_(masker_blocks_1_.*|masker_mask|masker_sigmoid|apply_mask|decoder)'
  const ran = await onStandin(['--by', 'end-nodes', '--search', 'bisect', ...small], { [failing]: 'allocator' })
  assert.equal(ran.exit, 0, ran.stderr)
  assert.equal(
    ran.lines.at(-2),
    `Ramp boundary: last pass=${name}_end_masker_blocks_0_add_residual ; first fail=${name}_end_masker_blocks_1_expand`,
  )
  assert.match(ran.verdict, /monolithic-sweep.ts --ladder temporal/)
})

test('monolithic-ramp is blocked, with every row, when a time-out leaves the question open', async () => {
  // The second run takes from the cache what passed in the first.
  const cwd = scratch()
  for (const [fate, next] of [
    ['hang', /--case-timeout-min 60/],
    ['disk_full', /explain-log\.ts --log \S+_k2/],
  ] as const) {
    const argv = ['--by', 'truncate', '--case-timeout-min', '0.25', ...small]
    const ran = await onStandin(argv, { '.*_k2': fate }, cwd)
    assert.equal(ran.exit, 3, ran.stderr)
    assert.match(ran.verdict, /^BLOCKED monolithic-ramp gates=0\/1 /)
    assert.match(ran.verdict, next)
    assert.match(ran.lines.at(-2)!, /last pass=\S+_k1 ; first fail=unknown$/)
    assert.equal(rows(ran).length, 3)
  }
})

test('monolithic-ramp resumes an earlier run', async () => {
  const cwd = scratch()
  const argv = ['--by', 'truncate', '--no-cache', ...small]
  const first = await onStandin([...argv, '--search', 'bisect', '--run-ts', 'r1'], { '.*_k2': 'allocator' }, cwd)
  const second = await onStandin([...argv, '--resume', 'r1'], { '.*_k2': 'success' }, cwd)
  assert.deepEqual([first.exit, second.exit], [0, 0], second.stderr)
  assert.deepEqual(sidecar(second).first_fail, `${name}_k2`)
  assert.match(second.stderr, /_k2 failed taken from the earlier run/)
})

test('monolithic-ramp lists its prefixes in --dry-run, and refuses what does not fit together', async () => {
  const cwd = scratch()
  const dry = await runInProcess(ramp, ['--dry-run', '--by', 'repeats', '--ladder', 'plan', '--rung', '10'], { cwd })
  assert.equal(dry.exit, 0)
  assert.deepEqual(
    dry.lines.filter(line => line.startsWith('would ')),
    [
      'would compile mono_f64_bn24_hid48_skip24_b4_r2_t16000_bypass (prefix_bypass)',
      'would compile mono_f64_bn24_hid48_skip24_b4_r1_t16000_repeats (repeats)',
      'would compile mono_f64_bn24_hid48_skip24_b4_r2_t16000_repeats (repeats)',
    ],
  )
  for (const argv of [
    ['--rung', '0'],
    ['--by', 'layers'],
    ['--n-blocks', '1.5'],
    ['--calib-npz', 'nowhere.npz'],
  ]) {
    const ran = await runInProcess(ramp, argv, { cwd })
    assert.ok(ran.exit === 2 || (ran.exit === 3 && argv[1] === 'nowhere.npz'), `${argv.join(' ')}: ${ran.exit}`)
  }
  assert.ok(!existsSync(join(cwd, 'module_runs')))
  const rung = await runInProcess(ramp, ['--ladder', 'plan', '--rung', '11'], { cwd })
  assert.deepEqual([rung.exit, /--rung 1 to 10/.test(rung.verdict)], [2, true])
})

test('monolithic-ramp --help says what it asks and how', async () => {
  const { stdout, exit } = await runInProcess(ramp, ['--help'], { cwd: scratch() })
  assert.equal(exit, 0)
  for (const word of [
    'which is the first prefix',
    '--by <prefixes|truncate|blocks|repeats|end-nodes>',
    '--search <linear|bisect>',
    '--n-repeats',
    'PROFILE',
  ])
    assert.ok(stdout.includes(word), word)
})

/**
 * sound[N, 1, 1, T] and a state over four nodes in two branches to two outputs. The stand-in of Hailo's parser takes
 * one input, so there the state is a weight.
 */
function ownModel({ inputs = 2 } = {}): string {
  const graph = new GraphBuilder({ name: 'mine' })
  const sound = graph.input('sound', 'float32', ['N', 1, 1, 'T'])
  const state =
    inputs === 2 ? graph.input('state', 'float32', [1, 1, 1, 1]) : graph.weight('state', float32([1, 1, 1, 1], [0.5]))
  const weight = graph.weight(
    'w',
    float32(
      [8, 1, 1, 3],
      Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)),
    ),
  )
  const attributes = { kernel_shape: [1, 3], pads: [0, 1, 0, 1], strides: [1, 1], dilations: [1, 1], group: 1 }
  const hidden = graph.node('Conv', [sound, weight], { name: 'front/conv', attributes, output: 'h' })
  graph.node('Relu', [hidden], { name: 'relu', output: 'early' })
  const moved = graph.node('Add', [hidden, state], { name: 'shift', output: 'moved' })
  graph.node('Sigmoid', [moved], { name: 'mask', output: 'late' })
  graph.output('early', 'float32', ['N', 8, 1, 'T'])
  graph.output('late', 'float32', ['N', 8, 1, 'T'])
  const path = join(mkdtempSync(join(tmpdir(), 'ramp-own-')), 'mine.onnx')
  writeFileSync(path, encodeModel(graph.build()))
  return path
}

test("monolithic-ramp --model names the first node of one's own graph that fails, by halves", async () => {
  const argv = ['--no-cache', '--model', ownModel({ inputs: 1 }), '--shape', 'sound=1x1x1x64']
  const ran = await onStandin(argv, { 'mine_[34]_.*': 'allocator_infeasible' })
  assert.match(ran.verdict, /^PASS monolithic-ramp gates=1\/1 toolchain=dfc /, ran.stderr)
  assert.ok(ran.lines.includes('Ramp boundary: last pass=mine_2_relu ; first fail=mine_3_shift'), ran.stdout)
  assert.ok(ran.lines.includes('First failing node: shift (Add) -> moved float32[1, 8, 1, 64]'), ran.stdout)
  assert.match(ran.stdout, /end the graph at h, early \(.+mine_2_relu\.onnx\)/)
  assert.match(ran.verdict, /explain-log\.ts --log .+mine_3_shift/)
  const asked = readTsv(ran.path('model_ramp_summary.tsv'))
  assert.deepEqual(
    asked.map(({ node, status }) => [node, status]),
    [
      ['front/conv', 'not-reached'],
      ['relu', 'succeeded'],
      ['shift', 'failed'],
      ['mask', 'failed'],
    ],
  )
})

test('monolithic-ramp --model passes on the host, and leaves a time-out open', async () => {
  const own = ['--toolchain', 'host', '--no-cache', '--model', ownModel(), '--shape', 'sound=1x1x1x64']
  const ran = await runInProcess(ramp, own)
  assert.match(ran.verdict, /^PASS monolithic-ramp gates=1\/1 toolchain=host /, ran.stderr)
  assert.ok(ran.lines.includes('Ramp boundary: last pass=mine_4_mask ; first fail=none ; toolchain=host'), ran.stdout)
  const late = await runInProcess(ramp, [...own, '--case-timeout-min', '0.001'])
  assert.match(late.verdict, /^BLOCKED monolithic-ramp gates=0\/1 /)
  assert.doesNotMatch(late.stdout, /First failing node/)
})

test('monolithic-ramp --model refuses two models, an open shape, and a file that is none', async () => {
  const own = ownModel()
  const refused = async (words: readonly string[], message: RegExp) => {
    const ran = await runInProcess(ramp, ['--toolchain', 'host', ...words])
    assert.equal(ran.exit, 2, ran.stderr)
    assert.match(ran.stderr, message)
  }
  await refused(['--model', `${own},${own}`], /Cannot climb 2 models at once/)
  await refused(['--model', own], /T is open/)
  await refused(['--model', import.meta.filename], /ONNX/)
})
