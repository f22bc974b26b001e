import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { findProgram } from './program.ts'

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'program-')))
after(() => rmSync(folder, { recursive: true, force: true }))

function script(name: string, text: string, mode: number): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

test('findProgram() takes the first that can run, folder by folder', () => {
  mkdirSync(join(folder, 'first/tool'), { recursive: true })
  mkdirSync(join(folder, 'second'))
  mkdirSync(join(folder, 'third'))
  script('second/tool', '#!/bin/sh\n', 0o644)
  const third = script('third/tool', '#!/bin/sh\n', 0o755)
  const PATH = ['first', 'nowhere', 'second', 'third'].map(name => join(folder, name)).join(':')
  assert.equal(findProgram('tool', { env: { PATH } }), third)
})

test('findProgram() takes a name with "/" as a path from cwd, whatever PATH says', () => {
  const path = script('local', '#!/bin/sh\n', 0o755)
  assert.equal(findProgram('./local', { cwd: folder, env: { PATH: '' } }), path)
  assert.equal(findProgram(path, { env: {} }), path)
})

test('findProgram() looks in the usual folders when PATH is not set', () => {
  assert.match(findProgram('sh', { env: {} }), /\/sh$/)
})

test('findProgram() is blocked when the program is absent, with the name and a way out', () => {
  assert.throws(() => findProgram('hailo-absent', { env: { PATH: folder } }), {
    exit: 'blocked',
    message: 'Cannot run "hailo-absent": it is not on PATH',
    hint: /install hailo-absent/,
  })
  const absent = { exit: 'blocked', message: /there is no such file/, hint: /ls -l/ }
  assert.throws(() => findProgram('./absent', { cwd: folder }), absent)
})

test('findProgram() tells a file that may not run from one that is absent', () => {
  const path = script('plain', '#!/bin/sh\n', 0o644)
  assert.throws(() => findProgram(path), { exit: 'blocked', message: /is not executable/, hint: `chmod +x "${path}"` })
  assert.throws(() => findProgram('plain', { env: { PATH: folder } }), {
    exit: 'blocked',
    message: /is not executable/,
  })
})

test('findProgram() names the interpreter that a moved virtualenv has lost', () => {
  const path = script('moved', '#!/old/venv/bin/python3 -E\nprint()\n', 0o755)
  assert.throws(() => findProgram(path), {
    exit: 'blocked',
    message: /its interpreter "\/old\/venv\/bin\/python3" is absent/,
  })
  const here = script('here', '#! /bin/sh -e\n', 0o755)
  assert.equal(findProgram(here), here)
})

test('findProgram() refuses an empty name and a folder as usage errors', () => {
  assert.throws(() => findProgram(''), { exit: 'usage' })
  assert.throws(() => findProgram(folder), { exit: 'usage', message: /it is a folder/ })
})
