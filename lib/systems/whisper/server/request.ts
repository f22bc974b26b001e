/**
 * Reads a transcription request as OpenAI's API defines it, and refuses what that API refuses, in its words.
 *
 * Source: the published OpenAPI document, and error bodies that its clients recorded; where neither says, the wording
 * is ours (decision D-83).
 */
import type { Upload, UploadedFile } from '../../../serve/multipart.ts'
import { languageCode } from '../../../speech/whisper/languages.ts'
import { apiError } from './errors.ts'

/** The formats of an answer. */
export const responseFormats = ['json', 'text', 'srt', 'verbose_json', 'vtt'] as const

/** One of the formats. */
export type ResponseFormat = (typeof responseFormats)[number]

/** A request whose every field was checked. */
export interface TranscriptionRequest {
  readonly task: 'transcribe' | 'translate'
  readonly file: UploadedFile
  readonly model: string
  /** A language code; null to detect it. */
  readonly language: string | null
  readonly prompt: string | undefined
  readonly format: ResponseFormat
  /** 0 to 1; undefined when the client did not say. */
  readonly temperature: number | undefined
  readonly granularities: ReadonlySet<'word' | 'segment'>
  readonly withLogprobs: boolean
  readonly isStream: boolean
  /** Whether the client asked for voice activity detection, and at which threshold. */
  readonly chunking: { readonly threshold: number; readonly minSilenceS: number; readonly padS: number } | null
}

/** What the service answers for where the client says nothing. */
export interface RequestDefaults {
  readonly language: string | null
}

const bothHave = ['model', 'prompt', 'response_format', 'temperature']
const lists = ['include', 'timestamp_granularities'].flatMap(name => [name, `${name}[]`])
const known = {
  transcribe: new Set([...bothHave, ...lists, 'language', 'stream', 'chunking_strategy']),
  translate: new Set(bothHave),
}

/** Fields of the API that other models have and Whisper lacks. */
const ofOtherModels = new Set(
  ['known_speaker_names', 'known_speaker_references', 'languages', 'keywords'].flatMap(name => [name, `${name}[]`]),
)

/**
 * The request in a form.
 * @throws {Problem} 400 with OpenAI's body, naming the field
 */
export function readRequest(
  upload: Upload,
  task: TranscriptionRequest['task'],
  defaults: RequestDefaults,
): TranscriptionRequest {
  refuseUnknown(upload, task)
  const file = fileOf(upload)
  const field = (name: string) => single(upload, name)
  const model = field('model')
  if (model === undefined || model === '') throw apiError('you must provide a model parameter', { param: 'model' })
  const format = formatOf(field('response_format'))
  const granularities = granularitiesOf(upload, format)
  const include = [...many(upload, 'include')]
  const odd = include.find(value => value !== 'logprobs')
  if (odd !== undefined) throw invalidValue('include', odd, ['logprobs'])
  if (include.length > 0 && format !== 'json') {
    throw apiError(`include 'logprobs' needs response_format 'json', not '${format}'`, { param: 'include' })
  }
  return {
    task,
    file,
    model,
    language: languageOf(field('language')) ?? defaults.language,
    prompt: field('prompt') || undefined,
    format,
    temperature: temperatureOf(field('temperature')),
    granularities,
    withLogprobs: include.length > 0,
    isStream: booleanOf('stream', field('stream')),
    chunking: chunkingOf(field('chunking_strategy')),
  }
}

function refuseUnknown(upload: Upload, task: TranscriptionRequest['task']): void {
  for (const [name, values] of upload.fields) {
    if (ofOtherModels.has(name)) {
      throw apiError(`'${name}' is not supported with this model`, { param: name, code: 'unsupported_parameter' })
    }
    if (!known[task].has(name)) {
      throw apiError(`Unknown parameter: '${name}'.`, { param: name, code: 'unknown_parameter' })
    }
    // A byte that is not UTF-8 was replaced by this character when the form was read.
    if (values.some(value => value.includes('\uFFFD'))) throw apiError(`'${name}' is not UTF-8`, { param: name })
  }
}

function fileOf({ files, fields }: Upload): UploadedFile {
  const file = files.find(({ field }) => field === 'file')
  if (file === undefined) {
    const why = fields.has('file') ? "'file' has no filename, so it is no file" : 'you must provide a file parameter'
    throw apiError(why, { param: 'file' })
  }
  return file
}

function single({ fields }: Upload, name: string): string | undefined {
  const values = fields.get(name)
  if (values !== undefined && values.length > 1) throw apiError(`'${name}' was given twice`, { param: name })
  return values?.[0]?.trim()
}

/** Values of a list, whether its name has brackets or not. */
const many = ({ fields }: Upload, name: string): ReadonlySet<string> =>
  new Set([...(fields.get(name) ?? []), ...(fields.get(`${name}[]`) ?? [])].flatMap(value => value.split(',')))

const invalidValue = (param: string, value: string, supported: readonly string[]) =>
  apiError(`Invalid value: '${value}'. Supported values are: ${supported.map(word => `'${word}'`).join(', ')}.`, {
    param,
    code: 'invalid_value',
  })

function formatOf(value: string | undefined): ResponseFormat {
  if (value === undefined || value === '') return 'json'
  const format = responseFormats.find(name => name === value)
  if (format !== undefined) return format
  if (value !== 'diarized_json') throw invalidValue('response_format', value, responseFormats)
  throw apiError("response_format 'diarized_json' is not compatible with this model. Use 'json' or 'text' instead.", {
    param: 'response_format',
    code: 'unsupported_value',
  })
}

function granularitiesOf(upload: Upload, format: ResponseFormat): ReadonlySet<'word' | 'segment'> {
  const given = many(upload, 'timestamp_granularities')
  for (const value of given) {
    if (value !== 'word' && value !== 'segment') {
      throw invalidValue('timestamp_granularities', value, ['word', 'segment'])
    }
  }
  if (given.has('word') && format !== 'verbose_json') {
    throw apiError(`timestamp_granularities 'word' needs response_format 'verbose_json', not '${format}'`, {
      param: 'timestamp_granularities',
    })
  }
  return (given.size === 0 ? new Set(['segment']) : given) as ReadonlySet<'word' | 'segment'>
}

function languageOf(value: string | undefined): string | undefined {
  if (value === undefined || value === '') return undefined
  const code = languageCode(value)
  if (code !== undefined) return code
  throw apiError(`Language '${value}' is not supported.`, { param: 'language', code: 'unsupported_language' })
}

function temperatureOf(value: string | undefined): number | undefined {
  if (value === undefined || value === '') return undefined
  const temperature = Number(value)
  if (temperature >= 0 && temperature <= 1) return temperature
  throw apiError(`'${value}' is not a temperature between 0 and 1`, { param: 'temperature', code: 'invalid_value' })
}

function booleanOf(param: string, value: string | undefined): boolean {
  if (value === undefined || value === '' || value === 'null' || value === 'false' || value === '0') return false
  if (value === 'true' || value === '1') return true
  throw invalidValue(param, value, ['true', 'false'])
}

const serverVad = { threshold: 0.5, minSilenceS: 0.2, padS: 0.3 }

function chunkingOf(value: string | undefined): TranscriptionRequest['chunking'] {
  if (value === undefined || value === '') return null
  if (value === 'auto') return serverVad
  const wrong = (why: string) => apiError(`chunking_strategy: ${why}`, { param: 'chunking_strategy' })
  let given: unknown
  try {
    given = JSON.parse(value)
  } catch {
    throw wrong("it must be 'auto' or a JSON object")
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw wrong('it must be an object')
  const { type, threshold, silence_duration_ms: silence, prefix_padding_ms: padding, ...rest } = given as ServerVad
  if (type !== 'server_vad') throw wrong("its type must be 'server_vad'")
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) throw wrong(`it has no '${unknown}'`)
  const number = (name: string, it: unknown, most: number, usual: number) => {
    if (it === undefined || it === null) return usual
    if (typeof it !== 'number' || !(it >= 0 && it <= most)) throw wrong(`${name} must be from 0 to ${most}`)
    return it
  }
  return {
    threshold: number('threshold', threshold, 1, serverVad.threshold),
    minSilenceS: number('silence_duration_ms', silence, 10_000, serverVad.minSilenceS * 1000) / 1000,
    padS: number('prefix_padding_ms', padding, 10_000, serverVad.padS * 1000) / 1000,
  }
}

interface ServerVad {
  readonly type?: unknown
  readonly threshold?: unknown
  readonly silence_duration_ms?: unknown
  readonly prefix_padding_ms?: unknown
}
