/**
 * Asks a running Whisper service what OpenAI's clients ask, and checks every answer against the API's own schemas.
 */
import type { ZodType } from 'zod'
import { blockedError, RunbookError } from '../../../base/errors.ts'
import { holds, type Step } from '../../../deploy/steps.ts'
import { responseFormats, type ResponseFormat } from '../server/request.ts'
import { runbookCommand } from '../../../host/typescript.ts'

/** What is asked. */
export interface ApiCheckOptions {
  /** `http://127.0.0.1:11437`. */
  readonly url: string
  /** The name that `/v1/models` must list; any where undefined. */
  readonly model: string | undefined
  readonly apiKey: string | undefined
  /** Bytes of a WAV with speech. */
  readonly wav: Uint8Array
  readonly timeoutMs: number
}

const hint = 'see service.log of the run, or journalctl -u hailo-whisper'
const wrong = (url: string, why: string) =>
  new RunbookError('fail', `Cannot accept the answer of "${url}": ${why}`, hint)

/** Steps that only look: health, models, and one recording in every format. */
export function apiSteps(o: ApiCheckOptions): Step[] {
  const look = (name: string, check: () => Promise<string>): Step => ({
    name,
    check: async () => holds(await check()),
    apply: () => {},
  })
  return [
    look('GET /health', async () => {
      const { status, model_loaded: loaded } = await json(o, '/health', await schemas('health'))
      return `${String(status)}, model ${loaded === true ? 'loaded' : 'not loaded'}`
    }),
    look('GET /health/ready', async () => {
      await json(o, '/health/ready', await schemas('ready'))
      return 'ready'
    }),
    look('GET /v1/models', async () => {
      const { data } = await json(o, '/v1/models', await schemas('models'))
      const ids = (data as { id: string }[]).map(({ id }) => id)
      if (o.model !== undefined && !ids.includes(o.model))
        throw wrong('/v1/models', `${o.model} is not in ${ids.join()}`)
      return ids.join()
    }),
    ...responseFormats.map(format =>
      look(`POST /v1/audio/transcriptions as ${format}`, () => transcription(o, format)),
    ),
  ]
}

async function ask(o: ApiCheckOptions, path: string, init: RequestInit = {}): Promise<Response> {
  const headers: Record<string, string> = o.apiKey === undefined ? {} : { authorization: `Bearer ${o.apiKey}` }
  const signal = AbortSignal.timeout(o.timeoutMs)
  try {
    return await fetch(`${o.url}${path}`, { ...init, headers, signal })
  } catch (thrown) {
    const why = ((thrown as Error).cause as Error | undefined)?.message ?? (thrown as Error).message
    throw blockedError(`Cannot reach "${o.url}${path}": ${why}`, runbookCommand('runbooks/whisper-serve.ts'), thrown)
  }
}

async function json<T>(o: ApiCheckOptions, path: string, schema: ZodType<T>): Promise<T> {
  const response = await ask(o, path)
  const text = await response.text()
  if (!response.ok) throw wrong(path, `HTTP ${response.status}, ${text.slice(0, 200)}`)
  return checked(path, text, schema)
}

function checked<T>(path: string, text: string, schema: ZodType<T>): T {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw wrong(path, `it is no JSON: ${text.slice(0, 80)}`)
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw wrong(path, `${issue!.path.map(String).join('.') || 'the body'}: ${issue!.message}`)
}

const textForms: Partial<Record<ResponseFormat, { type: RegExp; body: RegExp }>> = {
  text: { type: /^text\/plain/, body: /\S/ },
  srt: { type: /^text\/plain/, body: /^1\n\d\d:\d\d:\d\d,\d{3} --> \d\d:\d\d:\d\d,\d{3}\n\S/ },
  vtt: { type: /^text\/vtt/, body: /^WEBVTT\n\n(\d\d:)?\d\d:\d\d\.\d{3} --> (\d\d:)?\d\d:\d\d\.\d{3}\n\S/ },
}

async function transcription(o: ApiCheckOptions, format: ResponseFormat): Promise<string> {
  const path = '/v1/audio/transcriptions'
  const body = new FormData()
  body.append('file', new Blob([Uint8Array.from(o.wav)]), 'speech.wav')
  body.append('model', o.model ?? 'whisper-1')
  body.append('response_format', format)
  const response = await ask(o, path, { method: 'POST', body })
  const text = await response.text()
  if (response.status !== 200) throw wrong(path, `HTTP ${response.status}, ${text.slice(0, 200)}`)
  const type = response.headers.get('content-type') ?? ''
  const form = textForms[format]
  if (form) {
    if (!form.type.test(type)) throw wrong(path, `${format} came as ${type || 'no content type'}`)
    if (!form.body.test(text)) throw wrong(path, `it is not ${format}: ${JSON.stringify(text.slice(0, 80))}`)
    return JSON.stringify(text.slice(0, 60))
  }
  const schema = await schemas(format as 'json' | 'verbose_json')
  const said = checked(path, text, schema) as { text: string }
  if (said.text.trim() === '') throw wrong(path, 'the recording has speech, and the text is empty')
  return JSON.stringify(said.text.slice(0, 60))
}

/** The API's bodies, as its OpenAPI document requires them. */
async function schemas(name: 'health' | 'ready' | 'models' | 'json' | 'verbose_json') {
  const { z } = await import('zod')
  const count = z.int().min(0)
  const usage = z.object({ type: z.literal('duration'), seconds: count }).optional()
  const segment = z.object({
    id: count,
    seek: count,
    start: z.number(),
    end: z.number(),
    text: z.string(),
    tokens: z.array(count),
    temperature: z.number(),
    avg_logprob: z.number().max(0),
    compression_ratio: z.number().positive(),
    no_speech_prob: z.number().min(0).max(1),
  })
  const models = z.object({ id: z.string(), object: z.literal('model'), created: z.int(), owned_by: z.string() })
  return {
    health: z.object({
      status: z.literal('ok'),
      model: z.string(),
      model_loaded: z.boolean(),
      uptime_seconds: z.number(),
      transcriptions_processed: count,
    }),
    ready: z.object({ ready: z.literal(true) }),
    models: z.object({ object: z.literal('list'), data: z.array(models).min(1) }),
    json: z.object({ text: z.string(), usage }),
    verbose_json: z.object({
      task: z.literal('transcribe'),
      language: z.string().regex(/^[a-z ]+$/),
      duration: z.number().positive(),
      text: z.string(),
      segments: z.array(segment).min(1),
      usage,
    }),
  }[name] as ZodType<Record<string, unknown>>
}
