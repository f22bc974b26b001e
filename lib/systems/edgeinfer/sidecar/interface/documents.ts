/**
 * The interface in words: an OpenAPI document, a page of it, and `api_contract.md`, all from the contract.
 */
import type { FastifyInstance } from 'fastify'
import { edgeinferContract } from '../../contract.ts'
import { schemaHint } from '../../window/layout.ts'

const contract = edgeinferContract()
const { model, service, range } = contract
const { channels, windowSamples } = model

interface Route {
  readonly method: 'get' | 'post'
  readonly path: string
  readonly summary: string
  readonly body?: 'window' | 'samples' | 'v2'
  readonly answers: Readonly<Record<number, string>>
}

const refusals = {
  400: 'malformed JSON, wrong shape, a value that is no finite number within its range',
  413: `a body over ${service.bodyBytesMax} bytes`,
  415: 'another content type',
  429: 'queue_full: too many requests wait; Retry-After says when to try again',
  503: 'model_unavailable, overloaded (the answer would come after x-deadline-ms), or draining; with Retry-After',
} as const

/** Every route of the sidecar. */
export const routes: readonly Route[] = [
  {
    method: 'post',
    path: '/infer',
    summary: 'Answer one window',
    body: 'window',
    answers: { 200: 'the answer', ...refusals },
  },
  {
    method: 'post',
    path: '/',
    summary: 'As /infer, for clients that post to the base URL',
    body: 'window',
    answers: { 200: 'the answer', ...refusals },
  },
  { method: 'get', path: '/', summary: 'What this service is', answers: { 200: 'name, version, endpoints' } },
  {
    method: 'get',
    path: '/healthz',
    summary: 'Health, with the model',
    answers: { 200: 'ok: true', 503: 'ok: false and a reason' },
  },
  { method: 'get', path: '/livez', summary: 'Whether the process answers', answers: { 200: 'ok: true' } },
  {
    method: 'get',
    path: '/readyz',
    summary: 'Whether requests would be answered',
    answers: { 200: 'ok: true', 503: 'ok: false and a reason' },
  },
  { method: 'get', path: '/metrics', summary: 'Prometheus metrics, text format 0.0.4', answers: { 200: 'the page' } },
  {
    method: 'get',
    path: '/status',
    summary: 'Model, queue, telemetry, shadow',
    answers: { 200: 'everything there is to know' },
  },
  {
    method: 'post',
    path: '/test',
    summary: 'Answer a window of zeros',
    answers: { 200: 'shapes, ranges, time', 503: refusals[503] },
  },
  {
    method: 'post',
    path: '/stream',
    summary: 'Samples in, one result a hop out, as lines of JSON',
    body: 'samples',
    answers: { 200: 'lines of JSON', 400: 'a hop that is not 1 to 100', 503: refusals[503] },
  },
  { method: 'get', path: '/v2', summary: 'KServe V2: the server', answers: { 200: 'name, version, extensions' } },
  { method: 'get', path: '/v2/health/live', summary: 'KServe V2: alive', answers: { 200: 'live' } },
  { method: 'get', path: '/v2/health/ready', summary: 'KServe V2: ready', answers: { 200: 'ready', 503: 'not ready' } },
  {
    method: 'get',
    path: '/v2/models/{model}',
    summary: 'KServe V2: the model',
    answers: { 200: 'inputs and outputs', 404: 'another model' },
  },
  {
    method: 'get',
    path: '/v2/models/{model}/ready',
    summary: 'KServe V2: the model is ready',
    answers: { 200: 'ready', 503: 'not ready' },
  },
  {
    method: 'post',
    path: '/v2/models/{model}/infer',
    summary: 'KServe V2: answer one window, also in the binary form',
    body: 'v2',
    answers: { 200: 'latent and motif_scores', ...refusals },
  },
  { method: 'get', path: '/openapi.json', summary: 'This document', answers: { 200: 'OpenAPI 3.1' } },
  { method: 'get', path: '/docs', summary: 'This document as a page', answers: { 200: 'HTML' } },
]

const numbers = (length: number) => ({ type: 'array', minItems: length, maxItems: length, items: { type: 'number' } })

const channelList = model.channelOrder.map((name, c) => `${name} (${model.units[c]})`).join(', ')

/** The body of `POST /infer`, as JSON Schema. */
export const windowSchema = {
  type: 'object',
  required: ['x'],
  properties: {
    x: {
      type: 'array',
      minItems: model.windowSamples,
      maxItems: model.windowSamples,
      items: numbers(model.channels),
      description: `${model.windowSamples} samples at ${model.rateHz} Hz of ${channelList}`,
    },
  },
} as const

const answerSchema = {
  type: 'object',
  required: ['latent', 'motif_scores'],
  properties: { latent: numbers(model.latentSize), motif_scores: numbers(model.motifs) },
}

const errorSchema = {
  type: 'object',
  properties: {
    error: {
      type: 'object',
      properties: Object.fromEntries(
        ['code', 'message', 'schema_hint', 'request_id'].map(name => [name, { type: 'string' }]),
      ),
    },
  },
}

/** The OpenAPI 3.1 document. */
export function openApi(): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const { method, path, summary, body, answers } of routes) {
    const content = {
      window: {
        'application/json': { schema: windowSchema },
        'application/octet-stream': { schema: { type: 'string' } },
      },
      samples: { 'application/x-ndjson': { schema: { type: 'string' } } },
      v2: {
        'application/json': { schema: { type: 'object' } },
        'application/octet-stream': { schema: { type: 'string' } },
      },
    }
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    }))
    paths[path] = {
      ...paths[path],
      [method]: {
        summary,
        ...(named.length > 0 ? { parameters: named } : {}),
        ...(body ? { requestBody: { required: true, content: content[body] } } : {}),
        responses: Object.fromEntries(
          Object.entries(answers).map(([status, description]) => [
            status,
            { description, ...schemaOf(path, Number(status)) },
          ]),
        ),
      },
    }
  }
  return { openapi: '3.1.0', info: { title: service.name, version: service.version }, paths }
}

function schemaOf(path: string, status: number) {
  const of = (schema: object) => ({ content: { 'application/json': { schema } } })
  if (status >= 400 && !path.startsWith('/v2') && !path.endsWith('z')) return of(errorSchema)
  return status === 200 && (path === '/infer' || path === '/') ? of(answerSchema) : null
}

/** The text of `api_contract.md`. */
export function apiContract(): string {
  const table = routes.map(
    ({ method, path, summary, answers }) =>
      `| \`${method.toUpperCase()} ${path}\` | ${summary} | ${Object.keys(answers).join(', ')} |`,
  )
  return [
    '# API contract of the EdgeInfer sidecar',
    '',
    `Generated from \`contracts/edgeinfer.contract.json\`, version ${contract.version}.`,
    '',
    '```',
    'POST /infer',
    `Req:  { "x": [[Float; ${channels}]] * ${windowSamples} }     # shape (${windowSamples},${channels})`,
    `Resp: { "latent":[Float;${model.latentSize}], "motif_scores":[Float;${model.motifs}] }`,
    '```',
    '',
    `- Samples at ${model.rateHz} Hz, channels in this order: ${channelList}.`,
    `- Bounds: ±${range.accelerationMax} m/s2, ±${range.gyroscopeMax} rad/s, ±${range.magnetometerMax} uT.`,
    '- The service standardises; clients send raw values. `motif_scores` add up to 1.',
    `- \`application/octet-stream\`: ${model.windowSamples * model.channels} little-endian float32, row by row.`,
    `- \`x-deadline-ms\`: the client's patience, ${service.deadlineMs} unless given.`,
    '- `x-request-id` comes back; without one there is a new one.',
    '- Errors: `{"error": {"code", "message", "schema_hint", "request_id"}}`.',
    '- Errors under `/v2`: `{"error": "<code>: <message>"}`, as KServe has it.',
    '- A stub (`USE_REAL_MODEL=false`) is marked: header `x-stub`, `/healthz`, `/status`, `hailo_stub_active`.',
    '',
    '| Route | What | Status |',
    '|---|---|---|',
    ...table,
    '',
    '| Status | Meaning |',
    '|---|---|',
    ...Object.entries(refusals).map(([status, meaning]) => `| ${status} | ${meaning} |`),
    '',
  ].join('\n')
}

function page(): string {
  const escape = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  const rows = routes
    .map(({ method, path, summary, answers }) => {
      const told = Object.entries(answers)
        .map(([status, words]) => `<dt>${status}</dt><dd>${escape(words)}</dd>`)
        .join('')
      return `<h2><code>${method.toUpperCase()} ${escape(path)}</code></h2><p>${escape(summary)}</p><dl>${told}</dl>`
    })
    .join('')
  const style = 'body{font:16px/1.5 system-ui;max-width:50em;margin:2em auto;padding:0 1em}dt{font-weight:bold}'
  const title = `${service.name} ${service.version}`
  const head = `<meta charset="utf-8"><title>${title}</title><style>${style}</style>`
  const body = `<h1>${title}</h1><p>Body of a window: <code>${escape(schemaHint)}</code></p>${rows}`
  return `<!doctype html><html lang="en">${head}${body}</html>`
}

/** Add `/openapi.json` and `/docs`. */
export function addDocumentRoutes(app: FastifyInstance): void {
  const [document, html] = [openApi(), page()]
  app.get('/openapi.json', () => document)
  app.get('/docs', (_, reply) => reply.type('text/html; charset=utf-8').send(html))
}
