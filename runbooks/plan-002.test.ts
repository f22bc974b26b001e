/** Plan 002 (HailoRT sidecar), item by item: every requirement, variable, error, file, test and target by its name. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { compilerConfig } from '../lib/systems/edgeinfer/compile/artifacts.ts'
import { edgeinferContract } from '../lib/systems/edgeinfer/contract.ts'
import { composeOf } from '../lib/systems/edgeinfer/deploy/render.ts'
import { readExportConfig } from '../lib/systems/edgeinfer/export/config.ts'
import { Sidecar, type SidecarOptions } from '../lib/systems/edgeinfer/sidecar/sidecar.ts'
import { makeExport } from '../lib/testing/edgeinfer/exports.ts'
import { runInProcess } from '../lib/testing/run-in-process.ts'
import serve from './edgeinfer-serve.ts'

const home = mkdtempSync(join(tmpdir(), 'plan-002-'))
const { gates, load, model, names } = edgeinferContract()
const options = (hef: string, more: Partial<SidecarOptions> = {}): SidecarOptions => ({
  host: '127.0.0.1',
  port: 0,
  modelPath: () => hef,
  backend: 'auto',
  useRealModel: true,
  motifs: model.motifs,
  slots: 1,
  ...more,
})
let real: Sidecar
let missing: Sidecar
test.before(async () => {
  await makeExport(join(home, 'exports'))
  real = await Sidecar.start(options(join(home, 'exports/tcn_encoder.onnx')))
  missing = await Sidecar.start(options(join(home, 'artifacts/tcn_encoder.hef')))
})
test.after(async () => {
  await real.drain(0)
  await missing.drain(0)
  rmSync(home, { recursive: true, force: true })
})

const row = (value: unknown) => Array.from({ length: 9 }, () => value)
const window = (value: unknown = 0) => Array.from({ length: 100 }, () => row(value))
const post = (sidecar: Sidecar, payload: unknown) =>
  sidecar.app.inject({
    method: 'POST',
    url: '/infer',
    headers: { 'content-type': 'application/json', 'x-deadline-ms': '60000' },
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  })
const refused = async (payload: unknown) => {
  const answer = await post(real, payload)
  assert.equal(answer.statusCode, 400)
  const { error } = answer.json() as { error: Record<string, string> }
  assert.ok(error.message && error.schema_hint)
  return error.code
}
/** What the runbook serves for a moment with these variables, and its `/status` then. */
async function serving(variables: Readonly<Record<string, string>>) {
  const env = { EDGEINFER_HOME: home, SIDECAR_HOST: '127.0.0.1', SIDECAR_PORT: '0', TELEMETRY: 'false', ...variables }
  const ran = await runInProcess(serve, ['--for', '0.05'], { env })
  return { exit: ran.exit, status: JSON.parse(ran.read('status.json')) as Record<string, unknown> }
}
const compose = composeOf({ image: 'x', device: '/dev/hailo0', port: 9000 }).services['hailo-inference']!

/** Section of the plan, what it asks for, and whether it holds. */
const items: readonly (readonly [string, string, () => unknown])[] = [
  [
    'Requirement 1',
    'latent 64 and motif_scores of NUM_MOTIFS',
    async () => {
      const body = (await post(real, { x: window() })).json() as Record<string, number[]>
      assert.deepEqual([body.latent!.length, body.motif_scores!.length], [64, model.motifs])
    },
  ],
  [
    'Requirement 1',
    'wrong shapes are 400',
    async () => {
      assert.equal(await refused({ x: window().slice(1) }), 'invalid_shape')
      assert.equal(await refused({ x: [...window().slice(1), row(0).slice(1)] }), 'invalid_shape')
    },
  ],
  [
    'Requirement 1',
    'NaN and other non-finite values are 400',
    async () => {
      assert.equal(await refused(JSON.stringify({ x: window(7) }).replace('7', '1e999')), 'non_finite')
      assert.equal(await refused(JSON.stringify({ x: window(7) }).replace('7', 'NaN')), 'invalid_json')
      assert.equal(await refused({ x: window(null) }), 'invalid_value')
    },
  ],
  [
    'Requirement 2',
    'health with the model name, ready before /infer',
    async () => {
      const body = (await real.app.inject({ url: '/healthz' })).json() as Record<string, unknown>
      assert.deepEqual([body.ok, body.model], [true, 'tcn_encoder'])
    },
  ],
  [
    'Requirement 2',
    'metrics: requests, latency histogram, model_loaded gauge',
    async () => {
      const page = (await real.app.inject({ url: '/metrics' })).body
      for (const name of ['hailo_inference_requests_total', 'hailo_inference_duration_seconds', 'hailo_model_loaded'])
        assert.ok(page.includes(`# TYPE ${name} `), name)
    },
  ],
  [
    'Requirement 2',
    'without a HEF health shows ok false, and the reason',
    async () => {
      const answer = await missing.app.inject({ url: '/healthz' })
      const body = answer.json() as Record<string, unknown>
      assert.deepEqual([answer.statusCode, body.ok], [503, false])
      assert.ok(String(body.reason).length > 10)
    },
  ],
  [
    'Error handling',
    'invalid JSON is 400 with a message and a schema hint',
    async () => {
      assert.equal(await refused('{'), 'invalid_json')
      assert.equal(await refused({}), 'missing_x')
    },
  ],
  [
    'Error handling',
    'a model that failed to load is 503 model_unavailable',
    async () => {
      const answer = await post(missing, { x: window() })
      assert.equal(answer.statusCode, 503)
      assert.equal((answer.json() as { error: { code: string } }).error.code, 'model_unavailable')
    },
  ],
  [
    'Performance',
    'p95 < 50 ms, at least 20 windows a second',
    () => {
      assert.deepEqual([gates.latencyP95MsMax, gates.windowsPerSecondMin], [50, 20])
    },
  ],
  ['Testing strategy', 'load test with 2k windows', () => assert.equal(load.windows, 2000)],
  [
    'Integration',
    'HEF_PATH and NUM_MOTIFS choose the model',
    async () => {
      const hef = join(home, 'exports/tcn_encoder_sliced.onnx')
      const asked = { HEF_PATH: hef, MODEL_BACKEND: 'ort', LOG_LEVEL: 'debug', WORKERS: '1' }
      const { exit, status } = await serving({ ...asked, NUM_MOTIFS: '12' })
      assert.equal(exit, 0)
      assert.deepEqual(status.model, { ...(status.model as object), path: hef, backend: 'ort' })
      const other = await serving({ ...asked, NUM_MOTIFS: '7' })
      assert.equal(other.exit, 1)
      assert.match(String(other.status.reason), /12 motifs, and NUM_MOTIFS is 7/)
    },
  ],
  [
    'Files',
    'hailo_models/tcn_encoder.yaml: shapes and calibration',
    async () => {
      assert.equal(names.compilerConfig, 'tcn_encoder.yaml')
      const config = await readExportConfig(join(home, 'exports'))
      const compiled = {
        form: 'nchw',
        toolchain: 'dfc',
        toolchainVersion: '3.31',
        hwArch: 'hailo8',
        calibrationWindows: 64,
      } as const
      const text = await compilerConfig(compiled, config)
      for (const word of ['input_shape', 'end_nodes', 'calibration_windows: 64', 'exports/tcn_encoder'])
        assert.ok(text.includes(word), word)
    },
  ],
  ['Files', 'exports/tcn_encoder.onnx', () => assert.ok(existsSync(join(home, 'exports/tcn_encoder.onnx')))],
  [
    'Phase 1',
    'a stub that serves the shapes without a model',
    async () => {
      const stub = await Sidecar.start(options('', { useRealModel: false }))
      const body = (await post(stub, { x: window() })).json() as Record<string, number[]>
      assert.deepEqual([body.latent!.length, body.motif_scores!.length], [64, model.motifs])
      await stub.drain(0)
    },
  ],
  [
    'Phase 2',
    'startup and shutdown: a golden self-test before it is ready, a drain at the end',
    async () => {
      assert.ok(real.life!.state.selfTest!.cosineMin >= gates.exportCosineMin)
      assert.equal(await (await Sidecar.start(options('', { useRealModel: false }))).drain(100), 0)
    },
  ],
  [
    'Phase 3',
    'docker-compose.yml with /dev/hailo0 and artifacts read-only',
    () => {
      assert.deepEqual(compose.devices, ['/dev/hailo0:/dev/hailo0'])
      assert.ok(compose.volumes!.some(volume => volume.startsWith('./artifacts:') && volume.endsWith(':ro')))
    },
  ],
  [
    'Rollback',
    'USE_REAL_MODEL=false',
    async () => {
      const { exit, status } = await serving({ USE_REAL_MODEL: 'false' })
      assert.deepEqual([exit, status.stub, status.ready, status.model], [3, true, true, null])
    },
  ],
  [
    'Decision points',
    'static batch of one, 12 motifs',
    () => {
      assert.equal(model.motifs, 12)
      const text = readFileSync(join(home, 'exports', names.exportConfig), 'utf8')
      assert.match(text, /motif_logits: 12/)
    },
  ],
]

test('every item of plan 002 holds', async t => {
  for (const [section, what, check] of items) await t.test(`${section}: ${what}`, async () => void (await check()))
})
