import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { blockedError } from '../../base/errors.ts'
import { standInTranscriber } from '../../testing/whisper/transcriber.ts'
import { paths } from './deploy/layout.ts'
import { openWhisperService, type WhisperServiceOptions } from './server/service.ts'
import { defaultYaml, parseServiceYaml, type ServiceConfig } from './service-config.ts'

const read = (name: string) => readFileSync(join(import.meta.dirname, name), 'utf8')
/** Rows of the table below a heading, without its head. */
const rowsBelow = (text: string, heading: string) =>
  text
    .slice(text.indexOf(`\n## ${heading}\n`))
    .split('\n')
    .slice(2)
    .join('\n')
    .split('\n## ')[0]!
    .split('\n')
    .filter(line => line.startsWith('|'))
    .slice(2)
    .map(line =>
      line
        .slice(1, -1)
        .split('|')
        .map(cell => cell.trim()),
    )

interface Changes {
  readonly server?: Partial<ServiceConfig['server']>
  readonly transcription?: Partial<ServiceConfig['transcription']>
  readonly open?: WhisperServiceOptions['open']
  readonly perSegmentMs?: number
}
async function serving(t: TestContext, o: Changes = {}) {
  const usual = await parseServiceYaml(defaultYaml('tiny'), 'config.yaml')
  const config: ServiceConfig = {
    ...usual,
    server: { ...usual.server, ...o.server },
    transcription: { ...usual.transcription, ...o.transcription },
  }
  const open = o.open ?? (() => Promise.resolve(standInTranscriber({ perSegmentMs: o.perSegmentMs ?? 0 })))
  const whisper = await openWhisperService({ config, open })
  t.after(() => whisper.close(1000))
  await whisper.model.selfTest()
  return await whisper.service.listen({ host: '127.0.0.1', port: 0 })
}
const speech = readFileSync(join(import.meta.dirname, '../../../contracts/recordings/s1/ivrvoice-festvox-1.wav'))
const sound = () => new Blob([Uint8Array.from(speech)])
function form(fields: Record<string, string | Blob | null>): FormData {
  const body = new FormData()
  for (const [name, value] of Object.entries({ file: sound(), model: 'tiny', ...fields })) {
    if (typeof value === 'string') body.append(name, value)
    else if (value) body.append(name, value, 'speech.wav')
  }
  return body
}
const post = async (url: string, fields: Record<string, string | Blob | null> = {}) =>
  await fetch(`${url}/v1/audio/transcriptions`, { method: 'POST', body: form(fields) })

/** How each case of the table of errors comes about. */
const provoke: Record<string, (t: TestContext) => Promise<Response>> = {
  'no file': async t => await post(await serving(t), { file: null }),
  'no model': async t => await post(await serving(t), { model: null }),
  'unknown model': async t => await post(await serving(t), { model: 'none' }),
  'unknown response_format': async t => await post(await serving(t), { response_format: 'xml' }),
  'unknown language': async t => await post(await serving(t), { language: 'hh' }),
  'temperature out of range': async t => await post(await serving(t), { temperature: '2' }),
  'word times without verbose_json': async t => await post(await serving(t), { 'timestamp_granularities[]': 'word' }),
  'unknown field': async t => await post(await serving(t), { colour: 'red' }),
  'not a sound': async t => await post(await serving(t), { file: new Blob(['text '.repeat(99)]) }),
  'shorter than 0.1 s': async t => {
    const short = Buffer.from(speech.subarray(0, 44 + 2 * 800))
    short.writeUInt32LE(short.length - 8, 4)
    short.writeUInt32LE(short.length - 44, 40)
    return await post(await serving(t), { file: new Blob([Uint8Array.from(short)]) })
  },
  'longer than the configuration allows': async t =>
    await post(await serving(t, { transcription: { max_audio_duration_seconds: 0.5 } })),
  'larger than the configuration allows': async t =>
    await post(await serving(t, { server: { max_upload_bytes: 1000 } })),
  'not multipart/form-data': async t =>
    await fetch(`${await serving(t)}/v1/audio/transcriptions`, { method: 'POST', body: '{}' }),
  'wrong key': async t => await post(await serving(t, { server: { api_keys: ['secret'] } })),
  'full queue': async t => {
    const url = await serving(t, { server: { queue: 0 }, perSegmentMs: 300 })
    const answers = await Promise.all(Array.from({ length: 3 }, () => post(url)))
    return answers.find(({ status }) => status !== 200)!
  },
  'no model to be had': async t =>
    await post(
      await serving(t, { open: () => Promise.reject(blockedError('Cannot open "tiny": it is absent', 'get it')) }),
    ),
  'unknown route': async t => await fetch(`${await serving(t)}/v1/chat/completions`),
}

test('API_SPEC.md: every error of the table comes about, as the table says', async t => {
  const rows = rowsBelow(read('API_SPEC.md'), 'Errors')
  assert.deepEqual(rows.map(([name]) => name).toSorted(), Object.keys(provoke).toSorted())
  for (const [name, status, param, code] of rows) {
    const response = await provoke[name!]!(t)
    assert.equal(response.status, Number(status), name)
    const { error } = (await response.json()) as { error: Record<string, unknown> }
    assert.deepEqual(Object.keys(error).toSorted(), ['code', 'message', 'param', 'type'], name)
    assert.equal(error.param ?? '', param, name)
    assert.equal(error.code ?? '', code, name)
  }
})

test('API_SPEC.md: every example is answered with 200', async t => {
  const url = await serving(t)
  const examples = read('API_SPEC.md').match(/^curl .*$/gm)!
  assert.ok(examples.length >= 9)
  for (const example of examples) {
    const [, address, ...words] = example.split(/\s+/)
    const fields = words.filter(word => word !== '-F').map(word => word.split('=') as [string, string])
    const body = form(Object.fromEntries(fields.filter(([name]) => name !== 'file')))
    const at = address!.replace('http://localhost:11437', url)
    const response = await (fields.length === 0 ? fetch(at) : fetch(at, { method: 'POST', body }))
    assert.equal(response.status, 200, `${example}: ${await response.text()}`)
  }
})

test('API_SPEC.md: every route of the table is there, and no other of the interface', async t => {
  const url = await serving(t)
  const routes = rowsBelow(read('API_SPEC.md'), 'Routes').map(([route]) => route!.replaceAll('`', '').split(' '))
  for (const [method, path] of routes) {
    const response = await fetch(url + path!.replace('{id}', 'whisper-1'), { method: method! })
    assert.notEqual(response.status, 404, path)
    assert.notEqual(response.status, 405, path)
  }
  assert.equal((await fetch(`${url}/v1/audio/speech`, { method: 'POST' })).status, 404)
})

test('ARCHITECTURE.md names every path of an installation', () => {
  const text = read('ARCHITECTURE.md')
  for (const path of Object.values(paths)) {
    const last = path.split('/').at(-1)!
    assert.ok(text.includes(path) || text.includes(last), path)
  }
})

test('TROUBLESHOOTING.md and config.yaml name keys and runbooks that exist', async () => {
  const config = await parseServiceYaml(defaultYaml(), 'config.yaml')
  for (const [, section, key] of read('TROUBLESHOOTING.md').matchAll(/`(server|model|transcription)\.(\w+)/g)) {
    assert.ok(Object.hasOwn(config[section as 'server'], key!), `${section}.${key}`)
  }
  for (const [, name] of read('TROUBLESHOOTING.md').matchAll(/runbooks\/([\w-]+\.ts)/g)) {
    assert.ok(readFileSync(join(import.meta.dirname, '../../../runbooks', name!)).length > 0)
  }
})
