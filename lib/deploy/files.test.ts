import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { absentStep, fileStep, folderStep, treeStep } from './files.ts'
import { openTarget, type Target } from './target.ts'
import { applySteps, type Step } from './steps.ts'

function target(t: TestContext): Target {
  const root = mkdtempSync(join(tmpdir(), 'deploy-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  mkdirSync(join(root, 'etc'))
  writeFileSync(join(root, 'etc/passwd'), 'svc:x:12345:12346::/:/usr/sbin/nologin\n')
  writeFileSync(join(root, 'etc/group'), 'svc:x:12346:\n')
  return openTarget({ root, run: () => assert.fail('no command is needed') })
}
const statuses = async (...steps: Step[]) => (await applySteps(steps)).map(({ status }) => status)
const isRoot = process.getuid?.() === 0

test('folderStep() creates a folder with its mode, and mends a mode that somebody changed', async t => {
  const m = target(t)
  const step = folderStep(m, '/var/lib/x', { mode: 0o750 })
  assert.deepEqual(await statuses(step), ['changed'])
  chmodSync(join(m.root, 'var/lib/x'), 0o777)
  assert.deepEqual(await statuses(step), ['changed'])
  assert.equal(statSync(join(m.root, 'var/lib/x')).mode & 0o7777, 0o750)
  assert.deepEqual(await statuses(step), ['ok'])
})

test('folderStep() fails when a file is in the place, and leaves it', async t => {
  const m = target(t)
  writeFileSync(join(m.root, 'x'), 'mine')
  const [result] = await applySteps([folderStep(m, '/x', { mode: 0o755 })])
  assert.equal(result!.status, 'failed')
  assert.equal(readFileSync(join(m.root, 'x'), 'utf8'), 'mine')
})

test('fileStep() writes, writes again what differs, and keeps an edited file when asked', async t => {
  const m = target(t)
  const path = join(m.root, 'etc/a.conf')
  assert.deepEqual(await statuses(fileStep(m, '/etc/a.conf', { content: 'one', mode: 0o644 })), ['changed'])
  assert.deepEqual(await statuses(fileStep(m, '/etc/a.conf', { content: () => 'two', mode: 0o600 })), ['changed'])
  assert.equal(statSync(path).mode & 0o777, 0o600)
  const kept = fileStep(m, '/etc/a.conf', { content: 'three', mode: 0o644, ifAbsent: true })
  assert.deepEqual(await statuses(kept), ['ok'])
  assert.equal(readFileSync(path, 'utf8'), 'two')
})

test(
  'fileStep() gives the file to an account of its root',
  { skip: isRoot ? false : 'root: only root gives files away' },
  async t => {
    const m = target(t)
    assert.deepEqual(await statuses(fileStep(m, '/a', { content: '', mode: 0o600, owner: 'svc:svc' })), ['changed'])
    const { uid, gid } = statSync(join(m.root, 'a'))
    assert.deepEqual([uid, gid], [12345, 12346])
    const [result] = await applySteps([fileStep(m, '/b', { content: '', mode: 0o600, owner: 'nobody-here:svc' })])
    assert.equal(result!.status, 'failed')
    assert.match(result!.detail, /no such user and group/)
  },
)

test('treeStep() copies a tree, takes away what is not in it, and sees one changed byte', async t => {
  const m = target(t)
  const from = mkdtempSync(join(tmpdir(), 'deploy-from-'))
  t.after(() => rmSync(from, { recursive: true }))
  mkdirSync(join(from, 'sub'))
  writeFileSync(join(from, 'sub/a.ts'), 'a')
  mkdirSync(join(from, '.git'))
  writeFileSync(join(from, '.git/HEAD'), 'x')
  symlinkSync('sub/a.ts', join(from, 'link'))
  const step = treeStep(m, '/opt/app', { from, skip: path => path === '.git' })
  assert.deepEqual(await statuses(step), ['changed'])
  assert.deepEqual(await statuses(step), ['ok'])
  assert.equal(existsSync(join(m.root, 'opt/app/.git')), false)
  assert.equal(readFileSync(join(m.root, 'opt/app/link'), 'utf8'), 'a')
  writeFileSync(join(m.root, 'opt/app/stray'), '')
  writeFileSync(join(m.root, 'opt/app/sub/a.ts'), 'b')
  assert.deepEqual(await statuses(step), ['changed'])
  assert.equal(existsSync(join(m.root, 'opt/app/stray')), false)
  chmodSync(join(m.root, 'opt/app/sub/a.ts'), 0o666)
  assert.deepEqual(await statuses(step), ['changed'])
  assert.equal(statSync(join(m.root, 'opt/app/sub/a.ts')).mode & 0o022, 0)
})

test('treeStep() fails when its source is absent, and leaves what was copied before', async t => {
  const m = target(t)
  mkdirSync(join(m.root, 'opt/app'), { recursive: true })
  const [result] = await applySteps([treeStep(m, '/opt/app', { from: '/no/such/folder' })])
  assert.equal(result!.status, 'failed')
  assert.equal(existsSync(join(m.root, 'opt/app')), true)
})

test('absentStep() removes a tree, also a dangling link, and is content when nothing is there', async t => {
  const m = target(t)
  mkdirSync(join(m.root, 'x/y'), { recursive: true })
  symlinkSync('/no/where', join(m.root, 'link'))
  assert.deepEqual(await statuses(absentStep(m, '/x'), absentStep(m, '/link')), ['changed', 'changed'])
  assert.deepEqual(await statuses(absentStep(m, '/x'), absentStep(m, '/link')), ['ok', 'ok'])
})
