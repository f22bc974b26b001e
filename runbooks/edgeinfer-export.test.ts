import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { runInProcess } from '../lib/testing/run-in-process.ts'
import compile from './edgeinfer-compile.ts'
import deploy from './edgeinfer-deploy.ts'
import load from './edgeinfer-load.ts'
import parity from './edgeinfer-parity.ts'
import select from './edgeinfer-select.ts'
import serve from './edgeinfer-serve.ts'
import write from './edgeinfer-export.ts'

const home = join(mkdtempSync(join(tmpdir(), 'edgeinfer-')), 'home')
const env = { EDGEINFER_HOME: home }
test.after(() => rmSync(home, { recursive: true, force: true }))

test('the EdgeInfer runbooks pass one after another, each with what the one before made', async t => {
  await t.test('before the export everything is blocked, and says what comes first', async () => {
    for (const book of [parity, load]) {
      const { exit, stderr } = await runInProcess(book as typeof parity, [], { env })
      assert.equal(exit, 3, book.id)
      assert.match(stderr, /first: npx tsx runbooks\/edgeinfer-export\.ts/)
    }
  })
  await t.test('export', async () => {
    const ran = await runInProcess(write, [], { env })
    assert.equal(ran.exit, 0, ran.stderr)
    assert.match(ran.verdict, /^PASS edgeinfer-export gates=3\/3 /)
    assert.match(ran.read('card.md'), /\| ax \| m\/s2 \| 7\.903189 \| 4\.039788 \|/)
    for (const name of ['tcn_encoder.onnx', 'tcn_encoder_nchw.onnx', 'export_config.yaml', 'golden.npz'])
      assert.ok(existsSync(join(home, 'exports', name)), name)
  })
  await t.test('export again gives the same bytes', async () => {
    const before = readFileSync(join(home, 'exports/export_config.yaml'), 'utf8')
    await runInProcess(write, [], { env })
    assert.equal(readFileSync(join(home, 'exports/export_config.yaml'), 'utf8'), before)
  })
  await t.test('compile on the host', async () => {
    const ran = await runInProcess(compile, ['--toolchain', 'host', '--calibration', '40'], { env })
    assert.equal(ran.exit, 0, ran.stderr)
    assert.match(ran.verdict, /toolchain=host/)
    for (const name of ['tcn_encoder_host.onnx', 'tcn_encoder_host.onnx.json', 'tcn_encoder.yaml'])
      assert.ok(existsSync(join(home, 'artifacts', name)), name)
  })
  await t.test('parity of the export and of the compiled model', async () => {
    for (const [argv, gates] of [
      [[], 4],
      [['--model', join(home, 'artifacts/tcn_encoder_host.onnx')], 3],
    ] as const) {
      const ran = await runInProcess(parity, argv, { env })
      assert.equal(ran.exit, 0, ran.stderr)
      assert.match(ran.verdict, new RegExp(`gates=${gates}/${gates}`))
    }
  })
  await t.test('serve for a moment, and the stub is BLOCKED', async () => {
    const ran = await runInProcess(serve, ['--port', '0', '--host', '127.0.0.1', '--for', '0.2'], { env })
    assert.equal(ran.exit, 0, ran.stderr)
    const stub = await runInProcess(serve, ['--port', '0', '--for', '0.1'], {
      env: { ...env, USE_REAL_MODEL: 'false' },
    })
    assert.equal(stub.exit, 3)
  })
  await t.test('load answers every window rightly', async () => {
    const ran = await runInProcess(load, ['--windows', '40', '--rate', '40', '--stress=false'], { env })
    const gates = new Map(ran.report.gates.map(({ name, status }) => [name, status]))
    // Latency and rate are the machine's; whether answers are right is not.
    for (const name of ['wrong answers, under stress too', 'failures that are no refusal, under stress too'])
      assert.equal(gates.get(name), 'pass', name)
  })
  await t.test('select finds windows in the telemetry of the load', async () => {
    const ran = await runInProcess(select, ['--seeds', '2', '--count', '5'], { env })
    assert.ok([0, 1].includes(ran.exit), ran.stderr)
    const manifest = JSON.parse(readFileSync(join(home, 'al/manifest.json'), 'utf8')) as { items: { label: null }[] }
    assert.equal(manifest.items.length, 5)
    assert.ok(manifest.items.every(({ label }) => label === null))
  })
  await t.test('deploy renders and checks, and writes only with --apply', async () => {
    const folder = join(home, 'board')
    const argv = ['--folder', folder]
    assert.equal((await runInProcess(deploy, argv, { env })).exit, 0)
    assert.ok(!existsSync(folder))
    assert.equal((await runInProcess(deploy, [...argv, '--apply'], { env })).exit, 0)
    assert.match(readFileSync(join(folder, 'docker-compose.yml'), 'utf8'), /hailo-inference:/)
  })
})
