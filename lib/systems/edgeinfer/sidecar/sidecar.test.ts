import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { spawn, spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { seededRandom } from '../../../base/random.ts'
import { listSegments, readSegment } from '../../../serve/telemetry/segments.ts'
import { makeExport } from '../../../testing/edgeinfer/exports.ts'
import { needsTool } from '../../../testing/needs.ts'
import { readTelemetryPool } from '../select/pool.ts'
import { readGolden, type GoldenWindow } from '../export/golden.ts'
import { Sidecar, type SidecarOptions } from './sidecar.ts'

const root = mkdtempSync(join(tmpdir(), 'sidecar-'))
const exportsFolder = join(root, 'exports')
let golden: GoldenWindow[] = []
test.before(async () => {
  await makeExport(exportsFolder)
  golden = await readGolden(join(exportsFolder, 'golden.npz'))
})
test.after(() => rmSync(root, { recursive: true, force: true }))

const model = (name = 'tcn_encoder_nchw.onnx') => join(exportsFolder, name)
const start = (o: Partial<SidecarOptions> = {}) =>
  Sidecar.start({
    host: '127.0.0.1',
    port: 0,
    modelPath: () => model(),
    backend: 'auto',
    useRealModel: true,
    motifs: 12,
    slots: 1,
    ...o,
  })
const rowsOf = (window: Float32Array) => Array.from({ length: 100 }, (_, t) => [...window.subarray(t * 9, t * 9 + 9)])
const json = { 'content-type': 'application/json' }
const patient = { ...json, 'x-deadline-ms': '60000' }
const post = (sidecar: Sidecar, url: string, payload: unknown, headers: Record<string, string> = patient) =>
  sidecar.app.inject({
    method: 'POST',
    url,
    headers,
    payload: typeof payload === 'string' || payload instanceof Buffer ? payload : JSON.stringify(payload),
  })
const farthest = (a: readonly number[], b: ArrayLike<number>) =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!)))
/** As a client reads them: the text has as many digits as a float32 needs. */
const rounded = (values: readonly number[]) => values.map(Math.fround)
interface Body {
  latent: number[]
  motif_scores: number[]
}
const codeOf = (answer: { json(): unknown }) => (answer.json() as { error: { code: string } }).error.code

test('POST /infer and POST / answer 64 latents and 12 motif scores, as the golden windows say', async () => {
  await using sidecar = await start()
  for (const { window, latent } of golden.slice(0, 4)) {
    for (const url of ['/infer', '/']) {
      const answer = await post(sidecar, url, { x: rowsOf(window) })
      assert.equal(answer.statusCode, 200)
      const body = answer.json() as Body
      assert.ok(farthest(body.latent, latent) < 1e-4)
      assert.equal(body.motif_scores.length, 12)
      assert.ok(Math.abs(body.motif_scores.reduce((sum, p) => sum + p, 0) - 1) < 1e-5)
      assert.equal(answer.headers['x-model'], 'tcn_encoder_nchw')
      assert.equal(answer.headers['x-stub'], undefined)
    }
  }
})

test('POST /infer takes float32 bytes and gives them, equal to the JSON answer', async () => {
  await using sidecar = await start()
  const [{ window }] = golden as [GoldenWindow]
  const octets = { 'content-type': 'application/octet-stream', 'x-deadline-ms': '60000' }
  const plain = (await post(sidecar, '/infer', { x: rowsOf(window) })).json() as Body
  const asJson = (await post(sidecar, '/infer', Buffer.from(window.buffer), octets)).json() as Body
  assert.deepEqual(asJson, plain)
  const raw = await post(sidecar, '/infer', Buffer.from(window.buffer), {
    ...octets,
    accept: 'application/octet-stream',
  })
  const floats = new Float32Array(new Uint8Array(raw.rawPayload).buffer)
  assert.deepEqual([...floats], rounded([...plain.latent, ...plain.motif_scores]))
})

test('the original suite: routes, shapes and errors by name', async () => {
  await using sidecar = await start()
  const get = (url: string) => sidecar.app.inject({ url })
  const info = (await get('/')).json() as Record<string, unknown>
  assert.equal(info.model_ready, true)
  const health = await get('/healthz')
  assert.equal(health.statusCode, 200)
  const body = health.json() as Record<string, unknown>
  for (const key of ['ok', 'model', 'uptime_s', 'config_version', 'hef_sha256', 'version', 'device', 'latency_ms'])
    assert.ok(key in body, key)
  assert.equal(body.ok, true)
  assert.equal((await sidecar.app.inject({ url: '/healthz', method: 'HEAD' })).statusCode, 200)
  const tested = (await post(sidecar, '/test', '', { 'x-deadline-ms': '60000' })).json() as Record<string, unknown>
  assert.deepEqual([tested.test_status, tested.latent_shape, tested.motif_shape], ['passed', [64], [12]])
  for (const url of [
    '/livez',
    '/readyz',
    '/status',
    '/metrics',
    '/docs',
    '/openapi.json',
    '/v2',
    '/v2/health/live',
    '/v2/health/ready',
  ])
    assert.equal((await get(url)).statusCode, 200, url)
})

test('POST /infer answers 400, 413, 415 with code, message, schema hint and request id, and never 500', async () => {
  await using sidecar = await start()
  const x = rowsOf(golden[0]!.window)
  const cases: [unknown, Record<string, string>, number, string][] = [
    ['{', patient, 400, 'invalid_json'],
    ['', patient, 400, 'invalid_json'],
    [{}, patient, 400, 'missing_x'],
    [{ x: [...x, ...x.slice(0, 5)] }, patient, 400, 'invalid_shape'],
    [{ x: x.map((row, t) => (t === 1 ? row.map(String) : row)) }, patient, 400, 'invalid_value'],
    [JSON.stringify({ x }).replace(/\[\[[^,]+/, '[[1e999'), patient, 400, 'non_finite'],
    [{ x: x.map(row => row.map(() => 600)) }, patient, 400, 'out_of_range'],
    [{ x }, { ...json, 'x-deadline-ms': 'soon' }, 400, 'invalid_deadline'],
    ['x'.repeat(10_485_761), patient, 413, 'payload_too_large'],
    ['a=b', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'unsupported_media_type'],
  ]
  for (const [payload, headers, status, code] of cases) {
    const answer = await post(sidecar, '/infer', payload, { ...headers, 'x-request-id': 'case-1' })
    assert.equal(answer.statusCode, status, code)
    const { error } = answer.json() as { error: Record<string, string> }
    assert.equal(error.code, code)
    assert.equal(error.request_id, 'case-1')
    assert.match(error.schema_hint!, /ax, ay, az/)
    assert.ok(error.message!.length > 5)
  }
  assert.equal((await sidecar.app.inject({ url: '/infer' })).statusCode, 405)
  assert.equal(sidecar.counts().bugs, 0)
})

test('10,000 fuzzed bodies get no 5xx', async () => {
  await using sidecar = await start()
  const random = seededRandom(11)
  const plain = Buffer.from(JSON.stringify({ x: rowsOf(golden[0]!.window) }))
  const pieces = [
    '[',
    ']',
    '{',
    '}',
    '"',
    ',',
    ':',
    '-',
    'e',
    '.',
    '0',
    '9',
    'null',
    'true',
    '\\u0000',
    '1e999',
    '[[',
    '\u00ff',
    ' ',
  ]
  const statuses = new Map<number, number>()
  const kinds = ['application/json', 'application/octet-stream', 'text/plain', '']
  for (let i = 0; i < 10_000; i++) {
    const kind = kinds[random.below(i % 5 === 0 ? 4 : 2)]!
    const at = random.below(plain.length)
    const length = kind === 'application/octet-stream' ? 3600 + random.below(3) - 1 : 0
    const payload =
      length > 0
        ? Buffer.from(Uint8Array.from({ length }, () => random.below(256)))
        : random.below(3) === 0
          ? Buffer.from(Array.from({ length: random.below(40) }, () => pieces[random.below(pieces.length)]).join(''))
          : Buffer.concat([
              plain.subarray(0, at),
              Buffer.from(pieces[random.below(pieces.length)]!),
              plain.subarray(at + random.below(3)),
            ])
    const url = i % 100 === 0 ? '/stream' : ['/infer', '/', '/v2/models/tcn_encoder/infer'][random.below(3)]!
    const { statusCode } = await post(
      sidecar,
      url,
      payload,
      kind === '' ? {} : { 'content-type': kind, 'x-deadline-ms': '60000' },
    )
    statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1)
  }
  assert.deepEqual(
    [...statuses.keys()].filter(status => status >= 500),
    [],
    JSON.stringify([...statuses]),
  )
  assert.ok(statuses.get(400)! > 5000)
  assert.equal(sidecar.counts().bugs, 0)
})

test('KServe V2: metadata, JSON inference, and the binary form as tritonclient sends it', async () => {
  await using sidecar = await start()
  const [{ window }] = golden as [GoldenWindow]
  const url = '/v2/models/tcn_encoder'
  const meta = (await sidecar.app.inject({ url })).json() as { inputs: { name: string }[] }
  assert.equal(meta.inputs[0]!.name, 'imu_window')
  const input = { name: 'imu_window', shape: [1, 100, 9], datatype: 'FP32' }
  const want = (await post(sidecar, '/infer', { x: rowsOf(window) })).json() as Body
  const nested = await post(sidecar, `${url}/infer`, { id: 'a', inputs: [{ ...input, data: [rowsOf(window)] }] })
  const outputs = (nested.json() as { id: string; outputs: { name: string; data: number[] }[] }).outputs
  assert.deepEqual(
    outputs.map(({ name }) => name),
    ['latent', 'motif_scores'],
  )
  assert.deepEqual(rounded(outputs[0]!.data), rounded(want.latent))
  const head = JSON.stringify({
    inputs: [{ ...input, parameters: { binary_data_size: 3600 } }],
    outputs: [{ name: 'motif_scores', parameters: { binary_data: true } }],
  })
  const binary = await post(
    sidecar,
    `${url}/versions/1/infer`,
    Buffer.concat([Buffer.from(head), Buffer.from(window.buffer)]),
    {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(head.length),
      'x-deadline-ms': '60000',
    },
  )
  const length = Number(binary.headers['inference-header-content-length'])
  const floats = new Float32Array(new Uint8Array(binary.rawPayload.subarray(length)).buffer)
  assert.deepEqual([...floats], rounded(want.motif_scores))
  for (const [payload, status] of [
    [{ inputs: [] }, 400],
    [{ inputs: [{ ...input, datatype: 'INT8', data: [] }] }, 400],
    [{ inputs: [{ ...input, shape: [2, 100, 9], data: [] }] }, 400],
    [{ inputs: [{ ...input, name: 'x', data: [] }] }, 400],
    [{ inputs: [{ ...input, data: ['a'] }] }, 400],
    [{ inputs: [input] }, 400],
    [{ inputs: [{ ...input, parameters: { binary_data_size: 8 } }] }, 400],
  ] as const) {
    const refused = await post(sidecar, `${url}/infer`, payload)
    assert.equal(refused.statusCode, status)
    assert.equal(typeof (refused.json() as { error: unknown }).error, 'string', 'the protocol wants a string')
  }
  assert.equal((await post(sidecar, '/v2/models/other/infer', {})).statusCode, 404)
})

test('POST /stream answers every hop with the very bits of the whole window, computing only what is new', async () => {
  await using sidecar = await start()
  const signal = golden.slice(0, 3).flatMap(({ window }) => rowsOf(window))
  const lines = `${signal.map(row => JSON.stringify(row)).join('\n')}\n\n`
  const answer = await post(sidecar, '/stream?hop=10', lines, { 'content-type': 'application/x-ndjson' })
  assert.equal(answer.headers['x-incremental'], 'true')
  const results = answer.body
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Body & { sample: number })
  assert.deepEqual(
    results.map(({ sample }) => sample),
    Array.from({ length: 21 }, (_, i) => 99 + 10 * i),
  )
  for (const { sample, latent, motif_scores } of results) {
    const whole = await post(sidecar, '/infer', { x: signal.slice(sample - 99, sample + 1) })
    const { latent: wholeLatent, motif_scores: wholeScores } = whole.json() as Body
    assert.deepEqual(rounded([...latent, ...motif_scores]), rounded([...wholeLatent, ...wholeScores]))
  }
})

test('POST /stream computes whole windows for a form that cannot be cut, and ends at a bad line', async () => {
  await using sidecar = await start({ modelPath: () => model('tcn_encoder.onnx') })
  const rows = rowsOf(golden[0]!.window).map(row => JSON.stringify(row))
  const answer = await post(sidecar, '/stream', [...rows, '[1,2'].join('\n'), {
    'content-type': 'application/x-ndjson',
  })
  assert.equal(answer.headers['x-incremental'], 'false')
  const [result, error] = answer.body
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>)
  assert.equal((result!.latent as number[]).length, 64)
  assert.match(JSON.stringify(error), /"invalid_sample","message":"line 101 is no JSON"/)
  for (const hop of ['0', '101', 'x', '1.5'])
    assert.equal(
      (await post(sidecar, `/stream?hop=${hop}`, '', { 'content-type': 'application/x-ndjson' })).statusCode,
      400,
    )
})

test('without a model health is 503 with ok false and a reason, and inference is 503 model_unavailable', async () => {
  await using sidecar = await start({ modelPath: () => join(root, 'artifacts/tcn_encoder.hef') })
  const health = await sidecar.app.inject({ url: '/healthz' })
  assert.equal(health.statusCode, 503)
  const body = health.json() as Record<string, unknown>
  assert.equal(body.ok, false)
  assert.match(String(body.reason), /tcn_encoder\.hef|export_config/)
  const refused = await post(sidecar, '/infer', { x: rowsOf(golden[0]!.window) })
  assert.equal(refused.statusCode, 503)
  assert.equal(codeOf(refused), 'model_unavailable')
  assert.ok(refused.headers['retry-after'])
  assert.equal((await sidecar.app.inject({ url: '/livez' })).statusCode, 200)
  assert.equal((await sidecar.app.inject({ url: '/v2/health/ready' })).statusCode, 503)
})

test('NUM_MOTIFS that is not the model’s number is refused, and said', async () => {
  await using sidecar = await start({ motifs: 7 })
  assert.match(sidecar.notReady()!, /12 motifs, and NUM_MOTIFS is 7/)
})

test('a golden self-test that fails keeps a model from serving', async () => {
  const folder = join(root, 'other')
  mkdirSync(folder)
  const { openDonor, writeExport } = await import('../export/author.ts')
  const { float32 } = await import('../../../formats/tensors/tensor.ts')
  const { seededTcnWeights } = await import('../../../models/tcn/weights.ts')
  const donor = { ...(await openDonor('shipped')), weights: seededTcnWeights(5) }
  const head = { weight: float32([12, 64], new Float32Array(768)), bias: float32([12], new Float32Array(12)) }
  const motifs = Array.from({ length: 12 }, (_, k) => ({ name: `motif-${k}`, label: -1 }))
  await writeExport(folder, { donor, trained: { head, motifs }, labels: [] })
  await using sidecar = await start({ modelPath: () => join(folder, 'tcn_encoder_nchw.onnx') })
  assert.match(sidecar.notReady()!, /a golden window has cosine/)
})

test('the stub is deterministic, of the promised shape, and marked in header, health, status and metrics', async () => {
  await using sidecar = await start({ useRealModel: false })
  const x = rowsOf(golden[0]!.window)
  const [one, two] = [await post(sidecar, '/infer', { x }), await post(sidecar, '/infer', { x })]
  assert.deepEqual(one.json(), two.json())
  assert.equal((one.json() as Body).latent.length, 64)
  assert.equal((one.json() as Body).motif_scores.length, 12)
  assert.equal(one.headers['x-stub'], 'true')
  assert.equal(((await sidecar.app.inject({ url: '/status' })).json() as { stub: boolean }).stub, true)
  assert.equal(((await sidecar.app.inject({ url: '/healthz' })).json() as { model: string }).model, 'tcn_encoder_stub')
  assert.match((await sidecar.app.inject({ url: '/metrics' })).body, /^hailo_stub_active 1$/m)
})

test('a model replaced by a broken one while serving leaves the old one, and a good one is swapped in', async () => {
  const folder = join(root, 'swap')
  await makeExport(folder)
  const path = join(folder, 'tcn_encoder_nchw.onnx')
  await using sidecar = await start({ modelPath: () => path })
  const replace = async (bytes: Uint8Array) => {
    writeFileSync(`${path}.new`, bytes)
    renameSync(`${path}.new`, path)
    await sidecar.life!.load()
  }
  const good = readFileSync(path)
  await replace(Buffer.from('broken'))
  const status = (await sidecar.app.inject({ url: '/status' })).json() as Record<string, unknown>
  assert.match(String(status.model_error), /not the file that was locked/)
  assert.equal(status.ready, true)
  assert.equal((await post(sidecar, '/infer', { x: rowsOf(golden[0]!.window) })).statusCode, 200)
  await replace(good)
  const after = (await sidecar.app.inject({ url: '/status' })).json() as Record<string, unknown>
  assert.equal(after.model_error, null)
  assert.equal(after.model_loads, 2)
})

test('a changed file is noticed by the watch and loaded', async () => {
  const folder = join(root, 'watch')
  await makeExport(folder)
  const path = join(folder, 'tcn_encoder_nchw.onnx')
  await using sidecar = await start({ modelPath: () => path, watchMs: 10 })
  copyFileSync(path, `${path}.new`)
  renameSync(`${path}.new`, path)
  while (sidecar.life!.state.loads < 2) await new Promise(resolve => setTimeout(resolve, 10))
  assert.equal(sidecar.life!.state.error, null)
})

test('requests beyond the queue are refused with Retry-After, health still answers, and nothing is lost', async () => {
  await using sidecar = await start({ queueMax: 3 })
  const payload = { x: rowsOf(golden[0]!.window) }
  const burst = Array.from({ length: 40 }, () => post(sidecar, '/infer', payload))
  const answers = await Promise.all(burst)
  assert.equal((await sidecar.app.inject({ url: '/healthz' })).statusCode, 200)
  const codes = answers.map(answer => answer.statusCode)
  assert.ok(codes.includes(200) && codes.includes(429), codes.join())
  for (const answer of answers.filter(each => each.statusCode === 429)) {
    assert.equal(codeOf(answer), 'queue_full')
    assert.ok(Number(answer.headers['retry-after']) >= 1)
  }
  const hurried = await Promise.all(
    Array.from({ length: 4 }, () => post(sidecar, '/infer', payload, { ...json, 'x-deadline-ms': '0.01' })),
  )
  const late = hurried.filter(each => each.statusCode === 503)
  assert.ok(late.length > 0)
  for (const each of late) assert.equal(codeOf(each), 'overloaded')
})

test('the shadow is asked about its share and its cosine shows in metrics and status', async () => {
  const shadow = { path: model('tcn_encoder.onnx'), backend: 'auto', share: 0.5 } as const
  const sidecar = await start({ shadow })
  for (let i = 0; i < 6; i++) {
    await post(sidecar, '/infer', { x: rowsOf(golden[i]!.window) })
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  const { shadow: counts } = sidecar.status() as { shadow: { asked: number; passedOver: number; cosineMin: number } }
  assert.equal(counts.asked + counts.passedOver, 3)
  assert.ok(counts.cosineMin > 0.9999)
  assert.match((await sidecar.app.inject({ url: '/metrics' })).body, /^hailo_shadow_cosine_count [123]$/m)
  await sidecar.drain(0)
})

test('telemetry holds one record for each answer, with uncertainty and the raw window of the reservoir', async () => {
  const folder = join(root, 'telemetry')
  const sidecar = await start({ telemetryFolder: folder })
  for (const { window } of golden.slice(0, 5))
    await post(sidecar, '/infer', { x: rowsOf(window) }, { ...patient, 'x-request-id': 'tele' })
  await post(sidecar, '/infer', {})
  await sidecar.drain(0)
  const records = []
  for (const { path } of await listSegments(folder))
    for await (const { record } of readSegment(path)) records.push(record!)
  assert.deepEqual(
    records.map(({ seq }) => seq),
    [0, 1, 2, 3, 4],
  )
  for (const record of records) {
    assert.equal(record.request_id, 'tele')
    assert.ok((record.entropy as number) >= 0 && (record.margin as number) >= 0)
    assert.equal((record.latent as number[]).length, 64)
    assert.equal(Buffer.from(record.window_f32 as string, 'base64').length, 3600)
  }
})

test('windows that were chosen as they came are in the pool to label from, each once', async () => {
  for (const [share, chosen] of [
    [1, 5],
    [0, 0],
  ] as const) {
    const folder = join(root, `telemetry-${share}`)
    const sidecar = await start({ telemetryFolder: folder, streamShare: share })
    for (const { window } of golden.slice(0, 5)) await post(sidecar, '/infer', { x: rowsOf(window) })
    await sidecar.drain(0)
    const records = []
    for (const { path } of await listSegments(folder))
      for await (const { record } of readSegment(path)) records.push(record!)
    assert.equal(records.filter(record => record.chosen === true).length, chosen)
    const pool = await readTelemetryPool(folder)
    // The reservoir keeps the last window of each slot; what was chosen stays, whatever its slot.
    if (share === 1) assert.deepEqual(pool.kept.map(({ seq }) => seq).toSorted(), [0, 1, 2, 3, 4])
    assert.ok(pool.kept.length >= 1 && pool.kept.every(({ window }) => window.length === 900))
  }
})

test(
  'metrics keep the names of the original, and promtool finds nothing to say',
  { skip: needsTool('promtool') },
  async () => {
    await using sidecar = await start()
    await post(sidecar, '/infer', { x: rowsOf(golden[0]!.window) })
    await post(sidecar, '/infer', {})
    await sidecar.app.inject({ url: '/healthz' })
    const { body, headers } = await sidecar.app.inject({ url: '/metrics' })
    assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
    for (const line of [
      'hailo_inference_requests_total{status="success",model="tcn_encoder_nchw"} 1',
      'hailo_inference_requests_total{status="error",model="tcn_encoder_nchw"} 1',
      'hailo_errors_total{error_type="missing_x",model="tcn_encoder_nchw"} 1',
      'hailo_model_loaded{model="tcn_encoder_nchw",version="1.0.0"} 1',
      'hailo_health_checks_total{status="ok"} 1',
      'hailo_stub_active 0',
    ])
      assert.ok(body.includes(`${line}\n`), line)
    for (const edge of ['0.045', '0.05'])
      assert.match(body, new RegExp(`hailo_inference_duration_seconds_bucket\\{le="${edge}"`))
    for (const name of ['hailo_model_info', 'hailo_build_info', 'hailo_sidecar_start_time_seconds'])
      assert.ok(body.includes(name))
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' })
    assert.equal(status, 0, stdout + stderr)
  },
)

test('a real Prometheus scrapes the sidecar', { skip: needsTool('prometheus') }, async () => {
  await using sidecar = await start()
  await post(sidecar, '/infer', { x: rowsOf(golden[0]!.window) })
  const folder = join(root, 'prometheus')
  mkdirSync(folder)
  const target = new URL(sidecar.url).host
  const job = `{job_name: sidecar, scrape_interval: 1s, static_configs: [{targets: ['${target}']}]}`
  writeFileSync(join(folder, 'prometheus.yml'), `scrape_configs: [${job}]\n`)
  const port = 20_000 + (process.pid % 20_000)
  const flags = [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]
  const server = spawn('prometheus', flags, { stdio: 'ignore' })
  try {
    const query = `http://127.0.0.1:${port}/api/v1/query?query=hailo_inference_requests_total`
    for (;;) {
      const answer = await fetch(query).catch(() => null)
      const found = answer?.ok ? ((await answer.json()) as { data: { result: { value: [number, string] }[] } }) : null
      const [series] = found?.data.result ?? []
      if (series) {
        assert.equal(series.value[1], '1')
        break
      }
      assert.equal(server.exitCode, null, 'Prometheus runs')
      await new Promise(resolve => setTimeout(resolve, 200))
    }
  } finally {
    server.kill('SIGKILL')
    await once(server, 'close')
  }
})

test('drain under load loses no request that was accepted', async () => {
  const sidecar = await start({ slots: 2, queueMax: 1000 })
  const payload = JSON.stringify({ x: rowsOf(golden[0]!.window) })
  const send = () => fetch(`${sidecar.url}/infer`, { method: 'POST', headers: patient, body: payload })
  const outcomes = Array.from({ length: 60 }, () =>
    send().then(async answer => ({ status: answer.status, text: await answer.text() })),
  )
  const first = await Promise.race(outcomes)
  assert.equal(first.status, 200)
  const lost = await sidecar.drain(30_000)
  assert.equal(lost, 0)
  const settled = await Promise.allSettled(outcomes)
  const answered = settled.flatMap(each => (each.status === 'fulfilled' ? [each.value] : []))
  assert.ok(answered.filter(({ status }) => status === 200).length > 0)
  for (const { status, text } of answered) assert.ok(status === 200 || (status === 503 && text.includes('draining')))
})
