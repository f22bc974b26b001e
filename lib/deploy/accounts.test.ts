import assert from 'node:assert/strict'
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { capture } from '../host/exec.ts'
import { deviceGroupStep, groupStep, noGroupStep, noUserStep, userStep } from './accounts.ts'
import { accountsOf, membersOf, openTarget, type Target } from './target.ts'
import { applySteps, type Step } from './steps.ts'

const isRoot = process.getuid?.() === 0
const skip = isRoot ? false : 'root: accounts are made by root'

/** A root with empty account files of its own, and the machine's real `useradd` and kin. */
function target(t: TestContext): Target {
  const root = mkdtempSync(join(tmpdir(), 'accounts-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  mkdirSync(join(root, 'etc'))
  mkdirSync(join(root, 'dev'))
  for (const name of ['passwd', 'group']) writeFileSync(join(root, 'etc', name), '')
  return openTarget({ root, run: argv => capture(argv) })
}
const statuses = async (...steps: Step[]) => (await applySteps(steps)).map(({ status }) => status)

test(
  'groupStep() and userStep() make accounts once, in their own root, and removal takes them away',
  { skip },
  async t => {
    const m = target(t)
    const make = [groupStep(m, 'hailo-x'), userStep(m, 'hailo-x', { home: '/var/lib/x' })]
    assert.deepEqual(await statuses(...make), ['changed', 'changed'])
    assert.deepEqual(await statuses(...make), ['ok', 'ok'])
    assert.deepEqual(
      accountsOf(m, 'user').map(({ name }) => name),
      ['hailo-x'],
    )
    assert.doesNotMatch(readFileSync('/etc/passwd', 'utf8'), /hailo-x/)
    assert.deepEqual(await statuses(noUserStep(m, 'hailo-x'), noGroupStep(m, 'hailo-x')), ['changed', 'changed'])
    assert.deepEqual(await statuses(noUserStep(m, 'hailo-x'), noGroupStep(m, 'hailo-x')), ['ok', 'ok'])
  },
)

test('deviceGroupStep() puts a user into the group that owns the node', { skip }, async t => {
  const m = target(t)
  await applySteps([groupStep(m, 'hailo'), groupStep(m, 'svc'), userStep(m, 'svc', { home: '/' })])
  const step = deviceGroupStep(m, 'svc', '/dev/hailo0')
  assert.deepEqual(await statuses(step), ['not here'])
  writeFileSync(join(m.root, 'dev/hailo0'), '')
  assert.deepEqual(await statuses(step), ['ok'], 'a node of root needs no membership')
  chownSync(join(m.root, 'dev/hailo0'), 0, accountsOf(m, 'group').find(({ name }) => name === 'hailo')!.id)
  assert.deepEqual(await statuses(step), ['changed'])
  assert.deepEqual(membersOf(m, 'hailo'), ['svc'])
  chownSync(join(m.root, 'dev/hailo0'), 0, 54321)
  const [result] = await applySteps([step])
  assert.equal(result!.status, 'failed')
  assert.match(result!.hint, /groupadd --gid 54321/)
})

test('userStep() fails with what useradd said when it refuses', async t => {
  const m: Target = {
    ...target(t),
    run: () => Promise.resolve({ exitCode: 9, stdout: '', stderr: 'useradd: no\nuseradd: cannot lock' }),
  }
  const [result] = await applySteps([userStep(m, 'svc', { home: '/' })])
  assert.equal(result!.status, 'failed')
  assert.match(result!.detail, /exit 9, useradd: cannot lock/)
})

test('openTarget() refuses a root that is not absolute', () => {
  assert.throws(() => openTarget({ root: 'x', run: () => assert.fail() }), /Cannot install into "x"/)
})
