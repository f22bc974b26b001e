import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, readlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import test from 'node:test'
import { RunbookError } from '../../base/errors.ts'
import { createRunFolder, pointLatest, runTs } from './run-folder.ts'

const scratch = () => mkdtempSync(join(tmpdir(), 'run-folder-'))

test('runTs() is the local time as folders are named', () => {
  assert.equal(runTs(new Date(2026, 1, 3, 5, 29, 9)), '20260203_052909')
})

test('createRunFolder() is exclusive: a second and a third get -2 and -3', () => {
  const root = join(scratch(), 'module_runs')
  assert.deepEqual(
    [1, 2, 3].map(() => basename(createRunFolder(root, 'a'))),
    ['a', 'a-2', 'a-3'],
  )
})

test('createRunFolder() refuses names that leave the folder or shadow the link', () => {
  for (const name of ['../up', 'a/b', '', '.hidden', 'latest', 'a b', 'x\ny']) {
    assert.throws(
      () => createRunFolder(scratch(), name),
      (error: RunbookError) => error.exit === 'usage',
      JSON.stringify(name),
    )
  }
})

test('createRunFolder() is blocked where a file is in the way or the folder is read-only', () => {
  const root = scratch()
  writeFileSync(join(root, 'file'), '')
  assert.throws(
    () => createRunFolder(join(root, 'file'), 'a'),
    (error: RunbookError) => error.exit === 'blocked',
  )
  if (process.getuid?.() === 0) return
  chmodSync(root, 0o500)
  assert.throws(
    () => createRunFolder(root, 'a'),
    (error: RunbookError) => error.exit === 'blocked',
  )
})

test('pointLatest() points at the run that ended last, and leaves no sibling behind', () => {
  const root = scratch()
  const [first, second] = [createRunFolder(root, 'a'), createRunFolder(root, 'b')]
  assert.ok(!existsSync(join(root, 'latest')))
  pointLatest(second)
  pointLatest(first)
  assert.equal(readlinkSync(join(root, 'latest')), 'a')
  assert.ok(!existsSync(join(root, `.latest.${process.pid}`)))
})
