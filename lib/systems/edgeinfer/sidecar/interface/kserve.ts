/**
 * KServe's Open Inference Protocol, version 2, over HTTP: health, metadata and inference, also in its binary form.
 *
 * In the binary form the body is a JSON document of `Inference-Header-Content-Length` bytes, followed by the tensors'
 * own bytes, little-endian. Both public Python clients, tritonclient and kserve, send it so; tritonclient names no
 * content type at all. Of Triton's extensions `timeout` (µs) is taken as the deadline, and classification is refused.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { parseWith, Problem } from '../../../../serve/http.ts'
import { edgeinferContract } from '../../contract.ts'
import { schemaHint, windowChannels, windowSamples, windowSize } from '../../window/layout.ts'
import { windowFromBytes, windowFromRows } from '../../window/parse.ts'
import type { Answered } from '../ask.ts'
import { deadlineOf, markReply } from './infer.ts'
import type { Sidecar } from '../sidecar.ts'

const { service, names, model } = edgeinferContract()

/** The model's name in this protocol, whatever file serves. */
export const kserveModel = names.onnx.replace('.onnx', '')

const headerName = 'inference-header-content-length'
const inputName = 'imu_window'

const parameters = z
  .looseObject({
    binary_data_size: z.int().optional(),
    binary_data: z.boolean().optional(),
    classification: z.unknown().optional(),
  })
  .optional()
const requestSchema = z.looseObject({
  id: z.string().optional(),
  parameters: z
    .looseObject({ binary_data_output: z.boolean().optional(), timeout: z.number().positive().optional() })
    .optional(),
  inputs: z
    .array(
      z.looseObject({
        name: z.string(),
        shape: z.array(z.int()),
        datatype: z.string(),
        parameters,
        data: z.array(z.unknown()).optional(),
      }),
    )
    .length(1),
  outputs: z.array(z.looseObject({ name: z.string(), parameters })).optional(),
})

type InferRequest = z.infer<typeof requestSchema>

/** Add the routes, in a scope that takes any content type. */
export async function addKserveRoutes(app: FastifyInstance, sidecar: Sidecar): Promise<void> {
  await app.register(async scope => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body))
    const ready = (_: unknown, reply: FastifyReply) => {
      const reason = sidecar.notReady()
      return reply.code(reason === null ? 200 : 503).send({ ready: reason === null })
    }
    scope.get('/v2', () => ({ name: service.name, version: service.version, extensions: ['binary_tensor_data'] }))
    scope.get('/v2/health/live', () => ({ live: true }))
    scope.get('/v2/health/ready', ready)
    for (const path of ['/v2/models/:model', '/v2/models/:model/versions/:version']) {
      scope.get(path, request => {
        knownModel(request)
        return metadata(sidecar)
      })
      scope.get(`${path}/ready`, (request, reply) => {
        knownModel(request)
        return ready(request, reply)
      })
      scope.post(`${path}/infer`, (request, reply) => answerInfer(sidecar, request, reply))
    }
  })
}

function knownModel(request: FastifyRequest): void {
  const { model: name, version = '1' } = request.params as { model: string; version?: string }
  if (name === kserveModel && version === '1') return
  throw new Problem(404, 'unknown_model', `There is no model "${name}" version "${version}", but "${kserveModel}" 1`)
}

const outputs = (sidecar: Sidecar) => [
  { name: 'latent', datatype: 'FP32', shape: [1, model.latentSize] },
  { name: 'motif_scores', datatype: 'FP32', shape: [1, sidecar.motifs] },
]

const metadata = (sidecar: Sidecar) => ({
  name: kserveModel,
  versions: ['1'],
  platform: sidecar.isStub ? 'stub' : (sidecar.life?.state.engine?.backend ?? 'none'),
  inputs: [{ name: inputName, datatype: 'FP32', shape: [1, windowSamples, windowChannels] }],
  outputs: outputs(sidecar),
})

async function answerInfer(sidecar: Sidecar, request: FastifyRequest, reply: FastifyReply) {
  knownModel(request)
  const { asked, tail } = splitBody(request)
  const window = windowOf(asked, tail)
  const known = outputs(sidecar).map(({ name }) => name)
  const wanted = asked.outputs?.map(({ name }) => name) ?? known
  const unknown = wanted.find(name => !known.includes(name))
  if (unknown !== undefined) throw refusal(`there is no output "${unknown}", but ${known.join(' and ')}`)
  const labels = asked.outputs?.find(output => output.parameters?.classification !== undefined)
  if (labels) throw refusal(`the output "${labels.name}" is asked for as classes, and only tensors are given`)
  const answered = await sidecar.desk.answer({
    window,
    deadlineMs: deadlineOf(request) ?? timeoutMs(asked),
    onWait: cancel => reply.raw.once('close', cancel),
  })
  sidecar.served({ window, answered, requestId: request.id, route: '/v2/infer' })
  markReply(reply, sidecar, answered.model)
  return sendAnswer(sidecar, reply, { asked, wanted, answered, id: asked.id ?? request.id })
}

const timeoutMs = ({ parameters: asked }: InferRequest): number | undefined =>
  asked?.timeout === undefined ? undefined : asked.timeout / 1000

const refusal = (why: string) =>
  new Problem(400, 'invalid_request', `The request cannot be used: ${why}`, { details: { schema_hint: schemaHint } })

function splitBody(request: FastifyRequest): { asked: InferRequest; tail: Buffer } {
  const body = (request.body ?? Buffer.alloc(0)) as Buffer
  const given = request.headers[headerName]
  const length = given === undefined ? body.length : Number(given)
  if (!Number.isInteger(length) || length < 0 || length > body.length)
    throw refusal(`${headerName} is "${String(given)}", and the body has ${body.length} bytes`)
  let json: unknown
  try {
    json = JSON.parse(body.toString('utf8', 0, length))
  } catch {
    throw new Problem(400, 'invalid_json', 'The body is no JSON')
  }
  return { asked: parseWith(requestSchema, json), tail: body.subarray(length) }
}

function windowOf({ inputs: [input] }: InferRequest, tail: Buffer): Float32Array {
  const { name, shape, datatype, data, parameters: more } = input!
  if (name !== inputName) throw refusal(`there is no input "${name}", but ${inputName}`)
  if (datatype !== 'FP32') throw refusal(`the datatype is ${datatype}, and FP32 is wanted`)
  const wanted = [1, windowSamples, windowChannels]
  if (shape.join() !== wanted.join() && shape.join() !== wanted.slice(1).join())
    throw new Problem(400, 'invalid_shape', `The shape is [${shape.join(', ')}], and [${wanted.join(', ')}] is wanted`)
  if (more?.binary_data_size !== undefined) {
    if (more.binary_data_size !== tail.length)
      throw refusal(`binary_data_size is ${more.binary_data_size}, and ${tail.length} bytes follow`)
    return windowFromBytes(tail)
  }
  if (data === undefined) throw refusal('the input has neither data nor binary_data_size')
  const flat = data.flat(2)
  if (flat.length !== windowSize) throw new Problem(400, 'invalid_shape', `data has ${flat.length} numbers`)
  const rows = Array.from({ length: windowSamples }, (_, t) => flat.slice(t * windowChannels, (t + 1) * windowChannels))
  return windowFromRows(rows, 'data')
}

function sendAnswer(
  sidecar: Sidecar,
  reply: FastifyReply,
  o: { asked: InferRequest; wanted: readonly string[]; answered: Answered; id: string },
) {
  const isBinary = (name: string) =>
    o.asked.outputs?.find(output => output.name === name)?.parameters?.binary_data ??
    o.asked.parameters?.binary_data_output ??
    false
  const tails: Buffer[] = []
  const tensors = outputs(sidecar)
    .filter(({ name }) => o.wanted.includes(name))
    .map(output => {
      const values = output.name === 'latent' ? o.answered.latent : o.answered.motifScores
      if (!isBinary(output.name)) return { ...output, data: Array.from(values) }
      const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength)
      tails.push(bytes)
      return { ...output, parameters: { binary_data_size: bytes.length } }
    })
  const json = JSON.stringify({ model_name: kserveModel, model_version: '1', id: o.id, outputs: tensors })
  if (tails.length === 0) return reply.type('application/json').send(json)
  reply.header(headerName, Buffer.byteLength(json))
  return reply.type('application/octet-stream').send(Buffer.concat([Buffer.from(json), ...tails]))
}
