import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test, { after } from 'node:test'
import { RunbookError } from '../base/errors.ts'
import { installHailoStandin } from '../testing/hailo-program/install-standin.ts'
import { chooseToolchain } from './choose-toolchain.ts'

const root = mkdtempSync(join(tmpdir(), 'choose-'))
after(() => rmSync(root, { recursive: true, force: true }))
const standin = installHailoStandin(join(root, 'venv'))
/** A PATH on which there is a shell and Node, and no `hailo`. */
const bare = `${dirname(process.execPath)}:/usr/bin:/bin`
const isMadeForIt = process.platform === 'linux' && process.arch === 'x64'

function program(name: string, text: string): string {
  const path = join(mkdtempSync(join(root, 'program-')), name)
  writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  return path
}

const refusal = async (act: () => Promise<unknown>): Promise<RunbookError> => {
  try {
    await act()
  } catch (thrown) {
    assert.ok(thrown instanceof RunbookError, String(thrown))
    return thrown
  }
  return assert.fail('nothing was thrown')
}

test('chooseToolchain() takes dfc when it is on PATH, and says which version and where in one line', async () => {
  const chosen = await chooseToolchain('auto', { env: { PATH: `${dirname(standin.program)}:${bare}` } })
  assert.equal(chosen.toolchain.name, 'dfc')
  assert.equal(chosen.why, `toolchain: dfc 3.33.0 (${standin.program})`)
  assert.deepEqual(chosen.availability, { found: true, where: standin.program, version: '3.33.0', why: '', hint: '' })
})

test('chooseToolchain() takes the host when there is no hailo, and says why and what that proves', async () => {
  const chosen = await chooseToolchain('auto', { env: { PATH: bare } })
  assert.equal(chosen.toolchain.name, 'host')
  assert.match(chosen.why, /^toolchain: host, onnxruntime-node [\d.]+\S* \(no Dataflow Compiler: /)
  assert.match(chosen.why, /Cannot run "hailo": it is not on PATH/)
  assert.match(chosen.why, /; it proves nothing about allocation on a device$/)
  assert.ok(!chosen.why.includes('\n'))
  assert.equal(chosen.availability.found, true)
})

test("chooseToolchain() takes the host when the only hailo is HailoRT's, and says so", async () => {
  const chosen = await chooseToolchain('auto', {
    env: { PATH: `${dirname(standin.program)}:${bare}`, HAILO_STANDIN: 'hailort' },
  })
  assert.equal(chosen.toolchain.name, 'host')
  assert.match(chosen.why, /it is HailoRT's hailo, which runs models and has no parser/)
})

test('chooseToolchain() is blocked with a way to install when dfc is wanted and absent', async () => {
  const { exit, message, hint } = await refusal(() => chooseToolchain('dfc', { env: { PATH: bare } }))
  assert.equal(exit, 'blocked')
  assert.match(message, /Cannot run "hailo"/)
  assert.match(hint, isMadeForIt ? /python3\.10 -m venv .*pip install hailo_dataflow_compiler.*--dfc/ : /x86_64/)
})

test('chooseToolchain() never replaces a program that somebody named by the host', async () => {
  const gone = await refusal(() => chooseToolchain('auto', { program: join(root, 'gone') }))
  assert.equal(gone.exit, 'blocked')
  assert.match(gone.message, /there is no such file/)
})

test('chooseToolchain() takes the host when it is wanted, and asks no hailo', async () => {
  const trap = program('hailo', 'touch "$0.asked"')
  const { toolchain, why } = await chooseToolchain('host', { program: trap })
  assert.equal(toolchain.name, 'host')
  assert.match(why, /\(as asked\)/)
  assert.ok(!existsSync(`${trap}.asked`))
})

test('chooseToolchain() refuses an unknown device before it asks anything', async () => {
  const { exit, hint } = await refusal(() => chooseToolchain('auto', { hwArch: 'hailo8X' }))
  assert.deepEqual([exit, hint], ['usage', 'did you mean --hw-arch hailo8?'])
})
