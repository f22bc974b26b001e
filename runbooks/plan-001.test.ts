/** Plan 001 (ADR-0007), item by item: every route, key, variable, file, folder and threshold by its name. */
import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { RunbookError } from '../lib/base/errors.ts'
import { composeOf, renderDeployment } from '../lib/systems/edgeinfer/deploy/render.ts'
import { apiContract } from '../lib/systems/edgeinfer/sidecar/interface/documents.ts'
import { edgeinferContract } from '../lib/systems/edgeinfer/contract.ts'
import { openEngine } from '../lib/systems/edgeinfer/model/engine.ts'
import { Sidecar } from '../lib/systems/edgeinfer/sidecar/sidecar.ts'
import { listSegments } from '../lib/serve/telemetry/segments.ts'
import { makeExport } from '../lib/testing/edgeinfer/exports.ts'
import { runInProcess } from '../lib/testing/run-in-process.ts'
import compile from './edgeinfer-compile.ts'
import load from './edgeinfer-load.ts'
import parity from './edgeinfer-parity.ts'
import select from './edgeinfer-select.ts'
import serve from './edgeinfer-serve.ts'
import write from './edgeinfer-export.ts'

const home = mkdtempSync(join(tmpdir(), 'plan-001-'))
const { gates, model, names, service, load: loadPlan } = edgeinferContract()
let sidecar: Sidecar
test.before(async () => {
  await makeExport(join(home, 'exports'))
  sidecar = await Sidecar.start({
    host: '127.0.0.1',
    port: 0,
    modelPath: () => join(home, 'exports/tcn_encoder.onnx'),
    backend: 'auto',
    useRealModel: true,
    motifs: model.motifs,
    slots: 1,
    telemetryFolder: join(home, 'telemetry'),
  })
})
test.after(async () => {
  await sidecar.drain(0)
  rmSync(home, { recursive: true, force: true })
})

const zeros = { x: Array.from({ length: 100 }, () => Array.from({ length: 9 }, () => 0)) }
const infer = async () => {
  const headers = { 'content-type': 'application/json', 'x-deadline-ms': '60000' }
  return fetch(`${sidecar.url}/infer`, { method: 'POST', headers, body: JSON.stringify(zeros) })
}

/** Section of the plan, what it asks for, and whether it holds. */
const items: readonly (readonly [string, string, () => unknown])[] = [
  [
    'API',
    'POST /infer takes x [100][9] and gives latent[64] and motif_scores[M]',
    async () => {
      const answer = await infer()
      assert.equal(answer.status, 200)
      const body = (await answer.json()) as Record<string, number[]>
      assert.deepEqual(Object.keys(body), ['latent', 'motif_scores'])
      assert.deepEqual([body.latent!.length, body.motif_scores!.length], [64, 12])
      assert.ok(body.latent!.every(Number.isFinite))
    },
  ],
  [
    'API',
    'GET /healthz gives ok and model',
    async () => {
      const body = (await (await fetch(`${sidecar.url}/healthz`)).json()) as Record<string, unknown>
      assert.deepEqual([body.ok, body.model], [true, 'tcn_encoder'])
    },
  ],
  [
    'API',
    'GET /metrics gives Prometheus counters and histograms',
    async () => {
      const page = await (await fetch(`${sidecar.url}/metrics`)).text()
      assert.match(page, /# TYPE hailo_inference_requests_total counter/)
      assert.match(page, /# TYPE hailo_inference_duration_seconds histogram/)
    },
  ],
  [
    'EdgeInfer integration',
    'service hailo-inference:9000',
    () => {
      assert.deepEqual([service.name, service.port], ['hailo-inference', 9000])
      const compose = composeOf({ image: 'x', device: '/dev/hailo0', port: 9000 })
      assert.deepEqual(compose.services['hailo-inference']!.ports, ['9000:9000'])
    },
  ],
  [
    'EdgeInfer integration',
    'MODEL_BACKEND_URL and USE_REAL_MODEL',
    async () => {
      const argv = [
        '--windows',
        '8',
        '--rate',
        '50',
        '--stress=false',
        '--model',
        join(home, 'exports/tcn_encoder.onnx'),
      ]
      const ran = await runInProcess(load, argv, { env: { EDGEINFER_HOME: home, MODEL_BACKEND_URL: sidecar.url } })
      const { steady } = JSON.parse(ran.read('load.json')) as {
        steady: { wrong: number; failed: number; right: number }
      }
      assert.ok(steady.right > 0 && steady.wrong === 0 && steady.failed === 0, JSON.stringify(steady))
      const stub = { EDGEINFER_HOME: home, SIDECAR_PORT: '0', USE_REAL_MODEL: 'false' }
      assert.match((await runInProcess(serve, ['--for', '0.05'], { env: stub })).stdout, /stub=true/)
    },
  ],
  [
    'EdgeInfer integration',
    'the client posts to the base URL too',
    async () => {
      const answer = await sidecar.app.inject({
        method: 'POST',
        url: '/',
        headers: { 'x-deadline-ms': '60000' },
        payload: zeros,
      })
      assert.equal(answer.statusCode, 200)
    },
  ],
  [
    'Constraints',
    'static shapes, time 100, channels 9',
    () => {
      assert.deepEqual([model.windowSamples, model.channels], [100, 9])
    },
  ],
  [
    'Mitigations',
    'export_config.yaml locks normalisation and channel order',
    async () => {
      const text = readFileSync(join(home, 'exports', names.exportConfig), 'utf8')
      assert.equal(names.exportConfig, 'export_config.yaml')
      for (const word of ['channel_order', 'normalization', 'mean', 'std']) assert.match(text, new RegExp(`${word}:`))
      // Another order, or other means, than those that the model was trained with: nothing is served.
      for (const [what, wrong] of [
        ['order', text.replace(/^( *)- ax\n( *)- ay$/m, '$1- ay\n$2- ax').replace('[ax, ay', '[ay, ax')],
        ['means', text.replace('7.903189', '9.78')],
      ] as const) {
        assert.notEqual(wrong, text, what)
        const folder = join(home, `other-${what}`)
        cpSync(join(home, 'exports'), folder, { recursive: true })
        writeFileSync(join(folder, names.exportConfig), wrong)
        const opening = openEngine(join(folder, 'tcn_encoder.onnx'), { backend: 'auto', slots: 1 })
        await assert.rejects(opening, RunbookError, what)
      }
    },
  ],
  [
    'Mitigations',
    'golden parity by cosine against PyTorch',
    async () => {
      assert.match(readFileSync(join(home, 'exports', names.exportConfig), 'utf8'), /reference: PyTorch/)
      assert.deepEqual([gates.exportCosineMin, gates.compiledCosineMin], [0.99, 0.95])
      const { exit, report } = await runInProcess(parity, [], { env: { EDGEINFER_HOME: home } })
      assert.equal(exit, 0)
      assert.ok(report.gates.some(({ name }) => /cosine/.test(name)))
    },
  ],
  [
    'Mitigations',
    'pinned toolchain, compiled on a machine of its own',
    async () => {
      const argv = ['--dfc', join(home, 'no-such-venv')]
      const { exit, verdict } = await runInProcess(compile, argv, { env: { EDGEINFER_HOME: home } })
      assert.equal(exit, 3, verdict)
    },
  ],
  [
    'Repo skeleton',
    'exports/, artifacts/, telemetry/, al/',
    () => {
      assert.deepEqual(Object.values(names.folders), ['exports', 'artifacts', 'telemetry', 'al'])
      for (const book of [write, compile, serve, load, select]) assert.ok('home' in book.sheet.inputs, book.id)
    },
  ],
  [
    'Targets',
    'p95 < 50 ms, at least 20 windows a second, at least 99.5 % success',
    () => {
      assert.deepEqual([gates.latencyP95MsMax, gates.windowsPerSecondMin, gates.successMin], [50, 20, 0.995])
      assert.equal(loadPlan.ratePerSecond, 20)
    },
  ],
  [
    'Tasks',
    'api_contract.md with exact shapes and keys, as the server has them',
    async () => {
      const text = readFileSync(join(import.meta.dirname, '../contracts/edgeinfer', names.apiContract), 'utf8')
      assert.equal(readFileSync(join(home, 'exports', names.apiContract), 'utf8'), text)
      assert.equal(text, apiContract())
      assert.match(text, /POST \/infer\nReq: {2}\{ "x": \[\[Float; 9\]\] \* 100 \} {5}# shape \(100,9\)/)
      const { paths } = (await (await fetch(`${sidecar.url}/openapi.json`)).json()) as { paths: Record<string, object> }
      for (const [path, methods] of Object.entries(paths)) {
        for (const method of Object.keys(methods)) {
          const url = path.replace('{model}', 'tcn_encoder')
          const { statusCode } = await sidecar.app.inject({ method: method.toUpperCase() as 'GET', url })
          assert.ok(![404, 405, 500].includes(statusCode), `${method} ${path}: ${statusCode}`)
          assert.ok(text.includes(`\`${method.toUpperCase()} ${path}\``), path)
        }
      }
    },
  ],
  ['Tasks', 'exports/tcn_encoder.onnx', () => assert.ok(existsSync(join(home, 'exports/tcn_encoder.onnx')))],
  [
    'Tasks',
    'the first .hef is compiled with calibration windows',
    () => assert.ok('calibration' in compile.sheet.inputs),
  ],
  [
    'Tasks',
    'telemetry as NDJSON',
    async () => {
      await infer()
      while ((await listSegments(join(home, 'telemetry'))).every(({ bytes }) => bytes === 0))
        await new Promise(resolve => setTimeout(resolve, 20))
      assert.match((await listSegments(join(home, 'telemetry')))[0]!.path, /\.ndjson(\.open)?$/)
    },
  ],
  ['Tasks', 'active learning selector', () => assert.match(select.sheet.asks, /labelled next/)],
  [
    'Checklist',
    'compose up: device, read-only artifacts, stub for a rollback by flag',
    async () => {
      const files = await renderDeployment({ image: 'x', device: '/dev/hailo0', port: 9000 })
      assert.deepEqual(Object.keys(files), ['docker-compose.yml', 'Dockerfile', '.dockerignore', 'rollout.md'])
      const { services } = composeOf({ image: 'x', device: '/dev/hailo0', port: 9000 })
      assert.deepEqual(services['hailo-inference']!.devices, ['/dev/hailo0:/dev/hailo0'])
      assert.equal(services['hailo-inference-stub']!.environment!.USE_REAL_MODEL, 'false')
      assert.equal(services['hailo-inference-stub']!.devices, undefined)
    },
  ],
]

test('every item of plan 001 holds', async t => {
  for (const [section, what, check] of items) await t.test(`${section}: ${what}`, async () => void (await check()))
})
