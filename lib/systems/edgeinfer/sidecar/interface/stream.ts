/**
 * `POST /stream`: samples in, one result a hop out, both as lines of JSON while they come.
 *
 * A line in is one sample `[ax, …, mz]`, or several `[[…], …]`. After 100 samples, and then every `hop` (from the
 * query; 100 unless given), a line goes out: `{"sample": <index of the window's last>, "latent": […], "motif_scores":
 * […]}`. A bad line ends the stream with a line `{"error": …}`, for the status was sent long before.
 */
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { openEventStream, type EventStream } from '../../../../serve/event-stream.ts'
import { Problem, problemFrom } from '../../../../serve/problem.ts'
import { openWindowEncoder, type WindowEncoder } from '../../model/incremental.ts'
import { goldenOf } from '../../model/self-test.ts'
import { stubAnswer, stubName } from '../../model/stub.ts'
import { channelMax, windowChannels, windowSamples, windowSize } from '../../window/layout.ts'
import { markReply } from './infer.ts'
import type { Sidecar } from '../sidecar.ts'

/** Longer lines are refused: nobody needs a hundred windows in one. */
const lineCharactersMax = 1 << 20

/** Add the route. */
export async function addStreamRoute(app: FastifyInstance, sidecar: Sidecar): Promise<void> {
  await app.register(async scope => {
    scope.removeAllContentTypeParsers()
    for (const type of ['application/x-ndjson', 'application/json'])
      scope.addContentTypeParser(type, (_, payload, done) => done(null, payload))
    scope.post('/stream', (request, reply) => answerStream(sidecar, request, reply))
  })
}

async function answerStream(sidecar: Sidecar, request: FastifyRequest, reply: FastifyReply) {
  const hop = hopOf(request)
  const encoder = await openEncoder(sidecar, hop)
  markReply(reply, sidecar, sidecar.desk.model)
  reply.header('x-incremental', String(encoder.isIncremental))
  const stream = openEventStream(reply, 'ndjson')
  try {
    await answerLines(sidecar, request.body as Readable, { encoder, hop, stream })
  } catch (thrown) {
    const { code, message } = problemFrom(thrown)
    await stream.send({ error: { code, message, request_id: request.id } }).catch(() => {})
  } finally {
    await encoder[Symbol.asyncDispose]()
    stream.end()
  }
}

function hopOf(request: FastifyRequest): number {
  const { hop = String(windowSamples) } = request.query as { hop?: string }
  const value = Number(hop)
  if (Number.isInteger(value) && value >= 1 && value <= windowSamples) return value
  throw new Problem(400, 'invalid_hop', `hop is "${hop}", and 1 to ${windowSamples} is wanted`)
}

async function openEncoder(sidecar: Sidecar, hop: number): Promise<WindowEncoder> {
  const { life } = sidecar
  if (life === null) {
    return {
      isIncremental: false,
      next: async window => stubAnswer(window, sidecar.motifs),
      [Symbol.asyncDispose]: async () => {},
    }
  }
  const { engine, error } = life.state
  if (engine === null) throw new Problem(503, 'model_unavailable', `The model cannot answer: ${error}`)
  return openWindowEncoder(engine, { hop, golden: await goldenOf(engine) })
}

async function answerLines(
  sidecar: Sidecar,
  body: Readable,
  { encoder, hop, stream }: { encoder: WindowEncoder; hop: number; stream: EventStream },
): Promise<void> {
  const recent = new Float32Array(windowSize)
  let count = 0
  const lines = createInterface({ input: body, crlfDelay: Infinity })
  let number = 0
  for await (const line of lines) {
    number++
    if (line.trim() === '') continue
    for (const sample of samplesOf(line, number)) {
      recent.copyWithin(0, windowChannels)
      recent.set(sample, windowSize - windowChannels)
      count++
      if (count < windowSamples || (count - windowSamples) % hop !== 0) continue
      const { latent, motifScores } = await encoder.next(recent.slice())
      sidecar.families.stream(1)
      await stream.send({ sample: count - 1, latent: Array.from(latent), motif_scores: Array.from(motifScores) })
    }
  }
  if (sidecar.isStub) sidecar.families.answered({ status: 'success', model: stubName, code: '' })
}

function samplesOf(line: string, number: number): Float32Array[] {
  const refuse = (why: string) => new Problem(400, 'invalid_sample', `line ${number} ${why}`)
  if (line.length > lineCharactersMax) throw refuse('is too long')
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw refuse('is no JSON')
  }
  if (!Array.isArray(value)) throw refuse('is no list')
  const rows = (Array.isArray(value[0]) ? value : [value]) as unknown[]
  return rows.map(row => {
    if (!Array.isArray(row) || row.length !== windowChannels)
      throw refuse(`has a sample that is not ${windowChannels} numbers`)
    const odd = row.findIndex((each, c) => typeof each !== 'number' || !(Math.abs(Math.fround(each)) <= channelMax[c]!))
    if (odd >= 0) throw refuse(`has ${JSON.stringify(row[odd])} in channel ${odd}, which is no number within its range`)
    return Float32Array.from(row as number[])
  })
}
