import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { projectRoot, projectVersion } from './version.ts'

test('projectVersion() is a version, and projectRoot is the folder that holds it', () => {
  assert.match(projectVersion(), /^\d+\.\d+\.\d+/)
  assert.ok(existsSync(join(projectRoot, 'package.json')))
})
