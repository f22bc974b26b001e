import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { after, type TestContext } from 'node:test'
import { OpenAI, toFile } from 'openai'
import { blockedError } from '../../../base/errors.ts'
import { seededRandom, type Random } from '../../../base/random.ts'
import { needsTool } from '../../../testing/needs.ts'
import { standInTranscriber } from '../../../testing/whisper/transcriber.ts'
import { defaultYaml, parseServiceYaml, type ServiceConfig } from '../service-config.ts'
import { openWhisperService, type WhisperServiceOptions } from './service.ts'

// Temporary files of this process alone, so that what stays behind is its own.
const temporary = mkdtempSync(join(tmpdir(), 'whisper-service-'))
process.env.TMPDIR = temporary
after(() => rmSync(temporary, { recursive: true }))

interface Changes {
  readonly server?: Partial<ServiceConfig['server']>
  readonly model?: Partial<ServiceConfig['model']>
  readonly transcription?: Partial<ServiceConfig['transcription']>
  readonly open?: WhisperServiceOptions['open']
  readonly standIn?: Parameters<typeof standInTranscriber>[0]
}

/** A listening service over a stand-in model, with an `openai` client. */
async function serving(t: TestContext, o: Changes = {}) {
  const usual = await parseServiceYaml(defaultYaml(), 'config.yaml')
  const config: ServiceConfig = {
    ...usual,
    server: { ...usual.server, ...o.server },
    model: { ...usual.model, name: 'tiny', ...o.model },
    transcription: { ...usual.transcription, vad_filter: false, ...o.transcription },
  }
  const transcriber = standInTranscriber(o.standIn)
  const lines: string[] = []
  const log = { level: 'info', write: (line: string) => void lines.push(line) }
  const whisper = await openWhisperService({ config, log, open: o.open ?? (() => Promise.resolve(transcriber)) })
  const url = await whisper.service.listen({ host: '127.0.0.1', port: 0 })
  t.after(() => whisper.close(1000))
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'key', maxRetries: 0 })
  return { url, client, transcriber, whisper, lines }
}

/** A WAV of a quiet tone, 16 kHz mono 16 bits. */
function wav(seconds: number): Buffer {
  const samples = Math.round(seconds * 16_000)
  const bytes = Buffer.alloc(44 + 2 * samples)
  bytes.write('RIFF', 0)
  bytes.writeUInt32LE(36 + 2 * samples, 4)
  bytes.write('WAVEfmt ', 8)
  bytes.writeUInt32LE(16, 16)
  bytes.writeUInt16LE(1, 20)
  bytes.writeUInt16LE(1, 22)
  bytes.writeUInt32LE(16_000, 24)
  bytes.writeUInt32LE(32_000, 28)
  bytes.writeUInt16LE(2, 32)
  bytes.writeUInt16LE(16, 34)
  bytes.write('data', 36)
  bytes.writeUInt32LE(2 * samples, 40)
  for (let i = 0; i < samples; i++) bytes.writeInt16LE(Math.round(3000 * Math.sin(i / 10)), 44 + 2 * i)
  return bytes
}
const file = async (seconds = 2) => await toFile(wav(seconds), 'speech.wav')
type Fields = Record<string, string | Blob | readonly string[]>
function form(fields: Fields): FormData {
  const data = new FormData()
  for (const [name, value] of Object.entries(fields)) {
    for (const one of Array.isArray(value) ? (value as string[]) : [value as string | Blob]) {
      if (typeof one === 'string') data.append(name, one)
      else data.append(name, one, 'speech.wav')
    }
  }
  return data
}
const sound = (seconds = 2) => new Blob([Uint8Array.from(wav(seconds))])
const post = async (url: string, fields: Fields, path = '/v1/audio/transcriptions', headers = {}) =>
  await fetch(`${url}${path}`, { method: 'POST', body: form({ file: sound(), model: 'tiny', ...fields }), headers })
interface ErrorBody {
  readonly error: {
    readonly message: string
    readonly type: string
    readonly param: string | null
    readonly code: string | null
  }
}
const errorOf = async (response: Response) => {
  const { error } = (await response.json()) as ErrorBody
  assert.deepEqual(Object.keys(error).toSorted(), ['code', 'message', 'param', 'type'])
  return error
}
/** What is left once the service has had its time: an upload goes when its answer has. */
async function leftovers(): Promise<string[]> {
  for (let i = 0; i < 500 && readdirSync(temporary).length > 0; i++) await sleep(10)
  return readdirSync(temporary)
}

test('the openai client gets every format', async t => {
  const { client } = await serving(t)
  const ask = async (response_format: 'json' | 'text' | 'srt' | 'vtt' | 'verbose_json') =>
    (await client.audio.transcriptions.create({ file: await file(), model: 'tiny', response_format })) as unknown
  assert.deepEqual(await ask('json'), { text: 'second 0 second 1', usage: { type: 'duration', seconds: 2 } })
  assert.equal(await ask('text'), 'second 0 second 1\n')
  assert.equal(
    await ask('srt'),
    '1\n00:00:00,000 --> 00:00:01,000\nsecond 0\n\n2\n00:00:01,000 --> 00:00:02,000\nsecond 1\n\n',
  )
  assert.equal(await ask('vtt'), 'WEBVTT\n\n00:00.000 --> 00:01.000\nsecond 0\n\n00:01.000 --> 00:02.000\nsecond 1\n\n')
  const verbose = (await ask('verbose_json')) as Record<string, unknown>
  assert.deepEqual(Object.keys(verbose), ['task', 'language', 'duration', 'text', 'segments', 'usage'])
  assert.deepEqual([verbose.task, verbose.language, verbose.duration], ['transcribe', 'english', 2])
  const [segment] = verbose.segments as Record<string, unknown>[]
  const keys = 'id seek start end text tokens temperature avg_logprob compression_ratio no_speech_prob'
  assert.deepEqual(Object.keys(segment!), keys.split(' '))
})

test('the openai client gets words, segments or both, as it asks', async t => {
  const { client } = await serving(t)
  const ask = async (granularities: ('word' | 'segment')[]) =>
    (await client.audio.transcriptions.create({
      file: await file(1),
      model: 'tiny',
      response_format: 'verbose_json',
      timestamp_granularities: granularities,
    })) as unknown as Record<string, unknown>
  const both = await ask(['word', 'segment'])
  assert.deepEqual(both.words, [
    { word: 'second', start: 0, end: 0.5 },
    { word: '0', start: 0.5, end: 1 },
  ])
  assert.ok('segments' in both)
  assert.equal('segments' in (await ask(['word'])), false)
  assert.equal('words' in (await ask(['segment'])), false)
  const json = client.audio.transcriptions.create({
    file: await file(1),
    model: 'tiny',
    timestamp_granularities: ['word'],
  })
  await assert.rejects(json, OpenAI.BadRequestError)
})

test('the openai client gets a stream whose deltas add up to the text, and log probabilities', async t => {
  const { client } = await serving(t)
  const events = await client.audio.transcriptions.create({
    file: await file(3),
    model: 'tiny',
    stream: true,
    include: ['logprobs'],
  })
  let text = ''
  let whole: string | undefined
  for await (const event of events) {
    if (event.type === 'transcript.text.delta') text += event.delta
    if (event.type === 'transcript.text.done') {
      whole = event.text
      assert.deepEqual(event.logprobs?.[0], { token: ' second', logprob: -0.1, bytes: [...Buffer.from(' second')] })
    }
  }
  assert.equal(whole, 'second 0 second 1 second 2')
  assert.equal(text.trim(), whole)
})

test('the openai client translates, and an English model refuses it', async t => {
  const { client, transcriber } = await serving(t)
  const translated = await client.audio.translations.create({ file: await file(1), model: 'whisper-1' })
  assert.deepEqual(translated, { text: 'second 0' })
  assert.deepEqual([transcriber.asked[0]!.task, transcriber.asked[0]!.language], ['translate', null])
  const english = await serving(t, { standIn: { languages: ['en'] } })
  const refused = english.client.audio.translations.create({ file: await file(1), model: 'tiny' })
  await assert.rejects(refused, OpenAI.BadRequestError)
})

test('the openai client lists models, and a model that is not there is a NotFoundError', async t => {
  const { client } = await serving(t)
  const { data } = await client.models.list()
  assert.deepEqual(
    data.map(({ id, object }) => [id, object]),
    [['tiny', 'model']],
  )
  assert.equal((await client.models.retrieve('tiny')).owned_by, 'hailo-whisper')
  await assert.rejects(client.models.retrieve('none'), OpenAI.NotFoundError)
  await assert.rejects(client.audio.transcriptions.create({ file: await file(), model: 'none' }), OpenAI.NotFoundError)
})

test('each bad field is refused with its name, in four keys', async t => {
  const { url, transcriber } = await serving(t)
  const cases: [fields: Fields, param: string | null, message: RegExp][] = [
    [{ model: '' }, 'model', /you must provide a model parameter/],
    [{ response_format: 'xml' }, 'response_format', /'json', 'text', 'srt', 'verbose_json', 'vtt'/],
    [{ response_format: 'diarized_json' }, 'response_format', /not compatible/],
    [{ language: 'hh' }, 'language', /'hh' is not supported/],
    [{ language: 'ru' }, 'language', /'ru' is not supported by stand-in/],
    [{ temperature: '1.5' }, 'temperature', /between 0 and 1/],
    [{ temperature: 'warm' }, 'temperature', /between 0 and 1/],
    [{ temperature: 'NaN' }, 'temperature', /between 0 and 1/],
    [{ 'timestamp_granularities[]': 'letter' }, 'timestamp_granularities', /Supported values/],
    [{ 'timestamp_granularities[]': 'word', response_format: 'srt' }, 'timestamp_granularities', /verbose_json/],
    [{ 'include[]': 'usage' }, 'include', /Supported values/],
    [{ 'include[]': 'logprobs', response_format: 'text' }, 'include', /needs response_format/],
    [{ stream: 'maybe' }, 'stream', /Supported values/],
    [{ chunking_strategy: 'manual' }, 'chunking_strategy', /auto/],
    [{ chunking_strategy: '{"type":"server_vad","threshold":2}' }, 'chunking_strategy', /threshold/],
    [{ chunking_strategy: '{"type":"server_vad","speed":2}' }, 'chunking_strategy', /no 'speed'/],
    [{ colour: 'red' }, 'colour', /Unknown parameter: 'colour'/],
    [{ 'known_speaker_names[]': 'Ann' }, 'known_speaker_names[]', /not supported/],
    [{ prompt: ['a', 'b'] }, 'prompt', /given twice/],
  ]
  for (const [fields, param, message] of cases) {
    const response = await post(url, fields)
    const error = await errorOf(response)
    assert.equal(response.status, 400, JSON.stringify(fields))
    assert.equal(error.param, param, JSON.stringify(fields))
    assert.match(error.message, message)
    assert.equal(error.type, 'invalid_request_error')
  }
  assert.equal(transcriber.asked.length, 0)
  assert.deepEqual(await leftovers(), [])
})

test('what a client asks for reaches the model', async t => {
  const { url, transcriber } = await serving(t)
  const asked = async (fields: Fields) => {
    assert.equal((await post(url, fields)).status, 200, JSON.stringify(fields))
    const { language, prompt, temperatures, task, words } = transcriber.asked.at(-1)!
    return { language, prompt, temperatures: temperatures.join(), task, words }
  }
  const usual = {
    language: 'en',
    prompt: undefined,
    temperatures: '0,0.2,0.4,0.6,0.8,1',
    task: 'transcribe',
    words: false,
  }
  assert.deepEqual(await asked({}), usual)
  assert.deepEqual(await asked({ language: 'German' }), { ...usual, language: 'de' })
  assert.deepEqual(await asked({ prompt: 'Hailo' }), { ...usual, prompt: 'Hailo' })
  assert.deepEqual(await asked({ temperature: '0.4' }), { ...usual, temperatures: '0.4' })
  assert.deepEqual(await asked({ temperature: '0' }), usual)
})

test('a body that is no form is refused with 415, and says which is wanted', async t => {
  const { url } = await serving(t)
  const bodies = [
    ['application/json', '{"model":"tiny"}'],
    ['audio/wav', Uint8Array.from(wav(1))],
    ['text/plain', 'hello'],
  ] as const
  for (const [type, body] of bodies) {
    const response = await fetch(`${url}/v1/audio/transcriptions`, {
      method: 'POST',
      body,
      headers: { 'content-type': type },
    })
    assert.equal(response.status, 415, type)
    assert.match((await errorOf(response)).message, /multipart\/form-data/)
  }
})

test('a broken form, and one without a file, are refused with 400', async t => {
  const { url } = await serving(t)
  const send = async (body: string) =>
    await fetch(`${url}/v1/audio/transcriptions`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'multipart/form-data; boundary=x' },
    })
  for (const body of ['', 'nothing', '--x\r\nContent-Disposition: form-data; name="model"\r\n\r\ntiny\r\n']) {
    assert.equal((await send(body)).status, 400, body)
  }
  const noFile = await send('--x\r\nContent-Disposition: form-data; name="model"\r\n\r\ntiny\r\n--x--\r\n')
  assert.equal((await errorOf(noFile)).param, 'file')
  const noModel = await fetch(`${url}/v1/audio/transcriptions`, { method: 'POST', body: form({ file: sound() }) })
  assert.equal((await errorOf(noModel)).param, 'model')
  assert.deepEqual(await leftovers(), [])
})

test('a file that is no sound, too short or too long is refused in the words of the API', async t => {
  const { url } = await serving(t, { transcription: { max_audio_duration_seconds: 5 } })
  const cases = [
    [new Blob(['this is a text '.repeat(20)]), /^Invalid file format\. Supported formats: \['flac', /, null],
    [new Blob([]), /^Invalid file format/, null],
    [sound(0.05), /^Audio file is too short\. Minimum audio length is 0\.1 seconds\.$/, 'audio_too_short'],
    [sound(6), /^Audio file is too long\. Maximum audio length is 5 seconds\.$/, 'audio_too_long'],
  ] as const
  for (const [blob, message, code] of cases) {
    const response = await post(url, { file: blob })
    const error = await errorOf(response)
    assert.equal(response.status, 400)
    assert.match(error.message, message)
    assert.equal(error.code, code)
    assert.equal(error.param, 'file')
  }
  assert.deepEqual(await leftovers(), [])
})

test('an upload over the limit is refused with 413, with and without its length', async t => {
  const { url } = await serving(t, { server: { max_upload_bytes: 100_000 } })
  const body = Buffer.concat([
    Buffer.from('--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'),
    Buffer.alloc(300_000),
    Buffer.from('\r\n--x--\r\n'),
  ])
  const headers = { 'content-type': 'multipart/form-data; boundary=x' }
  const chunks = async function* () {
    for (let at = 0; at < body.length; at += 10_000) yield body.subarray(at, at + 10_000)
  }
  const bodies = [Uint8Array.from(body), chunks() as unknown as string]
  for (const each of bodies) {
    const init = { method: 'POST', body: each, headers, duplex: 'half' } as RequestInit
    const response = await fetch(`${url}/v1/audio/transcriptions`, init)
    assert.equal(response.status, 413)
    assert.match(
      (await errorOf(response)).message,
      /^Maximum content size limit \(100000\) exceeded \(\d+ bytes read\)$/,
    )
  }
  assert.deepEqual(await leftovers(), [])
})

test('a file name that looks like a path is only a name', async t => {
  const { client } = await serving(t)
  const odd = await toFile(wav(1), '../../../etc/passwd')
  assert.equal((await client.audio.transcriptions.create({ file: odd, model: 'tiny' })).text, 'second 0')
})

test('every container gives the same answer', { skip: needsTool('ffmpeg') }, async t => {
  const { client } = await serving(t)
  for (const [format, codec] of [
    ['mp3', 'libmp3lame'],
    ['flac', 'flac'],
    ['ogg', 'libvorbis'],
    ['webm', 'libopus'],
  ] as const) {
    const argv = ['-loglevel', 'error', '-f', 'wav', '-i', '-', '-c:a', codec, '-f', format, '-']
    const bytes = execFileSync('ffmpeg', argv, { input: wav(2) })
    const answer = await client.audio.transcriptions.create({ file: await toFile(bytes, `a.${format}`), model: 'tiny' })
    assert.equal(answer.text, 'second 0 second 1', format)
  }
})

test('requests run one at a time, a full queue answers 429 with Retry-After, and nothing stays behind', async t => {
  const { url, transcriber } = await serving(t, { server: { queue: 8 }, standIn: { perSegmentMs: 20 } })
  const responses = await Promise.all(Array.from({ length: 200 }, () => post(url, {})))
  const statuses = responses.map(({ status }) => status)
  assert.deepEqual([...new Set(statuses)].toSorted(), [200, 429])
  assert.ok(statuses.filter(status => status === 200).length >= 9)
  const refused = responses.find(({ status }) => status === 429)!
  assert.ok(Number(refused.headers.get('retry-after')) >= 1)
  assert.equal((await errorOf(refused)).type, 'rate_limit_error')
  assert.equal(transcriber.mostAtOnce, 1)
  await Promise.all(responses.map(response => response.text().catch(() => '')))
  assert.deepEqual(await leftovers(), [])
})

test('a client that goes away stops its recording', async t => {
  const { url, transcriber, whisper } = await serving(t, { standIn: { perSegmentMs: 30 } })
  const leave = new AbortController()
  const body = form({ file: sound(60), model: 'tiny' })
  const answer = fetch(`${url}/v1/audio/transcriptions`, { method: 'POST', body, signal: leave.signal })
  while (transcriber.asked.length === 0) await sleep(5)
  leave.abort()
  await assert.rejects(answer)
  while (whisper.service.inFlight > 0) await sleep(5)
  assert.equal(transcriber.asked[0]!.signal!.aborted, true)
  assert.equal((await post(url, {})).status, 200)
})

test('keys are asked for when there are any, and health is open', async t => {
  const { url, client } = await serving(t, { server: { api_keys: ['secret'] } })
  await assert.rejects(client.models.list(), OpenAI.AuthenticationError)
  const withKey = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'secret', maxRetries: 0 })
  assert.equal((await withKey.models.list()).data.length, 1)
  assert.equal((await fetch(`${url}/health`)).status, 200)
})

test('without a model the service says so, is not ready, and answers no recording', async t => {
  const open = () =>
    Promise.reject(
      blockedError('Cannot open "tiny": it is not installed', 'npx tsx runbooks/whisper-model.ts --get tiny'),
    )
  const { url, client, whisper } = await serving(t, { open })
  await whisper.model.selfTest()
  const health = (await (await fetch(`${url}/health`)).json()) as Record<string, unknown>
  assert.deepEqual([health.status, health.model, health.model_loaded], ['ok', 'tiny', false])
  assert.match(String(health.problem), /not installed/)
  const ready = await fetch(`${url}/health/ready`)
  assert.equal(ready.status, 503)
  assert.deepEqual(await ready.json(), {
    ready: false,
    reason: 'Cannot open "tiny": it is not installed',
    hint: 'npx tsx runbooks/whisper-model.ts --get tiny',
  })
  await assert.rejects(
    client.audio.transcriptions.create({ file: await file(), model: 'tiny' }),
    OpenAI.InternalServerError,
  )
})

test('the service is ready only after its self-test, and counts what it transcribed', async t => {
  const { url, whisper } = await serving(t)
  assert.equal((await fetch(`${url}/health/ready`)).status, 503)
  await whisper.model.selfTest()
  assert.deepEqual(await (await fetch(`${url}/health/ready`)).json(), { ready: true })
  await post(url, {})
  const health = (await (await fetch(`${url}/health`)).json()) as Record<string, unknown>
  const keys = ['device', 'model', 'model_loaded', 'status', 'transcriptions_processed', 'uptime_seconds']
  assert.deepEqual(Object.keys(health).toSorted(), keys)
  assert.equal(health.transcriptions_processed, 1)
  const page = await (await fetch(`${url}/metrics`)).text()
  assert.match(page, /^whisper_audio_seconds_total 2$/m)
  assert.match(page, /^whisper_ready 1$/m)
})

test('a model with keep_alive 0 is closed after each request, and opened for the next', async t => {
  let opened = 0
  const open = () => {
    opened++
    return Promise.resolve(standInTranscriber())
  }
  const { url, whisper } = await serving(t, { model: { keep_alive: 0 }, open })
  await whisper.model.selfTest()
  for (let i = 0; i < 3; i++) assert.equal((await post(url, {})).status, 200)
  assert.equal(opened, 4)
  assert.equal(whisper.model.isLoaded, false)
  assert.equal((await fetch(`${url}/health/ready`)).status, 200)
})

test('times are those of the recording when silence was cut out', async t => {
  const { url } = await serving(t, { transcription: { vad_filter: true } })
  const quiet = Buffer.alloc(2 * 16_000 * 4)
  const loud = wav(2).subarray(44)
  const pcm = Buffer.concat([quiet, loud, quiet, loud])
  const bytes = Buffer.concat([wav(0), pcm])
  bytes.writeUInt32LE(36 + pcm.length, 4)
  bytes.writeUInt32LE(pcm.length, 40)
  const response = await post(url, { file: new Blob([Uint8Array.from(bytes)]), response_format: 'verbose_json' })
  const { duration, segments } = (await response.json()) as {
    duration: number
    segments: { start: number; end: number }[]
  }
  assert.equal(duration, 12)
  assert.ok(segments[0]!.start > 3.3 && segments[0]!.start < 4, `begins at ${segments[0]!.start}`)
  assert.ok(segments.at(-1)!.end > 10 && segments.at(-1)!.end <= 12, `ends at ${segments.at(-1)!.end}`)
})

test('a recording of silence has no text, and the model is not asked', async t => {
  const { url, transcriber } = await serving(t, { transcription: { vad_filter: true } })
  const silence = wav(2)
  silence.fill(0, 44)
  const response = await post(url, { file: new Blob([Uint8Array.from(silence)]) })
  assert.deepEqual(await response.json(), { text: '', usage: { type: 'duration', seconds: 2 } })
  assert.equal(transcriber.asked.length, 0)
})

test('requests carry an id in, out and into the log', async t => {
  const { url, lines } = await serving(t)
  const response = await post(url, {}, '/v1/audio/transcriptions', { 'x-request-id': 'mine-1' })
  assert.equal(response.headers.get('x-request-id'), 'mine-1')
  const line = lines.map(text => JSON.parse(text) as Record<string, unknown>).find(({ msg }) => msg === 'transcribed')
  assert.equal(line?.reqId, 'mine-1')
})

test('a service that is told to stop answers what it accepted', async t => {
  const { url, whisper, transcriber } = await serving(t, { standIn: { perSegmentMs: 50 } })
  const answer = post(url, {})
  while (transcriber.asked.length === 0) await sleep(5)
  assert.equal(await whisper.close(10_000), 0)
  assert.equal((await answer).status, 200)
})

test('an upload that breaks off leaves nothing behind', async t => {
  const { url, whisper } = await serving(t)
  const { port, hostname } = new URL(url)
  const socket = connect(Number(port), hostname)
  const lines = ['POST /v1/audio/transcriptions HTTP/1.1', 'host: x', 'content-length: 900000']
  const head = [...lines, 'content-type: multipart/form-data; boundary=x', '', ''].join('\r\n')
  socket.write(
    `${head}--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n${'x'.repeat(100_000)}`,
  )
  while (whisper.service.inFlight === 0 || readdirSync(temporary).length === 0) await sleep(5)
  socket.destroy()
  while (whisper.service.inFlight > 0) await sleep(5)
  assert.deepEqual(await leftovers(), [])
})

/** An upload that no service can transcribe, of a seeded kind. Few hold a whole form, because those start ffmpeg. */
function damagedUpload({ next, below }: Random): { readonly body: Buffer; readonly type: string } {
  const garbage = (length: number) => Buffer.from(Array.from({ length }, () => below(256)))
  const whole = wav(0.3)
  const files: readonly (() => Buffer)[] = [
    () => garbage(1 + below(3000)),
    () => whole.subarray(0, 12 + below(32)),
    // A known container's first bytes, and nothing behind them that belongs to it.
    () => Buffer.concat([[Buffer.from('fLaC'), Buffer.from('OggS'), Buffer.from('ID3')][below(3)]!, garbage(200)]),
    // Compressed sound that calls itself a WAV.
    () => Buffer.concat([whole.subarray(0, 20), Buffer.from([0x55, 0]), whole.subarray(22)]),
    () => Buffer.from(['<html>no</html>', '{"a": 1}', 'words, words', '%PDF-1.7'][below(4)]!),
  ]
  const boundary = `b${below(1e6)}`
  const type = `multipart/form-data; boundary=${boundary}`
  const part = (name: string, content: Buffer | string, more = '') =>
    Buffer.concat([
      Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`),
      Buffer.from(content),
      Buffer.from('\r\n'),
    ])
  const form = (file: Buffer) =>
    Buffer.concat([
      part('model', 'tiny'),
      part('file', file, '; filename="speech.wav"'),
      Buffer.from(`--${boundary}--\r\n`),
    ])
  if (next() < 0.04) return { body: form(files[below(files.length)]!()), type }
  const good = form(whole)
  const damages: readonly (() => Buffer)[] = [
    () => good.subarray(0, below(good.length - 4)),
    () => Buffer.concat([garbage(below(64)), good.subarray(1 + below(12))]),
    () => Buffer.from(good.toString('latin1').replace('form-data;', 'form-data'), 'latin1'),
    () => Buffer.from(good.toString('latin1').replaceAll('name="file"', 'name="sound"'), 'latin1'),
    () =>
      Buffer.concat([
        part('model', garbage(20)),
        part('file', whole, '; filename="a"'),
        Buffer.from(`--${boundary}--`),
      ]),
    () => form(Buffer.alloc(0)),
    () => garbage(1 + below(5000)),
  ]
  return { body: damages[below(damages.length)]!(), type }
}

test(
  '2,000 damaged uploads are refused with 4xx, and leave no file and no process',
  { skip: needsTool('ffmpeg') },
  async t => {
    const { url, transcriber } = await serving(t, { server: { queue: 16 } })
    const random = seededRandom(20)
    const warnings: string[] = []
    const onWarning = ({ message }: Error) => void warnings.push(message)
    process.on('warning', onWarning)
    t.after(() => process.off('warning', onWarning))
    const statuses = new Map<number, number>()
    for (let sent = 0; sent < 2000; sent += 8) {
      const uploads = Array.from({ length: 8 }, () => damagedUpload(random))
      const answers = await Promise.all(
        uploads.map(({ body, type }) =>
          fetch(`${url}/v1/audio/transcriptions`, {
            method: 'POST',
            body: Uint8Array.from(body),
            headers: { 'content-type': type },
          }),
        ),
      )
      for (const answer of answers) {
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
        await errorOf(answer)
      }
    }
    assert.deepEqual(
      [...statuses.keys()].filter(status => status < 400 || status > 499),
      [],
      JSON.stringify([...statuses]),
    )
    assert.equal(transcriber.mostAtOnce, 0)
    assert.deepEqual(await leftovers(), [])
    const children = readdirSync('/proc/self/task').flatMap(task =>
      readFileSync(`/proc/self/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
    )
    const commands = children.map(pid => readFileSync(`/proc/${pid}/comm`, 'utf8').trim())
    assert.ok(!commands.includes('ffmpeg'), commands.join())
    assert.deepEqual(warnings, [])
  },
)
