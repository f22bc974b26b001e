/**
 * Opens an HTTP service that names every request, answers errors in one form, bounds what clients may do, and drains.
 *
 * Routes are written straight on `app`, a Fastify instance. What stands here is what every service needs around them:
 * request ids in and out, limits on bodies, headers and time, errors as the service's own body, answers for unknown
 * paths and methods, an address that says why it cannot be had, and an end in which no accepted request is lost.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { STATUS_CODES } from 'node:http'
import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { blockedError } from '../base/errors.ts'
import { mayAsk, stopAccepting } from './drain.ts'
import { Problem, problemFrom } from './problem.ts'

export { Problem, parseWith } from './problem.ts'

/** What a service is made of. Times in ms. */
export interface ServiceOptions {
  /** The largest body that is read, in bytes, unless a route says otherwise. */
  readonly bodyBytesMax: number
  /** The body of an error; by default `{error: {code, message, request_id, …details}}`. */
  readonly errorBody?: ErrorBody
  /** Told of every problem that is answered, for counting. */
  readonly onProblem?: (problem: Problem, path: string) => void
  /** How long a client may take for its headers; 10 000 unless told. */
  readonly headersTimeoutMs?: number
  /**
   * How long a client may take for a body that is read whole, and how long it may pause within one that a route reads
   * as a stream; 30 000 unless told.
   */
  readonly bodyTimeoutMs?: number
  /** How long an idle connection is kept; 5 000 unless told. */
  readonly keepAliveTimeoutMs?: number
  /** How many connections may be open at once; unbounded unless told. */
  readonly connectionsMax?: number
  /** Paths that are still answered while the service drains, such as `/healthz`. */
  readonly whileDraining?: readonly string[]
  /** Where log lines go, one JSON object each; nowhere unless told. */
  readonly log?: { readonly level: string; readonly write: (line: string) => void }
}

/** Makes the body of an error; the path tells which of a service's interfaces was called. */
export type ErrorBody = (problem: Problem, requestId: string, path: string) => unknown

/** An open service. */
export interface Service {
  readonly app: FastifyInstance
  /** True once `drain` was called. */
  readonly draining: boolean
  /** Requests that were accepted and not answered yet. */
  readonly inFlight: number
  /**
   * Listen.
   * @param o.port 0 takes any free one
   * @returns the address, such as `http://127.0.0.1:9000`
   * @throws RunbookError blocked when the port is in use or may not be taken
   */
  listen(o: { host: string; port: number }): Promise<string>
  /**
   * Take no new connections, refuse new requests, wait until all that were accepted are answered and those who are
   * connected are silent, and close.
   * @param graceMs how long to wait at most; then connections are cut
   * @returns how many requests were cut off
   */
  drain(graceMs: number): Promise<number>
}

const defaultErrorBody: ErrorBody = (problem, requestId) => ({
  error: { code: problem.code, message: problem.message, ...problem.details, request_id: requestId },
})

/**
 * Make a service; it listens when `listen` is called.
 *
 * @example
 * ```ts
 * const service = await openService({ bodyBytesMax: 1_000_000 })
 * service.app.get('/livez', () => ({ ok: true }))
 * await service.listen({ host: '127.0.0.1', port: 0 })
 * await service.drain(1000)
 * ```
 */
export async function openService(o: ServiceOptions): Promise<Service> {
  const errorBody = o.errorBody ?? defaultErrorBody
  const state = { draining: false, inFlight: 0, latestMs: 0 }
  const app = await makeApp(o, errorBody)
  const spared = new Set(o.whileDraining ?? [])
  const methods = new Map<string, Set<string>>()
  app.addHook('onRoute', route => {
    const known = methods.get(route.url) ?? new Set()
    for (const method of [route.method].flat()) known.add(method)
    methods.set(route.url, known)
  })
  const bodies: PendingBodies = new Map()
  // Hooks of this file call back: what an async hook costs is paid for every request.
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    state.inFlight++
    reply.raw.once('close', () => {
      state.inFlight--
      bodies.delete(request)
    })
    const encoding = request.headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') return done(unknownEncoding(encoding))
    if (!state.draining) return done()
    state.latestMs = performance.now()
    reply.header('connection', 'close')
    if (spared.has(pathOf(request))) return done()
    done(new Problem(503, 'draining', 'The service is stopping', { headers: { 'retry-after': '1' } }))
  })
  const answer = (problem: Problem, request: FastifyRequest, reply: FastifyReply) => {
    o.onProblem?.(problem, pathOf(request))
    return answerProblem(problem, request, reply, errorBody)
  }
  app.setErrorHandler((thrown, request, reply) => answer(problemFrom(thrown), request, reply))
  app.setNotFoundHandler((request, reply) => answer(missing(request, methods), request, reply))
  boundBodies(app, bodies, o.bodyTimeoutMs ?? 30_000, answer)
  return {
    app,
    get draining() {
      return state.draining
    },
    get inFlight() {
      return state.inFlight
    },
    async listen({ host, port }) {
      try {
        return await app.listen({ host, port })
      } catch (thrown) {
        throw listenError(thrown, host, port)
      }
    },
    async drain(graceMs) {
      state.draining = true
      state.latestMs = performance.now()
      stopAccepting(app.server)
      const endMs = performance.now() + graceMs
      while ((state.inFlight > 0 || (await mayAsk(app.server, state.latestMs))) && performance.now() < endMs)
        await sleep(5)
      const lost = state.inFlight
      app.server.closeAllConnections()
      await app.close()
      return lost
    },
  }
}

async function makeApp(o: ServiceOptions, errorBody: ErrorBody) {
  const { fastify, LogController } = await import('fastify')
  const app = fastify({
    bodyLimit: o.bodyBytesMax,
    // Bodies are bounded by `boundBodies`: node's own bound would also cut streams that last.
    requestTimeout: 0,
    keepAliveTimeout: o.keepAliveTimeoutMs ?? 5000,
    http: {
      headersTimeout: o.headersTimeoutMs ?? 10_000,
      connectionsCheckingInterval: Math.min(1000, o.headersTimeoutMs ?? 1000),
    },
    forceCloseConnections: true,
    return503OnClosing: false,
    genReqId: requestIdOf,
    requestIdHeader: false,
    logger: o.log ? { level: o.log.level, stream: { write: o.log.write } } : false,
    logController: new LogController({ disableRequestLogging: true }),
    ajv: { customOptions: { coerceTypes: false } },
    clientErrorHandler: (thrown, socket) => answerBrokenClient(thrown, socket, errorBody),
    routerOptions: { maxParamLength: 500 },
  })
  if (o.connectionsMax !== undefined) app.server.maxConnections = o.connectionsMax
  return app
}

/** The client's own id where it is a short plain word, so that logs of both sides can be joined; else a new one. */
function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID()
}

const bodyIsUnderWay = ({ raw }: FastifyRequest) =>
  !raw.complete && (raw.headers['transfer-encoding'] !== undefined || Number(raw.headers['content-length']) > 0)

/** Requests whose body is under way. */
type PendingBodies = Map<FastifyRequest, { readonly reply: FastifyReply; readonly sinceMs: number }>

/**
 * Answer 408 when a body that is read whole does not come in time, and cut a connection that pauses too long within a
 * body that is read as a stream.
 */
function boundBodies(
  app: FastifyInstance,
  bodies: PendingBodies,
  limitMs: number,
  answer: (problem: Problem, request: FastifyRequest, reply: FastifyReply) => unknown,
): void {
  const sweep = setInterval(
    () => {
      for (const [request, { reply, sinceMs }] of bodies) {
        if (performance.now() - sinceMs < limitMs) return
        bodies.delete(request)
        reply.header('connection', 'close')
        answer(new Problem(408, 'request_timeout', `The body did not come within ${limitMs / 1000} s`), request, reply)
      }
    },
    Math.min(1000, limitMs / 2),
  ).unref()
  app.addHook('onClose', async () => clearInterval(sweep))
  app.addHook('preParsing', (request, reply, payload, done) => {
    if (bodyIsUnderWay(request)) bodies.set(request, { reply, sinceMs: performance.now() })
    done(null, payload)
  })
  app.addHook('preHandler', (request, reply, done) => {
    bodies.delete(request)
    const { socket } = request.raw
    // A body that was read whole is no stream any more; without a socket there is nobody who could pause.
    if (request.body === request.raw && socket instanceof Socket) {
      // The connection outlives the request, so what listens to it is taken off again.
      const cut = () => socket.destroy()
      socket.setTimeout(limitMs, cut)
      // Once all has come, the answer may take as long as it must.
      request.raw.once('end', () => socket.setTimeout(0, cut))
      reply.raw.once('close', () => socket.setTimeout(0, cut))
    }
    done()
  })
}

const unknownEncoding = (encoding: string) =>
  new Problem(415, 'unsupported_content_encoding', `The body is ${encoding}, and plain bodies are read`, {
    // What the answer to such a request has to name (RFC 9110, section 12.5.3).
    headers: { 'accept-encoding': 'identity' },
  })

const pathOf = (request: FastifyRequest) => request.url.split('?', 1)[0]!

function answerProblem(problem: Problem, request: FastifyRequest, reply: FastifyReply, errorBody: ErrorBody) {
  const facts = { code: problem.code, status: problem.status, path: pathOf(request) }
  if (problem.status >= 500 && problem.code === 'internal')
    request.log.error({ ...facts, err: problem.cause }, 'request failed')
  else request.log.info(facts, problem.message)
  // A body that was refused may still be under way; the connection cannot be used for another request.
  if (problem.status === 413) reply.header('connection', 'close')
  return reply
    .code(problem.status)
    .headers(problem.headers)
    .send(errorBody(problem, request.id, facts.path))
}

function missing(request: FastifyRequest, methods: ReadonlyMap<string, ReadonlySet<string>>): Problem {
  const path = pathOf(request)
  const known = methods.get(path)
  if (known === undefined) return new Problem(404, 'not_found', `There is nothing at ${path}`)
  const allow = [...known].toSorted().join(', ')
  return new Problem(405, 'method_not_allowed', `${path} takes ${allow}`, { headers: { allow } })
}

/** Statuses of what node's parser refuses before there is a request. */
const clientStatuses: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
}

function answerBrokenClient(thrown: Error & { code?: string }, socket: Socket, errorBody: ErrorBody): void {
  if (thrown.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const status = clientStatuses[thrown.code ?? ''] ?? 400
  const body = JSON.stringify(errorBody(problemFrom({ statusCode: status, message: 'The request is broken' }), '', ''))
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\nconnection: close`
  socket.end(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

function listenError(thrown: unknown, host: string, port: number): unknown {
  const why = {
    EADDRINUSE: 'another program listens there',
    EACCES: 'this user may not take it',
    EADDRNOTAVAIL: 'this machine has no such address',
    ENOTFOUND: 'the host name is unknown',
  }[(thrown as NodeJS.ErrnoException).code ?? '']
  if (why === undefined) return thrown
  return blockedError(`Cannot listen on "${host}:${port}": ${why}`, 'give another --port, or --port 0 for any', thrown)
}

/**
 * A signal that aborts when the client goes away before its answer is complete, so that work for nobody can stop.
 *
 * @example
 * ```ts
 * const service = await openService({ bodyBytesMax: 1000 })
 * service.app.get('/slow', async (_, reply) => ({ gone: clientSignal(reply).aborted }))
 * ```
 */
export function clientSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(new Error('the client went away'))
  })
  return controller.signal
}
