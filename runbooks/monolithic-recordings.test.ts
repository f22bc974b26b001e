import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { debName, packagesOf } from '../lib/systems/monolithic/rebuild-recordings.ts'
import { recordingRecipes } from '../lib/systems/monolithic/recordings.ts'
import { needsTool } from '../lib/testing/needs.ts'
import { runInProcess } from '../lib/testing/run-in-process.ts'
import recordings from './monolithic-recordings.ts'

const root = mkdtempSync(join(tmpdir(), 'monolithic-recordings-'))
after(() => rmSync(root, { recursive: true, force: true }))
const scratch = () => mkdtempSync(join(root, 'at-'))
const needsAll = needsTool('ffmpeg') || needsTool('dpkg-deb')

test('monolithic-recordings is blocked, and says what to install, where there is no program', async () => {
  const path = process.env.PATH
  process.env.PATH = scratch()
  try {
    for (const argv of [[], ['--packages', scratch()]]) {
      const ran = await runInProcess(recordings, argv, { cwd: scratch() })
      assert.equal(ran.exit, 3, ran.stderr)
      assert.match(
        ran.verdict,
        /^BLOCKED monolithic-recordings gates=0\/0 .*hint="apt install ffmpeg; run it on Debian/,
      )
      assert.equal(/apt-get/.test(ran.stderr), argv.length === 0)
    }
  } finally {
    process.env.PATH = path
  }
})

test(
  'monolithic-recordings is blocked by a folder without the packages, with the line that downloads them',
  { skip: needsAll },
  async () => {
    const ran = await runInProcess(recordings, ['--packages', scratch()], { cwd: scratch() })
    assert.equal(ran.exit, 3, ran.stderr)
    assert.match(
      ran.verdict,
      /^BLOCKED .*hint="cd .+ && apt-get download asterisk-core-sounds-ru-g722=1\.6\.1-1 festvox-ru=\S+"$/,
    )
  },
)

test('monolithic-recordings refuses packages that hold something else', { skip: needsAll }, async () => {
  const folder = scratch()
  for (const one of packagesOf(recordingRecipes)) writeFileSync(join(folder, debName(one)), 'something else')
  const ran = await runInProcess(recordings, ['--packages', folder, '--write', '--recordings', scratch()], {
    cwd: scratch(),
  })
  assert.equal(ran.exit, 2, ran.stderr)
  assert.match(ran.stderr, /its SHA-256 is [0-9a-f]{64}, not 673b4238a6b8/)
})

test('monolithic-recordings says in --dry-run what it would run, and runs nothing', async () => {
  const cwd = scratch()
  const ran = await runInProcess(recordings, ['--dry-run', '--write'], { cwd })
  assert.equal(ran.exit, 0)
  assert.match(ran.stdout, /^would run apt-get download asterisk-core-sounds-ru-g722=1\.6\.1-1 /m)
  assert.match(
    ran.stdout,
    /^would build 6 files and compare them with contracts\/recordings, and replace those that differ$/m,
  )
  assert.ok(!existsSync(join(cwd, 'module_runs')))
  assert.equal((await runInProcess(recordings, ['--packages', 'nowhere'], { cwd })).exit, 3)
})
