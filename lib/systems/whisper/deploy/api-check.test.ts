import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { projectRoot } from '../../../base/version.ts'
import { applySteps } from '../../../deploy/steps.ts'
import { standInTranscriber } from '../../../testing/whisper/transcriber.ts'
import { openWhisperService } from '../server/service.ts'
import { defaultYaml, parseServiceYaml } from '../service-config.ts'
import { apiSteps } from './api-check.ts'

const wav = readFileSync(join(projectRoot, 'contracts/recordings/s1/ivrvoice-festvox-1.wav'))
const asked = async (url: string, o: { model?: string; apiKey?: string } = {}) => {
  const steps = apiSteps({ url, wav, model: o.model, apiKey: o.apiKey, timeoutMs: 20_000 })
  const results = await applySteps(steps, { keepGoing: true })
  return results.flatMap(({ name, status, detail }) => (status === 'ok' ? [] : [`${name}: ${detail}`]))
}

async function service(t: TestContext, o: { isReady?: boolean; keys?: string[] } = {}): Promise<string> {
  const usual = await parseServiceYaml(defaultYaml(), 'config.yaml')
  const config = { ...usual, server: { ...usual.server, api_keys: o.keys ?? [] } }
  const whisper = await openWhisperService({ config, open: () => Promise.resolve(standInTranscriber()) })
  t.after(() => whisper.close(100))
  if (o.isReady ?? true) await whisper.model.selfTest()
  return await whisper.service.listen({ host: '127.0.0.1', port: 0 })
}

/** A service that is not ours: the same answer to everything. */
async function other(t: TestContext, body: string, type = 'application/json'): Promise<string> {
  const server: Server = createServer((request, response) => {
    request.resume().once('end', () => response.writeHead(200, { 'content-type': type }).end(body))
  })
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('apiSteps() finds nothing at a service that answers as the API says', async t => {
  assert.deepEqual(await asked(await service(t), { model: 'whisper-small-int8' }), [])
})

test('apiSteps() names a service that is not ready, and a model that is not listed', async t => {
  const found = await asked(await service(t, { isReady: false }), { model: 'other' })
  assert.match(found[0]!, /^GET \/health\/ready: .*HTTP 503/)
  assert.match(found[1]!, /other is not in whisper-small-int8/)
})

test('apiSteps() sends the key, and names what is refused without one', async t => {
  const url = await service(t, { keys: ['secret'] })
  assert.deepEqual(await asked(url, { apiKey: 'secret' }), [])
  assert.match((await asked(url))[0]!, /GET \/v1\/models: .*HTTP 401/)
})

test('apiSteps() accepts no answer of another form', async t => {
  const found = await asked(await other(t, '{"text":""}'))
  assert.equal(found.length, 8)
  assert.match(found[3]!, /as json: .*the text is empty/)
  assert.equal((await asked(await other(t, 'hello', 'text/html'))).length, 8)
})

test('apiSteps() says that nothing answers when nothing does', async () => {
  const found = await asked('http://127.0.0.1:1')
  assert.equal(found.length, 8)
  assert.match(found[0]!, /Cannot reach "http:\/\/127\.0\.0\.1:1\/health"/)
})
