import assert from 'node:assert/strict'
import test from 'node:test'
import { z } from 'zod'
import { RunbookError } from '../base/errors.ts'
import { parseYaml, readYaml } from './config.ts'

const schema = z.strictObject({
  server: z.strictObject({ host: z.string(), port: z.int().min(1).max(65535) }),
  model: z.strictObject({ name: z.string().min(1), keep_alive: z.int().min(-1).default(-1) }),
})
const good = 'server:\n  host: 0.0.0.0\n  port: 11437\nmodel:\n  name: tiny.en\n'
const refused = async (text: string, message: RegExp) =>
  await assert.rejects(
    parseYaml(text, schema, 'x.yaml'),
    error => error instanceof RunbookError && error.exit === 'usage' && message.test(error.message),
  )

test('parseYaml() gives what the schema says, with its defaults', async () => {
  assert.deepEqual(await parseYaml(good, schema, 'x.yaml'), {
    server: { host: '0.0.0.0', port: 11437 },
    model: { name: 'tiny.en', keep_alive: -1 },
  })
})

test('parseYaml() names file, line and key when a value is refused', async () => {
  await refused(good.replace('11437', 'high'), /"x\.yaml": line 3: server\.port/)
  await refused(good.replace('11437', '99999'), /line 3: server\.port/)
  await refused(good.replace('tiny.en', "''"), /line 5: model\.name/)
})

test('parseYaml() names the nearest line when a key is absent, and the key when it is unknown', async () => {
  await refused(good.replace('  port: 11437\n', ''), /line 1: server\.port/)
  await refused(good.replace('model:\n  name: tiny.en\n', ''), /"x\.yaml": model/)
  await refused(`${good}  nmae: x\n`, /line 6: model\.nmae: there is no such key/)
})

test('parseYaml() refuses what is no YAML, a key that stands twice, an empty file and a list', async () => {
  await refused('server: [1, 2', /line 1/)
  await refused(`${good}  name: other\n`, /line 6/)
  await refused('', /server/)
  await refused('- a\n- b\n', /the file/)
})

test('readYaml() is blocked when the file is absent', async () => {
  await assert.rejects(
    readYaml('/no/such.yaml', schema),
    error => error instanceof RunbookError && error.exit === 'blocked',
  )
})
