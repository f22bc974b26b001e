import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { sha256 } from './digest.ts'
import { download } from './download.ts'

const body = Buffer.from('0123456789'.repeat(5000))
const digest = sha256(body)
const target = () => join(mkdtempSync(join(tmpdir(), 'download-')), 'sub', 'file.bin')

async function serving(listener: RequestListener, work: (url: string) => Promise<void>): Promise<void> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}/file`)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

/** A server that knows ranges. */
const ranged =
  (asked: string[]): RequestListener =>
  (request, response) => {
    asked.push(request.headers.range ?? 'all')
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
    if (from >= body.length) response.writeHead(416).end()
    else response.writeHead(from > 0 ? 206 : 200, { 'content-length': body.length - from }).end(body.subarray(from))
  }

test('download writes the file once, and does nothing when it is there', async () => {
  const asked: string[] = []
  await serving(ranged(asked), async url => {
    const to = target()
    const told: number[] = []
    await download({ url, to, sha256: digest, onProgress: done => void told.push(done) })
    assert.deepEqual(readFileSync(to), body)
    assert.equal(told.at(-1), body.length)
    await download({ url, to, sha256: digest })
    assert.deepEqual(asked, ['all'])
    assert.equal(existsSync(`${to}.part`), false)
  })
})

test('download continues a part, and begins again when the part was of another file', async () => {
  const asked: string[] = []
  await serving(ranged(asked), async url => {
    const to = target()
    await download({ url, to })
    for (const part of [body.subarray(0, 1234), Buffer.alloc(99), body, Buffer.alloc(body.length + 5)]) {
      const next = target()
      writeFileSync(join(next, '../..', 'x'), '')
      await download({ url, to: next })
      writeFileSync(`${next}.part`, part)
      writeFileSync(next, 'old')
      await download({ url, to: next, sha256: digest })
      assert.deepEqual(readFileSync(next), body)
    }
    assert.ok(asked.includes('bytes=1234-'))
  })
})

test('download keeps the part when the connection breaks, and nothing under the name', async () => {
  await serving(
    (_, response) => {
      response.writeHead(200, { 'content-length': body.length })
      response.write(body.subarray(0, 20_000), () => setImmediate(() => response.destroy()))
    },
    async url => {
      const to = target()
      await assert.rejects(download({ url, to, sha256: digest }), { exit: 'blocked', message: /connection broke/ })
      assert.equal(existsSync(to), false)
    },
  )
})

test('download refuses another file, and is blocked by a bad answer or no server', async () => {
  await serving(
    (_, response) => void response.end('a page that says no'),
    async url => {
      const to = target()
      await assert.rejects(download({ url, to, sha256: digest }), { exit: 'fail' })
      assert.equal(existsSync(to) || existsSync(`${to}.part`), false)
    },
  )
  await serving(
    (_, response) => void response.writeHead(404).end(),
    async url => assert.rejects(download({ url, to: target() }), { exit: 'blocked', message: /404/ }),
  )
  await assert.rejects(download({ url: 'http://127.0.0.1:1/x', to: target() }), { exit: 'blocked', message: /reached/ })
})

test('download stops when it is told to', async () => {
  const stop = new AbortController()
  await serving(
    (_, response) => {
      response.writeHead(200, { 'content-length': 100 })
      response.write('x')
      setImmediate(() => stop.abort(new Error('enough')))
    },
    async url => assert.rejects(download({ url, to: target(), signal: stop.signal }), /enough/),
  )
})
