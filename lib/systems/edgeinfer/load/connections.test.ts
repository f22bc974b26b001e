import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import test from 'node:test'
import { Connections, postRequest } from './connections.ts'

/** A server that gives a connection the pieces of a script, one for each request that came. */
async function scripted(answer: (socket: Socket, n: number) => void) {
  let [requests, connections] = [0, 0]
  const bodies: string[] = []
  const server = createServer(socket => {
    connections++
    socket.on('error', () => {})
    socket.on('data', piece => {
      bodies.push(piece.toString())
      answer(socket, requests++)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/infer`)
  const pool = new Connections(url, 2)
  return {
    pool,
    bodies,
    send: () => pool.send(postRequest(url, { 'x-deadline-ms': '45' }, Buffer.from('{"x":1}'))),
    counts: () => ({ requests, connections }),
    [Symbol.asyncDispose]: async () => {
      pool.close()
      server.close()
      await once(server, 'close')
    },
  }
}

const head = (status: number, length: number, more = '') =>
  `HTTP/1.1 ${status} Words\r\nContent-Length: ${length}\r\n${more}\r\n`

test('send gives status and body, and uses a connection again', async () => {
  await using server = await scripted((socket, n) => socket.write(`${head(n === 0 ? 200 : 503, 2)}h${n}`))
  const first = await server.send()
  assert.deepEqual([first.status, first.body.toString()], [200, 'h0'])
  const second = await server.send()
  assert.deepEqual([second.status, second.body.toString()], [503, 'h1'])
  assert.deepEqual(server.counts(), { requests: 2, connections: 1 })
  assert.match(server.bodies[0]!, /^POST \/infer HTTP\/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\nx-deadline-ms: 45\r\n/)
  assert.match(server.bodies[0]!, /content-length: 7\r\n\r\n\{"x":1\}$/)
})

test('send reads an answer that comes in pieces, cut anywhere', async () => {
  const whole = `${head(200, 5)}12345`
  let cut = 1
  await using server = await scripted(socket => {
    socket.write(whole.slice(0, cut))
    setTimeout(() => socket.write(whole.slice(cut)), 2)
  })
  for (; cut < whole.length; cut += 7) assert.equal((await server.send()).body.toString(), '12345', `cut at ${cut}`)
  assert.equal(server.counts().connections, 1)
})

test('send opens no more connections than it may, and the rest wait', async () => {
  await using server = await scripted(socket => setTimeout(() => socket.write(`${head(200, 1)}x`), 5))
  const answers = await Promise.all(Array.from({ length: 7 }, server.send))
  assert.equal(answers.length, 7)
  assert.deepEqual(server.counts(), { requests: 7, connections: 2 })
})

test('send takes a new connection when the server closes, or will soon close, the one before', async () => {
  for (const more of ['Connection: close\r\n', 'Keep-Alive: timeout=1\r\n']) {
    await using server = await scripted(socket => socket.write(`${head(200, 0, more)}`))
    await server.send()
    await server.send()
    assert.deepEqual(server.counts(), { requests: 2, connections: 2 }, more)
  }
})

test('send fails when the connection breaks or the answer has no length, and the next one goes through', async () => {
  await using server = await scripted((socket, n) => {
    if (n === 0) socket.destroy()
    else if (n === 1) socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    else if (n === 2) socket.end(`${head(200, 10)}half`)
    else if (n === 3) socket.write('x'.repeat(70_000))
    else socket.write(`${head(200, 2)}ok`)
  })
  await assert.rejects(server.send(), /closed the connection/)
  await assert.rejects(server.send(), /no content-length/)
  await assert.rejects(server.send(), /closed the connection/)
  await assert.rejects(server.send(), /no end/)
  assert.equal((await server.send()).body.toString(), 'ok')
})

test('send fails when nobody listens', async () => {
  const pool = new Connections(new URL('http://127.0.0.1:1/'), 1)
  await assert.rejects(pool.send(Buffer.from('x')), /ECONNREFUSED/)
  await assert.rejects(pool.send(Buffer.from('x')), /ECONNREFUSED/)
})
