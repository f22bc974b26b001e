import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test, { after } from 'node:test'
import { RunbookError } from '../notebook/errors.ts'
import { installHailoStandin } from '../testing/install-standin.ts'
import { chooseToolchain } from './choose-toolchain.ts'
import { dfcAvailability, findHailo, hailoCommand, type DfcOptions } from './dfc-program.ts'

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
  const chosen = await chooseToolchain('auto', { env: { PATH: `${dirname(standin.program)}:${bare}`, HAILO_STANDIN: 'hailort' } })
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

test('findHailo() takes a program, a virtualenv, its bin folder, or a name on PATH', () => {
  const ways = [standin.program, standin.folder, dirname(standin.program)]
  assert.deepEqual(ways.map(program => findHailo({ program })), ways.map(() => standin.program))
  assert.equal(findHailo({ env: { PATH: dirname(standin.program) } }), standin.program)
  assert.equal(findHailo({ program: 'hailo', env: { PATH: dirname(standin.program) } }), standin.program)
})

test('findHailo() says what is wrong with a folder without it, a file that may not run, and a moved virtualenv', async () => {
  const empty = mkdtempSync(join(root, 'empty-'))
  assert.match((await refusal(async () => findHailo({ program: empty }))).message, /there is no bin\/hailo in it/)
  const dead = program('hailo', '')
  chmodSync(dead, 0o644)
  assert.match((await refusal(async () => findHailo({ program: dead }))).message, /is not executable/)
  const moved = join(root, 'moved-hailo')
  writeFileSync(moved, '#!/nowhere/bin/python3.10\n', { mode: 0o755 })
  assert.match((await refusal(async () => findHailo({ program: moved }))).message, /its interpreter "\/nowhere\S+" is absent/)
})

test('hailoCommand() runs the program as its virtualenv would, unbuffered, and takes a name out of the environment', () => {
  const env = { PATH: '/usr/bin', HAILO_STANDIN: undefined, X: 'a b' }
  const command = hailoCommand('/venv/bin/hailo', { env }, ['parser', 'onnx'])
  assert.equal(command[0], '/usr/bin/env')
  assert.deepEqual(command.slice(1, 3), ['-u', 'HAILO_STANDIN'])
  assert.ok(['PYTHONUNBUFFERED=1', 'PATH=/venv/bin:/usr/bin', 'X=a b'].every(word => command.includes(word)), command.join(' '))
  assert.deepEqual(command.slice(-3), ['/venv/bin/hailo', 'parser', 'onnx'])
})

test('dfcAvailability() never throws, and says why a program cannot be used', async () => {
  const whys: [DfcOptions, RegExp][] = [
    [{ program: standin.folder, env: { HAILO_STANDIN: 'hailort' } }, /HailoRT's hailo/],
    [{ program: standin.folder, env: { HAILO_STANDIN: 'broken' } }, /exit code 1 \(.*No module named 'hailo_sdk_client'/],
    [{ program: program('hailo', 'echo a greeting tool') }, /some other program/],
    [{ program: program('hailo', 'exit 3') }, /exit code 3 \(it said nothing\)/],
    [{ program: program('hailo', 'sleep 30'), probeTimeoutMs: 200 }, /no answer within 0\.2 s/],
    [{ program: mkdtempSync(join(root, 'empty-')) }, /there is no bin\/hailo/],
    [{ program: '' }, /./],
  ]
  for (const [options, why] of whys) {
    const { found, version, ...rest } = await dfcAvailability(options)
    assert.deepEqual([found, version], [false, null])
    assert.match(rest.why, why)
    assert.notEqual(rest.hint, '')
  }
})

test('dfcAvailability() reads the version from the wheel when the program does not print it, and never gives none', async () => {
  const env = { HAILO_STANDIN: 'unversioned' }
  const wheel = installHailoStandin(join(root, 'wheel'), { wheel: '3.31.0' })
  assert.equal((await dfcAvailability({ program: wheel.folder, env })).version, '3.31.0')
  const unknown = await dfcAvailability({ program: standin.folder, env })
  assert.ok(unknown.found)
  assert.match(unknown.version!, /^unknown-[0-9a-f]{8}$/)
})

test('dfcAvailability() leaves no log where it is called', async () => {
  const logs = program('hailo', 'touch hailo_sdk.client.log; echo usage: hailo parser onnx; echo Hailo DFC Version: 3.30.0')
  const here = mkdtempSync(join(root, 'here-'))
  mkdirSync(join(here, 'inside'))
  const before = process.cwd()
  process.chdir(here)
  try {
    assert.equal((await dfcAvailability({ program: logs })).version, '3.30.0')
  } finally {
    process.chdir(before)
  }
  assert.deepEqual(readdirSync(here), ['inside'])
})
