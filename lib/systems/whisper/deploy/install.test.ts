import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { applySteps, holds, differs, type Step } from '../../../deploy/steps.ts'
import { installation as scene, installOptions as options } from '../../../testing/whisper/installation.ts'
import { needsTool } from '../../../testing/needs.ts'
import { configOf, installSteps, uninstallSteps } from './install.ts'
import { paths } from './layout.ts'
import { unitText } from './unit.ts'

const skip = process.getuid?.() === 0 ? false : 'root: accounts and owners are set by root'

const statusesOf = async (steps: readonly Step[], o = {}) =>
  new Map((await applySteps(steps, o)).map(result => [result.name, result.status]))
const names = (statuses: Map<string, string>, status: string) =>
  [...statuses].flatMap(([name, is]) => (is === status ? [name] : []))
/** Every path under a root, but for the account files that the root began with. */
const left = (root: string) =>
  readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
    name => statSync(join(root, name)).isFile() && !/^etc\/(passwd|group|shadow|gshadow|subuid|subgid)-?$/.test(name),
  )

test(
  'installSteps() installs, changes nothing in a second run, and uninstallSteps() leaves the YAML alone',
  { skip },
  async t => {
    const at = await scene(t)
    const first = await statusesOf(installSteps(at.target, await options(at, { warmup: true })))
    assert.deepEqual(names(first, 'failed'), [])
    assert.ok(names(first, 'changed').length > 15)
    const second = await statusesOf(installSteps(at.target, await options(at)))
    assert.deepEqual([...names(second, 'changed'), ...names(second, 'failed')], [])
    assert.equal(at.manager.commands.filter(command => command.startsWith('restart')).length, 1)
    assert.equal(existsSync(join(at.root, paths.app, 'lib/a.ts')), true)
    for (const name of ['lib/a.test.ts', '.git', 'module_runs'])
      assert.equal(existsSync(join(at.root, paths.app, name)), false)

    const gone = await statusesOf(uninstallSteps(at.target))
    assert.deepEqual(names(gone, 'failed'), [])
    assert.deepEqual(left(at.root), [paths.yaml.slice(1)])
    const again = await statusesOf(uninstallSteps(at.target))
    assert.deepEqual([...names(again, 'changed'), ...names(again, 'failed')], [])
  },
)

test('installSteps() gives code to root and state to the service', { skip }, async t => {
  const at = await scene(t)
  await applySteps(installSteps(at.target, await options(at)))
  const owner = (path: string) => statSync(join(at.root, path))
  const uid = Number(readFileSync(join(at.root, 'etc/passwd'), 'utf8').split(':')[2])
  assert.equal(owner(paths.app).uid, 0)
  assert.equal(owner(join(paths.app, 'lib/a.ts')).mode & 0o022, 0)
  assert.equal(owner('/var/lib/hailo-whisper').uid, uid)
  assert.equal(owner(paths.hailoModels).mode & 0o777, 0o750)
  assert.equal(owner(paths.json).uid, 0)
  assert.equal(owner(paths.json).mode & 0o777, 0o640)
})

test(
  'installSteps() restarts the service after new code, a new limit or a new model, and only then',
  { skip },
  async t => {
    const at = await scene(t)
    await applySteps(installSteps(at.target, await options(at)))
    const restarts = () => at.manager.commands.filter(command => command.startsWith('restart')).length
    writeFileSync(join(at.project, 'lib/a.ts'), 'export const b = 1')
    await applySteps(installSteps(at.target, await options(at)))
    assert.equal(restarts(), 2)
    const yaml = join(at.root, paths.yaml)
    writeFileSync(yaml, readFileSync(yaml, 'utf8').replace('memory_max: 3G', 'memory_max: 2G'))
    const changed = await statusesOf(installSteps(at.target, await options(at)))
    assert.ok(names(changed, 'changed').includes(`file ${paths.limits}`))
    assert.match(readFileSync(join(at.root, paths.limits), 'utf8'), /^MemoryMax=2G$/m)
    assert.equal(restarts(), 3)
    let isThere = false
    const model: Step = {
      name: 'model x',
      check: () => (isThere ? holds('') : differs('', '')),
      apply: () => void (isThere = true),
    }
    await applySteps(installSteps(at.target, await options(at, { model: [model] })))
    assert.equal(restarts(), 4)
  },
)

test('installSteps() in a dry run touches nothing', { skip }, async t => {
  const at = await scene(t)
  const before = left(at.root)
  const statuses = await statusesOf(installSteps(at.target, await options(at)), { dryRun: true })
  assert.ok(names(statuses, 'would change').length > 15)
  assert.deepEqual(left(at.root), before)
  assert.deepEqual(
    at.manager.commands.filter(command => !command.startsWith('is-')),
    [],
  )
})

test('installSteps() is refused for an absent device only when the configuration asks for one', { skip }, async t => {
  const at = await scene(t)
  const yaml = join(at.root, paths.yaml)
  writeFileSync(yaml, readFileSync(yaml, 'utf8').replace('backend: auto', 'backend: hailort'))
  const wants = await applySteps(installSteps(at.target, await options(at)))
  const failed = wants.find(({ status }) => status === 'failed')
  assert.equal(failed?.name, 'Hailo device')
  assert.match(failed!.detail, /model\.backend is hailort/)
  assert.equal(existsSync(join(at.root, paths.json)), false)
})

test('installSteps() refuses an old node, and a YAML with a mistake names the line', { skip }, async t => {
  const at = await scene(t)
  const old = await applySteps(installSteps(at.target, await options(at, { nodeVersion: 'v18.19.0' })))
  assert.equal(old.find(({ status }) => status === 'failed')?.name, 'node 20.19 or newer')
  writeFileSync(join(at.root, paths.yaml), 'server:\n  host: x\n  prot: 1\n')
  await assert.rejects(configOf(at.target), /hailo-whisper\.yaml": line \d+/)
})

test('installSteps() mends what somebody changed by hand', { skip }, async t => {
  const at = await scene(t)
  await applySteps(installSteps(at.target, await options(at)))
  chmodSync(join(at.root, paths.cache), 0o777)
  rmSync(join(at.root, paths.unit))
  const statuses = await statusesOf(installSteps(at.target, await options(at)))
  const mended = [`folder ${paths.cache}`, `file ${paths.unit}`, 'systemd reload', 'hailo-whisper.service running']
  assert.deepEqual(names(statuses, 'changed').toSorted(), mended.toSorted())
})

test('the unit passes systemd-analyze, with an exposure of at most 4.0', { skip: needsTool('systemd-analyze') }, t => {
  const folder = mkdtempSync(join(tmpdir(), 'unit-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'hailo-whisper.service')
  // Nothing is installed here, so a program that is there stands for the copied node.
  writeFileSync(file, unitText().replace(paths.node, process.execPath))
  assert.equal(execFileSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8', stdio: 'pipe' }), '')
  const said = execFileSync('systemd-analyze', ['security', '--offline=true', '--no-pager', file], { encoding: 'utf8' })
  const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(said)?.[1])
  assert.ok(exposure <= 4, said.slice(-200))
})
