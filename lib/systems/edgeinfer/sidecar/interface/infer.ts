/**
 * The routes that answer windows: `POST /infer` and, for the client that posts to the base URL, `POST /`.
 *
 * A body is JSON or 3,600 bytes of float32. The answer is JSON, or float32 (latent, then motif scores) for a client
 * that accepts `application/octet-stream` before JSON.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { float32Text } from '../../../../base/number-text.ts'
import { Problem } from '../../../../serve/http.ts'
import type { Answer } from '../../model/engine.ts'
import { joined } from '../../export/golden.ts'
import { schemaHint } from '../../window/layout.ts'
import { parseWindow, windowFromBytes } from '../../window/parse.ts'
import type { Sidecar } from '../sidecar.ts'

/** Add the routes, in a scope with parsers of their own. */
export async function addInferRoutes(app: FastifyInstance, sidecar: Sidecar): Promise<void> {
  await app.register(async scope => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_, body, done) => done(null, body))
    scope.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_, body, done) => done(null, body))
    const handler = (request: FastifyRequest, reply: FastifyReply) => answerInfer(sidecar, request, reply)
    scope.post('/infer', handler)
    scope.post('/', handler)
  })
}

async function answerInfer(sidecar: Sidecar, request: FastifyRequest, reply: FastifyReply) {
  const { desk } = sidecar
  const isBinary = request.headers['content-type']?.startsWith('application/octet-stream') === true
  const body = (request.body ?? Buffer.alloc(0)) as Buffer
  const window = isBinary ? windowFromBytes(body) : parseWindow(body)
  const answered = await desk.answer({
    window,
    deadlineMs: deadlineOf(request),
    onWait: cancel => reply.raw.once('close', cancel),
  })
  sidecar.served({ window, answered, requestId: request.id, route: '/infer' })
  markReply(reply, sidecar, answered.model)
  if (request.headers.accept?.startsWith('application/octet-stream')) {
    const row = joined([answered.latent])
    const bytes = Buffer.concat([Buffer.from(row.buffer), Buffer.from(answered.motifScores.buffer)])
    return reply.type('application/octet-stream').send(bytes)
  }
  return reply.type('application/json; charset=utf-8').send(answerText(answered))
}

/** Say in headers which model answered, and that it is a stub where it is. */
export function markReply(reply: FastifyReply, sidecar: Sidecar, model: string): void {
  reply.header('x-model', model)
  if (sidecar.isStub) reply.header('x-stub', 'true')
}

/** `{"latent":[…],"motif_scores":[…]}`; rounded to float32 its numbers are the model's, bit for bit. */
const answerText = ({ latent, motifScores }: Answer): string =>
  `{"latent":[${float32Text(latent)}],"motif_scores":[${float32Text(motifScores)}]}`

/**
 * The client's patience in ms from `x-deadline-ms`, or undefined without one.
 * @throws Problem 400 `invalid_deadline`
 */
export function deadlineOf(request: FastifyRequest): number | undefined {
  const given = request.headers['x-deadline-ms']
  if (given === undefined) return undefined
  const ms = Number(given)
  if (typeof given === 'string' && given.trim() !== '' && ms > 0 && ms <= 600_000) return ms
  throw new Problem(400, 'invalid_deadline', `x-deadline-ms is "${String(given)}", and 1 to 600000 is wanted`, {
    details: { schema_hint: schemaHint },
  })
}
