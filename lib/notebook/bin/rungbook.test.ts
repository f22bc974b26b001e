import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { runbooksNamed } from './rungbook.ts'

const known = ['doctor', 'edgeinfer-serve', 'explain-log', 'monolithic-sweep', 'whisper-serve']

test('runbooksNamed() finds a runbook by its name or by a word that no other has', () => {
  assert.deepEqual(runbooksNamed('doctor', known), ['doctor'])
  assert.deepEqual(runbooksNamed('sweep', known), ['monolithic-sweep'])
  assert.deepEqual(runbooksNamed('explain', known), ['explain-log'])
  assert.deepEqual(runbooksNamed('serve', known), ['edgeinfer-serve', 'whisper-serve'])
  assert.deepEqual(runbooksNamed('swee', known), [])
})

test('rungbook runs the runbook that it is told, with its words, and is a usage error when there is none', () => {
  const run = (...words: string[]) => {
    const argv = [join(import.meta.dirname, 'rungbook.mjs'), ...words]
    const cwd = mkdtempSync(join(tmpdir(), 'rungbook-bin-'))
    return spawnSync(process.execPath, argv, { cwd, encoding: 'utf8', input: '' })
  }
  const help = run('explain', '--help')
  assert.equal(help.status, 0, help.stderr)
  assert.match(help.stdout, /Usage: npx rungbook explain-log \[flags\]/)
  const list = run('--help')
  assert.deepEqual([list.status, /^runbooks\/doctor\.ts +which of this/m.test(list.stdout)], [0, true], list.stderr)
  const none = run('swep')
  assert.deepEqual([none.status, /Cannot run "swep": there is no such runbook/.test(none.stderr)], [2, true])
})
