import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { applySteps } from '../../../deploy/steps.ts'
import { installation, installOptions, type Scene } from '../../../testing/whisper/installation.ts'
import { configOf, installSteps } from './install.ts'
import { paths } from './layout.ts'
import { verifySteps } from './verify.ts'

const skip = process.getuid?.() === 0 ? false : 'root: accounts and owners are set by root'

async function failures({ target }: Scene): Promise<string[]> {
  const results = await applySteps(verifySteps(target, await configOf(target)), { keepGoing: true })
  assert.equal(
    results.some(({ status }) => status === 'not reached' || status === 'changed'),
    false,
  )
  return results.flatMap(({ name, status }) => (status === 'failed' ? [name] : []))
}

test('verifySteps() finds nothing at an installation with a model and a log', { skip }, async t => {
  const at = await installation(t)
  await applySteps(installSteps(at.target, await installOptions(at)))
  writeFileSync(join(at.root, paths.hailoModels, 'Whisper-Base.hef'), 'x')
  mkdirSync(join(at.root, paths.runs, 'latest'))
  writeFileSync(join(at.root, paths.runs, 'latest/service.log'), '{"level":30,"msg":"transcribed"}\n')
  assert.deepEqual(await failures(at), [])
})

test('verifySteps() collects every failure, not the first alone, and mends none', { skip }, async t => {
  const at = await installation(t)
  await applySteps(installSteps(at.target, await installOptions(at)))
  mkdirSync(join(at.root, paths.runs, 'latest'))
  writeFileSync(join(at.root, paths.runs, 'latest/service.log'), '{"level":50,"msg":"request failed"}\n')
  chmodSync(join(at.root, paths.cache), 0o777)
  rmSync(join(at.root, paths.unit))
  writeFileSync(join(at.root, paths.json), '{}')
  await at.manager.run(['systemctl', 'stop', 'hailo-whisper.service'])
  await at.manager.run(['systemctl', 'disable', 'hailo-whisper.service'])
  const expected = [
    'hailo-whisper.service enabled',
    'hailo-whisper.service active',
    `folder ${paths.cache}`,
    `file ${paths.json}`,
    `file ${paths.unit}`,
    'model files',
    'log',
  ]
  assert.deepEqual(await failures(at), expected)
  assert.deepEqual(await failures(at), expected)
})

test('verifySteps() at an empty root fails for all that should be there', { skip }, async t => {
  const at = await installation(t)
  const found = await failures(at)
  for (const path of [paths.json, paths.unit, paths.limits]) assert.ok(found.includes(`file ${path}`), path)
  assert.ok(found.includes('model files'))
})
