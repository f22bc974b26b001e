import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { needsTool } from '../testing/needs.ts'
import { capture } from './exec.ts'
import { fingerprint } from './fingerprint.ts'

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'fingerprint-')))
after(() => rmSync(folder, { recursive: true, force: true }))
const skip = needsTool('git')

/** git without anybody's settings. */
async function git(root: string, ...words: string[]): Promise<string> {
  const env = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' }
  const said = await capture(['git', '-c', 'user.name=a', '-c', 'user.email=a@example.org', ...words], {
    cwd: root,
    env,
  })
  assert.equal(said.exitCode, 0, said.stderr)
  return said.stdout.trim()
}

function newFolder(name: string): string {
  const root = join(folder, name)
  mkdirSync(root)
  return root
}

test('fingerprint() tells the machine and the runtime as plain JSON', async () => {
  const found = await fingerprint()
  assert.equal(found.node, process.version)
  assert.equal(found.platform, process.platform)
  assert.equal(found.arch, process.arch)
  assert.match(String(found.os), /\w/)
  assert.ok((found.cpu as { count: number }).count >= 1)
  assert.ok((found.memoryBytes as number) > 2 ** 28)
  assert.deepEqual(JSON.parse(JSON.stringify(found)), found)
  assert.equal('device' in found, false)
})

test('fingerprint() gives the installed version of every dependency of this project', async () => {
  const packages = (await fingerprint()).packages as Record<string, string>
  const root = join(import.meta.dirname, '../..')
  const declared = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  assert.deepEqual(Object.keys(packages), Object.keys(declared.dependencies))
  const zx = JSON.parse(readFileSync(join(root, 'node_modules/zx/package.json'), 'utf8')) as { version: string }
  assert.equal(packages.zx, zx.version)
  assert.match(packages['onnxruntime-node']!, /^\d+\.\d+\.\d+/)
})

test('fingerprint() gives null for a package that is absent or whose file is broken', async () => {
  const root = newFolder('packages')
  writeFileSync(
    join(root, 'package.json'),
    '{"dependencies":{"here":"1","absent":"1","broken":"1","null":"1","@a/b":"1"}}',
  )
  const files = { here: '{"version":"1.2.3"}', broken: '{"vers', null: 'null', '@a/b': '{"version":"4.5.6"}' }
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(root, 'node_modules', name), { recursive: true })
    writeFileSync(join(root, 'node_modules', name, 'package.json'), text)
  }
  const { packages } = await fingerprint({ root })
  assert.deepEqual(packages, { here: '1.2.3', absent: null, broken: null, null: null, '@a/b': '4.5.6' })
})

test('fingerprint() gives the commit, and dirty for a changed, staged or new file only', { skip }, async () => {
  const root = newFolder('repo')
  await git(root, 'init', '-q')
  assert.deepEqual((await fingerprint({ root })).git, { sha: null, dirty: false })
  writeFileSync(join(root, '.gitignore'), 'ignored\n')
  writeFileSync(join(root, 'a file'), '1')
  await git(root, 'add', '-A')
  await git(root, 'commit', '-q', '-m', 'one')
  const sha = await git(root, 'rev-parse', 'HEAD')
  assert.match(sha, /^[0-9a-f]{40}$/)
  writeFileSync(join(root, 'ignored'), '')
  assert.deepEqual((await fingerprint({ root })).git, { sha, dirty: false })
  writeFileSync(join(root, 'a file'), '2')
  assert.deepEqual((await fingerprint({ root })).git, { sha, dirty: true })
  await git(root, 'checkout', '-q', '--', 'a file')
  writeFileSync(join(root, 'new'), '')
  assert.deepEqual((await fingerprint({ root })).git, { sha, dirty: true })
})

test(
  'fingerprint() gives no commit for a copy inside another checkout, a broken one, or without git',
  { skip },
  async () => {
    const outer = newFolder('outer')
    await git(outer, 'init', '-q')
    const copy = join(outer, 'copy')
    mkdirSync(copy)
    assert.equal((await fingerprint({ root: copy })).git, null)
    writeFileSync(join(copy, '.git'), 'gitdir: /nowhere\n')
    assert.equal((await fingerprint({ root: copy })).git, null)
    const path = process.env.PATH
    try {
      process.env.PATH = folder
      assert.equal((await fingerprint({ root: outer })).git, null)
    } finally {
      process.env.PATH = path
    }
  },
)

test('fingerprint() does not throw for a folder that is absent', async () => {
  const found = await fingerprint({ root: join(folder, 'absent') })
  assert.deepEqual([found.git, found.packages], [null, {}])
})

test('fingerprint() takes little of our own time', async () => {
  await fingerprint()
  const before = process.cpuUsage()
  await fingerprint()
  const spent = process.cpuUsage(before)
  // 10 ms as measured; the bound is wide because machines are shared.
  assert.ok(spent.user + spent.system < 150_000, `${spent.user + spent.system} us`)
})
