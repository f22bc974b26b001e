import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { resumeFolder, sliceCases } from './select.ts'

const cases = ['a', 'b', 'c'].map(tag => ({ tag }))
const scratch = () => mkdtempSync(join(tmpdir(), 'select-'))

test('sliceCases() takes numbers and tags, and refuses what is not there', () => {
  assert.deepEqual(
    sliceCases(cases, { from: '2' }).map(rung => rung.tag),
    ['b', 'c'],
  )
  assert.deepEqual(
    sliceCases(cases, { from: 'a', until: 'b' }).map(rung => rung.tag),
    ['a', 'b'],
  )
  assert.throws(() => sliceCases(cases, { from: '4' }), /cases 1 to 3/)
  assert.throws(() => sliceCases(cases, { from: '0' }), /cases 1 to 3/)
  assert.throws(() => sliceCases(cases, { from: '3', until: '1' }), /wrong way round/)
})

test('resumeFolder() finds a run by path or by name, and refuses one that is not there', () => {
  const outDir = scratch()
  mkdirSync(join(outDir, 'r1'))
  writeFileSync(join(outDir, 'r1/report.json'), '{}')
  assert.equal(resumeFolder('r1', outDir), join(outDir, 'r1'))
  assert.equal(resumeFolder(undefined, outDir), null)
  assert.throws(() => resumeFolder('r2', outDir), /there is no such run/)
})
