import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { RunbookError } from '../../../base/errors.ts'
import { rollOut } from './roll-out.ts'

const folders: string[] = []
test.after(() => folders.forEach(folder => rmSync(folder, { recursive: true, force: true })))

/** A folder with models of these contents, and a docker that fails for what `fails` says. */
function board(models: { service?: string; canary?: string }, fails: (words: string, hef: string) => boolean) {
  const folder = mkdtempSync(join(tmpdir(), 'roll-out-'))
  folders.push(folder)
  const artifacts = join(folder, 'artifacts')
  mkdirSync(join(artifacts, 'canary'), { recursive: true })
  const hef = join(artifacts, 'tcn_encoder.hef')
  if (models.service !== undefined) writeFileSync(hef, models.service)
  if (models.canary !== undefined) {
    writeFileSync(join(artifacts, 'canary/tcn_encoder.hef'), models.canary)
    writeFileSync(join(artifacts, 'canary/export_config.yaml'), `of ${models.canary}`)
  }
  const said: string[] = []
  const inService = () => readFileSync(hef, 'utf8')
  const run = async (argv: readonly string[]) => {
    const words = argv.join(' ')
    said.push(words)
    const isBad = fails(words, models.service === undefined && models.canary === undefined ? '' : inServiceOrNone())
    return { exitCode: isBad ? 1 : 0, stdout: '', stderr: isBad ? 'container is unhealthy\n' : '' }
  }
  const inServiceOrNone = () => {
    try {
      return inService()
    } catch {
      return ''
    }
  }
  return { artifacts, said, inService, go: () => rollOut({ folder, run }) }
}
const stepsOf = (words: readonly string[]) => words.map(each => each.replace(/^docker compose --profile /, ''))

test('rollOut starts the canary beside the service, takes it away, and promotes its model', async () => {
  const at = board({ service: 'old', canary: 'new' }, () => false)
  const { end, rows } = await at.go()
  assert.equal(end, 'promoted')
  assert.deepEqual(stepsOf(at.said), [
    'docker compose version',
    'device config --quiet',
    'device build hailo-inference',
    'canary up --detach --wait --force-recreate hailo-inference-canary',
    'canary rm --stop --force hailo-inference-canary',
    'device up --detach --wait --force-recreate hailo-inference',
  ])
  assert.equal(at.inService(), 'new')
  assert.equal(readFileSync(join(at.artifacts, 'export_config.yaml'), 'utf8'), 'of new')
  assert.equal(readFileSync(join(at.artifacts, 'previous/tcn_encoder.hef'), 'utf8'), 'old')
  assert.ok(rows.every(({ ok }) => ok))
})

test('rollOut leaves the service alone when the canary does not become healthy', async () => {
  const at = board({ service: 'old', canary: 'bad' }, words => words.includes('up') && words.endsWith('canary'))
  const { end, rows } = await at.go()
  assert.equal(end, 'canary refused')
  assert.equal(at.inService(), 'old')
  assert.ok(at.said.at(-1)!.includes('rm --stop --force'), 'the canary is taken away')
  assert.ok(!at.said.some(words => words.includes('up') && words.endsWith(' hailo-inference')))
  assert.match(rows.find(({ ok }) => !ok)!.did, /: container is unhealthy$/)
})

test('rollOut brings the old model back when the service does not become healthy with the new one', async () => {
  const isService = (words: string) => words.includes('up') && words.endsWith(' hailo-inference')
  const at = board({ service: 'old', canary: 'new' }, (words, hef) => isService(words) && hef === 'new')
  const { end } = await at.go()
  assert.equal(end, 'rolled back')
  assert.equal(at.inService(), 'old')
  assert.throws(() => readFileSync(join(at.artifacts, 'export_config.yaml')), 'what only the new model had is gone')
  assert.equal(at.said.filter(isService).length, 2)
})

test('rollOut ends where the old model does not start either, or where there is none to go back to', async () => {
  const never = (words: string) => words.includes('up') && words.endsWith(' hailo-inference')
  assert.equal((await board({ service: 'old', canary: 'new' }, never).go()).end, 'stopped')
  assert.equal((await board({ canary: 'new' }, never).go()).end, 'stopped')
  assert.equal((await board({ service: 'old' }, never).go()).end, 'stopped')
  const unbuilt = board({ service: 'old', canary: 'new' }, words => words.includes(' build '))
  assert.equal((await unbuilt.go()).end, 'stopped')
  assert.equal(unbuilt.said.length, 3)
})

test('rollOut starts the service where there is no canary, and is blocked where there is no model', async () => {
  const first = board({ service: 'old' }, () => false)
  assert.equal((await first.go()).end, 'started')
  assert.equal(first.said.length, 4)
  const none = board({}, () => false)
  await assert.rejects(none.go(), (error: unknown) => error instanceof RunbookError && error.exit === 'blocked')
  assert.deepEqual(none.said, [])
  const bare = board({ service: 'old' }, () => true)
  await assert.rejects(bare.go(), /"docker compose": container is unhealthy/)
  assert.equal(bare.said.length, 1)
})
