import assert from 'node:assert/strict'
import { once } from 'node:events'
import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import test from 'node:test'
import { RunbookError } from '../../../base/errors.ts'
import { startTypescript } from '../../../host/typescript.ts'
import { listSegments } from '../../../serve/telemetry/segments.ts'
import { makeExport } from '../../../testing/edgeinfer/exports.ts'
import { exchange, readToEnd, rowsOf, sidecarBench, socketTo } from '../../../testing/edgeinfer/sidecar.ts'
import type { SidecarBench } from '../../../testing/edgeinfer/sidecar.ts'
import { readTelemetryPool } from '../select/pool.ts'
import type { Sidecar } from './sidecar.ts'

let bench: SidecarBench
test.before(async () => (bench = await sidecarBench()))
test.after(() => bench.end())

const body = () => JSON.stringify({ x: rowsOf(bench.golden[0]!.window) })
const octets = () => Buffer.from(bench.golden[0]!.window.slice().buffer)
const patient = { 'content-type': 'application/json', 'x-deadline-ms': '60000' }
const post = (sidecar: Sidecar, payload: string | Buffer, headers: Record<string, string> = patient) =>
  sidecar.app.inject({ method: 'POST', url: '/infer', headers, payload })
const codeOf = (answer: { json(): unknown }) => (answer.json() as { error: { code: string } }).error.code
const head = (length: number, type = 'application/octet-stream') =>
  ['POST /infer HTTP/1.1', 'host: x', `content-type: ${type}`, 'x-deadline-ms: 60000', `content-length: ${length}`]
    .map(line => `${line}\r\n`)
    .join('') + '\r\n'
/** The sidecar still answers, rightly, and has counted no failure of its own. */
async function stillServes(sidecar: Sidecar): Promise<void> {
  const answer = await post(sidecar, body())
  assert.equal(answer.statusCode, 200)
  const { latent } = answer.json() as { latent: number[] }
  assert.ok(latent.every((value, k) => Math.abs(value - bench.golden[0]!.latent[k]!) < 1e-4))
  assert.equal(sidecar.counts().bugs, 0)
}

test('slow clients: headers that do not end get 408, and others are served meanwhile', async () => {
  await using sidecar = await bench.start({ headersTimeoutMs: 100 })
  const slow = exchange(sidecar.url, ['POST /infer HTTP/1.1\r\nhost: x\r\n', 'x-a: b\r\n'])
  await stillServes(sidecar)
  assert.match(String(await slow), /^HTTP\/1\.1 408 /)
})

test('slow clients: a body that does not come gets 408, and others are served meanwhile', async () => {
  await using sidecar = await bench.start({ bodyTimeoutMs: 100 })
  const slow = exchange(sidecar.url, [head(3600), octets().subarray(0, 10)])
  await stillServes(sidecar)
  assert.match(String(await slow), /^HTTP\/1\.1 408 [^]*request_timeout/)
})

test('bodies of 10 MB: the largest that is read gets 400, a longer one 413, sent whole or in chunks', async () => {
  await using sidecar = await bench.start()
  const largest = 10_485_760
  const numbers = `{"x":[${'[0,0,0,0,0,0,0,0,0],'.repeat(1 + largest / 20)}`.slice(0, largest)
  const answer = await post(sidecar, numbers)
  assert.deepEqual([answer.statusCode, codeOf(answer)], [400, 'invalid_json'])
  const spaces = ' '.repeat(largest - body().length) + body()
  assert.equal((await post(sidecar, spaces)).statusCode, 200, 'spaces around JSON are JSON')
  assert.equal((await post(sidecar, Buffer.alloc(largest, 0x5b))).statusCode, 400, 'ten million open brackets')
  assert.equal((await post(sidecar, `${spaces} `)).statusCode, 413)
  const chunked =
    'POST /infer HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n'
  const chunk = `${(1 << 20).toString(16)}\r\n${' '.repeat(1 << 20)}\r\n`
  const cut = await exchange(sidecar.url, [chunked, ...Array.from({ length: 11 }, () => chunk)])
  assert.match(String(cut), /^HTTP\/1\.1 413 /)
  await stillServes(sidecar)
})

test('1,000 idle connections take nothing from the one that asks', async () => {
  await using sidecar = await bench.start()
  const idle = await Promise.all(Array.from({ length: 1000 }, () => socketTo(sidecar.url)))
  const answer = await fetch(`${sidecar.url}/infer`, { method: 'POST', headers: patient, body: body() })
  assert.equal(answer.status, 200)
  await answer.arrayBuffer()
  for (const socket of idle) socket.destroy()
  await stillServes(sidecar)
})

test('pipelining: requests that are sent before any answer are answered in their order', async () => {
  await using sidecar = await bench.start()
  const windows = bench.golden.slice(0, 4)
  const pieces = windows.flatMap(({ window }) => [head(3600), Buffer.from(window.slice().buffer)])
  const last = 'GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'
  const text = String(await exchange(sidecar.url, [Buffer.concat([...pieces, last].map(piece => Buffer.from(piece)))]))
  const bodies = text.split('HTTP/1.1 200 OK').slice(1)
  assert.equal(bodies.length, 5, text.slice(0, 300))
  for (const [i, { latent }] of windows.entries()) {
    const found = JSON.parse(bodies[i]!.split('\r\n\r\n')[1]!) as { latent: number[] }
    assert.ok(Math.abs(found.latent[0]! - latent[0]!) < 1e-4, `answer ${i}`)
  }
  await stillServes(sidecar)
})

test('half-closed sockets: a client that ends its side is one that went away, in a body or after it', async () => {
  await using sidecar = await bench.start()
  for (const pieces of [[head(3600)], [head(3600), octets().subarray(0, 1800)], [head(3600), octets()], ['GET /li']]) {
    const socket = await socketTo(sidecar.url)
    const all = readToEnd(socket)
    socket.end(Buffer.concat(pieces.map(piece => Buffer.from(piece))))
    await all
  }
  await stillServes(sidecar)
})

test('duplicate keys: the last one counts, as for JSON.parse, whichever way the body is read', async () => {
  await using sidecar = await bench.start()
  const x = body().slice(1, -1)
  const want = (await post(sidecar, body())).json()
  for (const text of [`{"x":null,${x}}`, `{"x":[[1]],"x":7,${x}}`, `{${x},${x}}`])
    assert.deepEqual((await post(sidecar, text)).json(), want)
  assert.equal(codeOf(await post(sidecar, `{${x},"x":[]}`)), 'invalid_shape')
  await stillServes(sidecar)
})

test('__proto__ in a body gives no object a key', async () => {
  await using sidecar = await bench.start()
  const x = body().slice(1, -1)
  for (const key of ['__proto__', 'constructor', 'prototype']) {
    assert.equal((await post(sidecar, `{"${key}":{"polluted":1},${x}}`)).statusCode, 200)
    assert.equal(codeOf(await post(sidecar, `{"${key}":{${x}}}`)), 'missing_x')
    const kserve = `{"${key}":{"polluted":1},"inputs":[{"${key}":{"polluted":1}}]}`
    const url = '/v2/models/tcn_encoder/infer'
    assert.equal((await sidecar.app.inject({ method: 'POST', url, payload: kserve })).statusCode, 400)
  }
  assert.equal(({} as Record<string, unknown>).polluted, undefined)
  await stillServes(sidecar)
})

test('NaN in binary bodies: every encoding of what is not finite is refused with its place', async () => {
  await using sidecar = await bench.start()
  const type = { 'content-type': 'application/octet-stream', 'x-deadline-ms': '60000' }
  // Quiet and signalling NaN of both signs, and both infinities.
  for (const bits of [0x7fc0_0000, 0xffc0_0000, 0x7f80_0001, 0xffff_ffff, 0x7f80_0000, 0xff80_0000]) {
    const bytes = octets()
    bytes.writeUInt32LE(bits, 4 * (9 * 3 + 2))
    const answer = await post(sidecar, bytes, type)
    assert.deepEqual([answer.statusCode, codeOf(answer)], [400, 'non_finite'], bits.toString(16))
    assert.match(answer.body, /x\[3\]\[2\] \(az\)/)
  }
  await stillServes(sidecar)
})

test('a model file replaced by a broken one under load: no request fails, and /status shows why', async () => {
  const folder = join(bench.folder, 'replaced')
  await makeExport(folder)
  const path = join(folder, basename(bench.model))
  await using sidecar = await bench.start({ modelPath: () => path, watchMs: 5, slots: 2, queueMax: 100 })
  const good = readFileSync(path)
  const broken = [Buffer.from('broken'), good.subarray(0, good.length / 2), Buffer.alloc(0)]
  const config = join(folder, 'export_config.yaml')
  const state = { isOver: false, statuses: new Map<number, number>() }
  const load = Array.from({ length: 4 }, async () => {
    while (!state.isOver) {
      const { statusCode } = await post(sidecar, body())
      state.statuses.set(statusCode, (state.statuses.get(statusCode) ?? 0) + 1)
    }
  })
  const until = async (holds: () => boolean) => {
    while (!holds()) await new Promise(resolve => setTimeout(resolve, 5))
  }
  for (const bytes of broken) {
    writeFileSync(`${path}.new`, bytes)
    renameSync(`${path}.new`, path)
    await until(() => sidecar.life!.state.error !== null)
    const status = (await sidecar.app.inject({ url: '/status' })).json() as Record<string, unknown>
    assert.equal(status.ready, true)
    assert.equal(typeof status.model_error, 'string')
    writeFileSync(path, good)
    await until(() => sidecar.life!.state.error === null)
  }
  // The file and all that stands beside it are gone.
  copyFileSync(config, `${config}.away`)
  rmSync(config)
  await sidecar.life!.load()
  assert.match(sidecar.life!.state.error!, /export_config\.yaml/)
  state.isOver = true
  await Promise.all(load)
  assert.deepEqual([...state.statuses.keys()], [200], JSON.stringify([...state.statuses]))
  await stillServes(sidecar)
})

test('clock jumps: uptime, deadlines and telemetry go by a clock that nobody sets', async t => {
  const folder = join(bench.folder, 'clock')
  t.mock.timers.enable({ apis: ['Date'], now: Date.UTC(2026, 0, 1) })
  await using sidecar = await bench.start({ telemetryFolder: folder })
  for (const year of [1970, 2100, 2026]) {
    t.mock.timers.setTime(Date.UTC(year, 0, 1))
    await stillServes(sidecar)
    const quick = await post(sidecar, body(), { ...patient, 'x-deadline-ms': '10000' })
    assert.equal(quick.statusCode, 200)
    assert.ok(sidecar.uptimeSeconds() >= 0 && sidecar.uptimeSeconds() < 600)
  }
  await sidecar.drain(0)
  const pool = await readTelemetryPool(folder)
  assert.deepEqual([pool.records, pool.badLines], [6, 0])
})

test('a telemetry folder that is deleted under way is made again, and no request fails', async () => {
  const folder = join(bench.folder, 'deleted')
  await using sidecar = await bench.start({ telemetryFolder: folder })
  const written = async (count: number) => {
    while ((sidecar.status().telemetry as { written: number }).written < count)
      await new Promise(resolve => setTimeout(resolve, 10))
  }
  await stillServes(sidecar)
  await written(1)
  rmSync(folder, { recursive: true })
  await stillServes(sidecar)
  await written(2)
  assert.equal((await listSegments(folder)).length, 1)
  assert.equal((sidecar.status().telemetry as { dropped: number }).dropped, 0)
})

test('a port in use is told as such, with a flag that helps', async () => {
  await using first = await bench.start()
  const port = Number(new URL(first.url).port)
  await assert.rejects(bench.start({ port }), (error: unknown) => {
    assert.ok(error instanceof RunbookError)
    assert.equal(error.exit, 'blocked')
    assert.equal(error.message, `Cannot listen on "127.0.0.1:${port}": another program listens there`)
    assert.match(error.hint, /--port 0/)
    return true
  })
  await stillServes(first)
})

test('SIGTERM under load: a sidecar of its own process answers all that it accepted, and exits with 0', async () => {
  const runbook = join(import.meta.dirname, '../../../../runbooks/edgeinfer-serve.ts')
  const home = dirname(dirname(bench.model))
  const words = ['--home', home, '--model', bench.model, '--host', '127.0.0.1', '--port', '0']
  const child = startTypescript(runbook, [...words, '--out-dir', join(bench.folder, 'runs')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  child.stdout!.on('data', piece => (stdout += String(piece)))
  const url = await new Promise<string>(resolve => {
    let text = ''
    child.stderr!.on('data', piece => {
      const found = /(http:\/\/\S+) ready/.exec((text += String(piece)))
      if (found) resolve(found[1]!)
    })
  })
  const gone = once(child, 'exit') as Promise<[number | null]>
  const request = Buffer.concat([Buffer.from(head(3600)), octets()])
  const statuses = new Map<string, number>()
  // Each client keeps its connection and asks again at once, until it is told that the connection closes.
  const load = Array.from({ length: 8 }, async () => {
    const socket = await socketTo(url)
    socket.write(request)
    for await (const piece of socket) {
      // An answer is one write of the sidecar, and comes as one piece over the loopback.
      const status = /^HTTP\/1\.1 (\d+)/.exec(String(piece))![1]!
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      if (/connection: close/i.test(String(piece))) return
      socket.write(request)
    }
    statuses.set('cut', 1)
  })
  while ((statuses.get('200') ?? 0) < 20) await new Promise(resolve => setTimeout(resolve, 5))
  child.kill('SIGTERM')
  const [code] = await gone
  await Promise.all(load)
  assert.equal(code, 0, stdout)
  assert.match(stdout, /lost=0/)
  const kinds = [...statuses.keys()].toSorted()
  assert.ok(
    kinds.includes('503') && kinds.every(kind => kind === '200' || kind === '503'),
    JSON.stringify([...statuses]),
  )
})
