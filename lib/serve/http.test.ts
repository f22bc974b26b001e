import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import test from 'node:test'
import { z } from 'zod'
import { RunbookError } from '../base/errors.ts'
import { deferred } from '../testing/deferred.ts'
import { bearerKeys } from './auth.ts'
import { openEventStream } from './event-stream.ts'
import { clientSignal, openService, parseWith, Problem, type ServiceOptions } from './http.ts'
import { readUpload } from './multipart.ts'

async function serving(o: Partial<ServiceOptions> = {}) {
  const service = await openService({ bodyBytesMax: 1000, ...o })
  const { app } = service
  app.get('/livez', () => ({ ok: true }))
  app.post('/echo', request => request.body)
  app.get('/bug', () => {
    throw new TypeError('secret detail')
  })
  app.get('/busy', () => {
    throw new Problem(503, 'busy', 'Too much to do', { headers: { 'retry-after': '2' }, details: { queue: 8 } })
  })
  return {
    service,
    app,
    listen: () => service.listen({ host: '127.0.0.1', port: 0 }),
    [Symbol.asyncDispose]: async () => void (await service.drain(0)),
  }
}

test('openService answers with the request id it was given, and makes one when none fits', async () => {
  await using at = await serving()
  const given = await at.app.inject({ url: '/livez', headers: { 'x-request-id': 'abc-1' } })
  assert.equal(given.headers['x-request-id'], 'abc-1')
  for (const odd of [undefined, 'two words', 'x'.repeat(129)]) {
    const made = await at.app.inject({ url: '/livez', headers: odd === undefined ? {} : { 'x-request-id': odd } })
    assert.match(String(made.headers['x-request-id']), /^[0-9a-f-]{36}$/)
  }
})

test('openService answers every refusal in one form when the client is wrong', async () => {
  await using at = await serving()
  const json = { 'content-type': 'application/json' }
  const cases = [
    { o: { url: '/nowhere' }, status: 404, code: 'not_found' },
    { o: { url: '/echo' }, status: 405, code: 'method_not_allowed' },
    { o: { url: '/echo', method: 'POST', headers: json, payload: '{"x":' }, status: 400, code: 'invalid_json' },
    { o: { url: '/echo', method: 'POST', headers: json, payload: '' }, status: 400, code: 'invalid_json' },
    {
      o: { url: '/echo', method: 'POST', headers: json, payload: '1'.repeat(1001) },
      status: 413,
      code: 'payload_too_large',
    },
    {
      o: { url: '/echo', method: 'POST', headers: { 'content-type': 'text/csv' }, payload: 'a' },
      status: 415,
      code: 'unsupported_media_type',
    },
    {
      o: { url: '/echo', method: 'POST', headers: { ...json, 'content-encoding': 'gzip' }, payload: 'a' },
      status: 415,
      code: 'unsupported_content_encoding',
    },
  ] as const
  for (const { o, status, code } of cases) {
    const answer = await at.app.inject(o)
    assert.equal(answer.statusCode, status, code)
    const { error } = answer.json() as { error: Record<string, unknown> }
    assert.equal(error.code, code)
    assert.equal(error.request_id, answer.headers['x-request-id'])
    assert.equal(typeof error.message, 'string')
  }
})

test('openService names the allowed methods when a path takes another one', async () => {
  await using at = await serving()
  assert.equal((await at.app.inject({ url: '/echo' })).headers.allow, 'POST')
})

test('openService hides the cause of a bug from the client and writes it to the log', async () => {
  const lines: string[] = []
  await using at = await serving({ log: { level: 'info', write: line => void lines.push(line) } })
  const answer = await at.app.inject({ url: '/bug', headers: { 'x-request-id': 'bug-1' } })
  assert.equal(answer.statusCode, 500)
  assert.doesNotMatch(answer.body, /secret/)
  const entry = lines.map(line => JSON.parse(line) as Record<string, unknown>).find(line => line.code === 'internal')!
  assert.equal(entry.reqId, 'bug-1')
  assert.match(JSON.stringify(entry.err), /secret detail/)
})

test('openService gives a problem its headers and details, in the form that the service chose', async () => {
  await using at = await serving({ errorBody: (problem, id) => ({ detail: problem.code, ...problem.details, id }) })
  const answer = await at.app.inject({ url: '/busy', headers: { 'x-request-id': 'r' } })
  assert.equal(answer.headers['retry-after'], '2')
  assert.deepEqual(answer.json(), { detail: 'busy', queue: 8, id: 'r' })
})

test('listen is blocked and says so when the port is in use', async () => {
  await using one = await serving()
  await using two = await serving()
  const port = Number(new URL(await one.listen()).port)
  await assert.rejects(two.service.listen({ host: '127.0.0.1', port }), (error: unknown) => {
    assert.ok(error instanceof RunbookError)
    assert.equal(error.exit, 'blocked')
    assert.match(error.message, /^Cannot listen on "127\.0\.0\.1:\d+": another program listens there$/)
    return true
  })
})

test('drain answers what was accepted, refuses what comes after, and reports nothing lost', async () => {
  await using at = await serving({ whileDraining: ['/livez'] })
  const { promise, resolve } = deferred<void>()
  const { promise: started, resolve: start } = deferred<void>()
  at.app.get('/slow', async () => {
    start()
    await promise
    return { done: true }
  })
  const url = await at.listen()
  const slow = fetch(`${url}/slow`)
  await started
  const drained = at.service.drain(5000)
  assert.equal(at.service.draining, true)
  const late = await at.app.inject({ url: '/bug' })
  assert.equal(late.statusCode, 503)
  assert.equal((late.json() as { error: { code: string } }).error.code, 'draining')
  assert.equal((await at.app.inject({ url: '/livez' })).statusCode, 200)
  await assert.rejects(fetch(`${url}/livez`, { headers: { connection: 'close' } }), 'no new connection is taken')
  resolve()
  assert.deepEqual(await (await slow).json(), { done: true })
  assert.equal(await drained, 0)
})

test('drain cuts what is still under way when the grace is over, and counts it', async () => {
  const at = await serving()
  const { promise: started, resolve: start } = deferred<void>()
  at.app.get('/stuck', () => {
    start()
    return new Promise(() => {})
  })
  const url = await at.listen()
  const stuck = fetch(`${url}/stuck`)
  await started
  const [lost] = await Promise.all([at.service.drain(20), assert.rejects(stuck)])
  assert.equal(lost, 1)
})

test('openService ends a connection whose headers do not come, and one that does not speak HTTP', async () => {
  await using at = await serving({ headersTimeoutMs: 100 })
  const port = Number(new URL(await at.listen()).port)
  const told = async (words: string) => {
    const socket = connect(port, '127.0.0.1')
    socket.write(words)
    let text = ''
    socket.on('data', piece => (text += String(piece)))
    await once(socket, 'close')
    return text
  }
  const [slow, odd] = await Promise.all([told('GET /livez HTTP/1.1\r\nhost: x\r\n'), told('SSH-2.0-x\r\n\r\n')])
  assert.match(slow, /^HTTP\/1\.1 408 /)
  assert.match(odd, /^HTTP\/1\.1 400 /)
  assert.match(odd, /"code":"bad_request"/)
})

test('openService answers 408 when a body does not come, and cuts a stream that pauses', async () => {
  await using at = await serving({ bodyTimeoutMs: 100 })
  at.app.addContentTypeParser('text/plain', (_, payload, done) => done(null, payload))
  at.app.post('/stream', async request => {
    let bytes = 0
    for await (const piece of request.body as AsyncIterable<Buffer>) bytes += piece.length
    return { bytes }
  })
  const port = Number(new URL(await at.listen()).port)
  const told = async (path: string, type: string) => {
    const socket = connect(port, '127.0.0.1')
    socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: 9\r\n\r\n{"a"`)
    let text = ''
    socket.on('data', piece => (text += String(piece)))
    await once(socket, 'close')
    return text
  }
  const [whole, streamed] = await Promise.all([told('/echo', 'application/json'), told('/stream', 'text/plain')])
  assert.match(whole, /^HTTP\/1\.1 408 [\s\S]*"request_timeout"/)
  assert.doesNotMatch(streamed, / 200 /)
  assert.equal(at.service.inFlight, 0)
})

test('clientSignal aborts when the client goes away before the answer, and not after it', async () => {
  await using at = await serving()
  const gone = deferred<boolean>()
  const begun = deferred<void>()
  let answered: AbortSignal | undefined
  at.app.get('/wait', (_, reply) => {
    clientSignal(reply).addEventListener('abort', () => gone.resolve(true))
    begun.resolve()
    return gone.promise
  })
  at.app.get('/quick', (_, reply) => {
    answered = clientSignal(reply)
    return {}
  })
  const url = await at.listen()
  const controller = new AbortController()
  const waiting = fetch(`${url}/wait`, { signal: controller.signal })
  await begun.promise
  controller.abort()
  await assert.rejects(waiting)
  assert.equal(await gone.promise, true)
  await (await fetch(`${url}/quick`)).text()
  assert.equal(answered!.aborted, false)
})

test('bearerKeys lets only known keys pass, and everybody when there is none', async () => {
  const hook = bearerKeys(['alpha', 'beta', ''])
  const call = (authorization?: string) => hook({ headers: authorization === undefined ? {} : { authorization } })
  await call('Bearer alpha')
  await call('bearer beta')
  for (const odd of [undefined, '', 'Bearer', 'Bearer ', 'Bearer gamma', 'Basic alpha', 'Bearer alpha beta']) {
    await assert.rejects(call(odd), { status: 401, code: 'invalid_api_key' })
  }
  await bearerKeys([])({ headers: {} })
})

test('parseWith names the field when a value does not fit', () => {
  const schema = z.object({ options: z.object({ beam: z.number().int() }) })
  assert.deepEqual(parseWith(schema, { options: { beam: 5 } }), { options: { beam: 5 } })
  assert.throws(() => parseWith(schema, { options: { beam: '5' } }), {
    status: 400,
    details: { param: 'options.beam' },
  })
  assert.throws(() => parseWith(schema, null), { status: 400, code: 'invalid_request' })
})

test('openEventStream sends events in both forms as they come', async () => {
  await using at = await serving()
  for (const form of ['sse', 'ndjson'] as const) {
    at.app.get(`/${form}`, async (_, reply) => {
      const stream = openEventStream(reply, form)
      await stream.send({ n: 1 })
      await stream.send({ text: 'a\nb' })
      stream.end('[DONE]')
    })
  }
  const url = await at.listen()
  const sse = await fetch(`${url}/sse`)
  assert.match(sse.headers.get('content-type')!, /^text\/event-stream/)
  assert.ok(sse.headers.get('x-request-id'))
  assert.equal(await sse.text(), 'data: {"n":1}\n\ndata: {"text":"a\\nb"}\n\ndata: [DONE]\n\n')
  assert.equal(await (await fetch(`${url}/ndjson`)).text(), '{"n":1}\n{"text":"a\\nb"}\n')
})

test('openEventStream throws when the client has gone', async () => {
  await using at = await serving()
  const told = deferred<unknown>()
  at.app.get('/endless', async (_, reply) => {
    const stream = openEventStream(reply, 'ndjson')
    try {
      for (;;) {
        await stream.send({ filler: 'x'.repeat(10_000) })
        await new Promise(resolve => setImmediate(resolve))
      }
    } catch (thrown) {
      told.resolve(thrown)
    }
  })
  const controller = new AbortController()
  const answer = await fetch(`${await at.listen()}/endless`, { signal: controller.signal })
  await answer.body!.getReader().read()
  controller.abort()
  assert.match(String(await told.promise), /the client went away/)
})

test('readUpload takes a form from a real client through a route', async () => {
  await using at = await serving({ bodyBytesMax: 10 })
  at.app.addContentTypeParser('multipart/form-data', (_, payload, done) => done(null, payload))
  at.app.post('/upload', async request => {
    await using upload = await readUpload(request.headers['content-type'], request.body as AsyncIterable<Buffer>, {
      fileBytesMax: 100_000,
    })
    return {
      fields: Object.fromEntries(upload.fields),
      files: upload.files.map(({ name, bytes }) => ({ name, bytes })),
    }
  })
  const form = new FormData()
  form.set('model', 'tiny')
  form.set('file', new Blob([new Uint8Array(70_000)]), 'a.wav')
  const answer = await fetch(`${await at.listen()}/upload`, { method: 'POST', body: form })
  assert.deepEqual(await answer.json(), { fields: { model: ['tiny'] }, files: [{ name: 'a.wav', bytes: 70_000 }] })
})
