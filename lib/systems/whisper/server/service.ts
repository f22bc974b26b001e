/**
 * The Whisper service: OpenAI's routes over one model, bounded, observed and drained.
 *
 * With no model it starts all the same: `/health` says so, `/health/ready` is 503 with the reason and the command that
 * helps, and a transcription is refused. It never answers with text that no model heard.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { asError } from '../../../base/errors.ts'
import type { Backend } from '../../../infer/backend.ts'
import { Admission, Refusal } from '../../../serve/admission.ts'
import { bearerKeys } from '../../../serve/auth.ts'
import { openEventStream } from '../../../serve/event-stream.ts'
import { clientSignal, openService, Problem, type Service, type ServiceOptions } from '../../../serve/http.ts'
import { metricsContentType } from '../../../serve/metrics.ts'
import { readUpload } from '../../../serve/multipart.ts'
import type { ServiceConfig } from '../service-config.ts'
import { answerOf, logprobsOf, textOf, usageOf } from './answer.ts'
import { apiError, errorBody } from './errors.ts'
import { openServiceMetrics, type ServiceMetrics } from './metrics.ts'
import { ModelLife, type OpenTranscriber } from './model-life.ts'
import { decodeUpload, recognise } from './recognise.ts'
import { readRequest, type TranscriptionRequest } from './request.ts'
import type { TranscribedSegment, Transcription } from './transcriber.ts'

/** What the service is made of. */
export interface WhisperServiceOptions {
  readonly config: ServiceConfig
  readonly open: OpenTranscriber
  readonly silero?: Backend
  readonly log?: ServiceOptions['log']
  /** Seconds since 1970 that `/v1/models` tells as the model's age. */
  readonly created?: number
}

/** An open service; `service.listen` makes it reachable. */
export interface WhisperService {
  readonly service: Service
  readonly model: ModelLife
  /** How many recordings were transcribed since the start. */
  transcriptions(): number
  /** Answer what was accepted, then close server and model. @returns how many requests were cut off */
  close(graceMs: number): Promise<number>
}

/** OpenAI's own name for this kind of model, which clients send when they do not care. */
const alias = 'whisper-1'
/** What the form around a file may take. */
const formBytes = 65_536
const openPaths = new Set(['/health', '/health/ready', '/metrics'])

/** Everything that routes share. */
interface Parts {
  readonly options: WhisperServiceOptions
  readonly model: ModelLife
  readonly admission: Admission
  readonly metrics: ServiceMetrics
  readonly startedMs: number
}

/** Make the service; it listens when `service.listen` is called, and is ready after `model.selfTest`. */
export async function openWhisperService(options: WhisperServiceOptions): Promise<WhisperService> {
  const { config } = options
  const service = await openService({
    bodyBytesMax: config.server.max_upload_bytes + formBytes,
    errorBody,
    bodyTimeoutMs: 120_000,
    whileDraining: [...openPaths],
    ...(options.log && { log: options.log }),
  })
  const model = new ModelLife(options.open, { keepAliveS: config.model.keep_alive })
  // One model answers one recording at a time.
  const admission = new Admission({ slots: 1, queueMax: config.server.queue, firstEstimateMs: 2000 })
  const metrics = await openServiceMetrics({ admission, model })
  const parts: Parts = { options, model, admission, metrics, startedMs: performance.now() }
  addRoutes(service, parts)
  return {
    service,
    model,
    transcriptions: () => metrics.transcriptions(),
    async close(graceMs) {
      const lost = await service.drain(graceMs)
      await model.close()
      metrics.close()
      return lost
    },
  }
}

function addRoutes({ app }: Service, parts: Parts): void {
  const { config } = parts.options
  const checkKey = bearerKeys(config.server.api_keys)
  app.addHook('onRequest', async request => {
    if (!openPaths.has(request.url.split('?', 1)[0]!)) await checkKey(request)
  })
  // The body stays a stream: it is cut into fields and files as it arrives.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('multipart/form-data', (_, payload, done) => done(null, payload))
  app.addContentTypeParser('*', (_, payload, done) => {
    payload.resume()
    done(apiError('The body must be multipart/form-data', { status: 415 }))
  })
  for (const [path, task] of [
    ['/v1/audio/transcriptions', 'transcribe'],
    ['/v1/audio/translations', 'translate'],
  ] as const) {
    app.post(path, async (request, reply) => await answerUpload(parts, { request, reply, task }))
  }
  app.get('/v1/models', () => ({ object: 'list', data: [modelObject(parts)] }))
  app.get<{ Params: { id: string } }>('/v1/models/:id', ({ params }) => {
    if (isOurs(parts, params.id)) return modelObject(parts)
    throw noSuchModel(params.id)
  })
  app.get('/health', () => healthOf(parts))
  app.get('/health/ready', (_, reply) => {
    const { readiness } = parts.model
    return reply.code(readiness.ready ? 200 : 503).send(readiness)
  })
  app.get('/metrics', async (_, reply) => reply.type(metricsContentType).send(await parts.metrics.text()))
}

const isOurs = ({ options }: Parts, id: string) => id === options.config.model.name || id === alias

const noSuchModel = (id: string) =>
  apiError(`The model '${id}' does not exist`, { status: 404, param: 'model', code: 'model_not_found' })

const modelObject = ({ options }: Parts) => ({
  id: options.config.model.name,
  object: 'model',
  created: options.created ?? 0,
  owned_by: 'hailo-whisper',
})

function healthOf({ options, model, metrics, startedMs }: Parts) {
  const { readiness } = model
  return {
    status: 'ok',
    model: options.config.model.name,
    model_loaded: model.isLoaded,
    uptime_seconds: Math.floor((performance.now() - startedMs) / 1000),
    transcriptions_processed: metrics.transcriptions(),
    device: model.title || null,
    ...(!readiness.ready && { problem: readiness.reason }),
  }
}

interface Exchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly task: TranscriptionRequest['task']
}

async function answerUpload(parts: Parts, { request, reply, task }: Exchange): Promise<FastifyReply> {
  const { config } = parts.options
  const gone = clientSignal(reply)
  refuseEarly(parts, request)
  const { 'content-type': contentType } = request.headers
  await using upload = await readUpload(contentType, request.body as AsyncIterable<Buffer>, {
    fileBytesMax: config.server.max_upload_bytes,
    filesMax: 1,
  }).catch(thrown => {
    throw sizeError(thrown, request, config.server.max_upload_bytes)
  })
  const wanted = readRequest(upload, task, { language: config.transcription.language })
  if (!isOurs(parts, wanted.model)) throw noSuchModel(wanted.model)
  try {
    return await parts.admission.admit(
      async waitedMs => {
        parts.metrics.waited(waitedMs / 1000)
        const startedMs = performance.now()
        const secondsMax = config.transcription.max_audio_duration_seconds
        const samples = await decodeUpload(wanted.file.path, { secondsMax, signal: gone })
        const work = (onSegment?: (segment: TranscribedSegment) => void) =>
          parts.model.use(
            async model =>
              await recognise(model, samples, {
                request: wanted,
                config: config.transcription,
                silero: parts.options.silero,
                signal: gone,
                ...(onSegment && { onSegment }),
              }),
          )
        const done = (transcription: Transcription) => {
          const seconds = (performance.now() - startedMs) / 1000
          parts.metrics.transcribed({ audioSeconds: transcription.duration, seconds })
          request.log.info({ ...usageOf(transcription), took_seconds: seconds, waited_ms: waitedMs }, 'transcribed')
        }
        return wanted.isStream ? await stream(reply, wanted, work, done) : await whole(reply, wanted, work, done)
      },
      { signal: gone },
    )
  } catch (thrown) {
    if (gone.aborted) return reply.hijack()
    throw thrown instanceof Refusal ? refusalOf(thrown) : thrown
  }
}

type Work = (onSegment?: (segment: TranscribedSegment) => void) => Promise<Transcription>

async function whole(
  reply: FastifyReply,
  wanted: TranscriptionRequest,
  work: Work,
  done: (transcription: Transcription) => void,
): Promise<FastifyReply> {
  const transcription = await work()
  done(transcription)
  const { contentType, body } = answerOf(transcription, wanted)
  return reply.type(contentType).send(body)
}

/** Each segment as it is heard, then the whole. The head goes out with the first, so a refusal keeps its status. */
async function stream(
  reply: FastifyReply,
  wanted: TranscriptionRequest,
  work: Work,
  done: (transcription: Transcription) => void,
): Promise<FastifyReply> {
  let events: ReturnType<typeof openEventStream> | null = null
  let sent = Promise.resolve()
  const send = (event: unknown) => {
    events ??= openEventStream(reply, 'sse')
    const { send: write } = events
    sent = sent.then(() => write(event))
    sent.catch(() => {})
  }
  try {
    const transcription = await work(segment => {
      const logprobs = wanted.withLogprobs ? { logprobs: logprobsOf([segment]) } : {}
      send({ type: 'transcript.text.delta', delta: segment.text, ...logprobs })
    })
    done(transcription)
    const end = { text: textOf(transcription), usage: usageOf(transcription) }
    const logprobs = wanted.withLogprobs ? { logprobs: logprobsOf(transcription.segments) } : {}
    send({ type: 'transcript.text.done', ...end, ...logprobs })
    await sent
  } catch (thrown) {
    if (events === null) throw thrown
    const problem = thrown instanceof Problem ? thrown : apiError(asError(thrown).message, { type: 'server_error' })
    send(errorBody(problem))
  }
  await sent.catch(() => {})
  events!.end('[DONE]')
  return reply
}

/** Before the body is read: what its own length says is too much, or finds the queue full, is not taken in at all. */
function refuseEarly({ admission, options }: Parts, request: FastifyRequest): void {
  const { max_upload_bytes: most, queue } = options.config.server
  const length = Number(request.headers['content-length'] ?? 0)
  if (length > most + formBytes) throw tooLarge(most, length)
  if (admission.running > 0 && admission.waiting >= queue) throw refusalOf(new Refusal('full', admission.waitMs))
}

const tooLarge = (most: number, read: number) =>
  apiError(`Maximum content size limit (${most}) exceeded (${read} bytes read)`, { status: 413, type: 'server_error' })

function sizeError(thrown: unknown, request: FastifyRequest, most: number): unknown {
  const isSize = thrown instanceof Problem && thrown.status === 413
  // Without a length reading ends at the first byte that is too much.
  const read = Number(request.headers['content-length'] ?? 0)
  return isSize ? tooLarge(most, Math.max(read, most + 1)) : thrown
}

function refusalOf(refusal: Refusal): Problem {
  const headers = { 'retry-after': String(refusal.retryAfterS) }
  if (refusal.reason === 'draining') {
    return apiError('The service is stopping', { status: 503, type: 'server_error', code: 'draining', headers })
  }
  return apiError('Too many requests are waiting; try again later', {
    status: 429,
    type: 'rate_limit_error',
    code: 'rate_limit_exceeded',
    headers,
  })
}
