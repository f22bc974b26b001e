import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test, { after } from 'node:test'
import { installHailoStandin } from '../../testing/hailo-program/install-standin.ts'
import { dfcAvailability, findHailo, hailoCommand, type DfcOptions } from './program.ts'

const root = mkdtempSync(join(tmpdir(), 'program-'))
after(() => rmSync(root, { recursive: true, force: true }))
const standin = installHailoStandin(join(root, 'venv'))

function program(name: string, text: string): string {
  const path = join(mkdtempSync(join(root, 'program-')), name)
  writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  return path
}

test('findHailo() takes a program, a virtualenv, its bin folder, or a name on PATH', () => {
  const ways = [standin.program, standin.folder, dirname(standin.program)]
  assert.deepEqual(
    ways.map(program => findHailo({ program })),
    ways.map(() => standin.program),
  )
  assert.equal(findHailo({ env: { PATH: dirname(standin.program) } }), standin.program)
  assert.equal(findHailo({ program: 'hailo', env: { PATH: dirname(standin.program) } }), standin.program)
})

test('findHailo() says what is wrong with a folder without it, a file that may not run, and a moved virtualenv', () => {
  const empty = mkdtempSync(join(root, 'empty-'))
  assert.throws(() => findHailo({ program: empty }), /there is no bin\/hailo in it/)
  const dead = program('hailo', '')
  chmodSync(dead, 0o644)
  assert.throws(() => findHailo({ program: dead }), /is not executable/)
  const moved = join(root, 'moved-hailo')
  writeFileSync(moved, '#!/nowhere/bin/python3.10\n', { mode: 0o755 })
  assert.throws(() => findHailo({ program: moved }), /its interpreter "\/nowhere\S+" is absent/)
})

test('hailoCommand() runs the program as its virtualenv would, unbuffered', () => {
  const env = { PATH: '/usr/bin', HAILO_STANDIN: undefined, X: 'a b' }
  const command = hailoCommand('/venv/bin/hailo', { env }, ['parser', 'onnx'])
  assert.equal(command[0], '/usr/bin/env')
  assert.deepEqual(command.slice(1, 3), ['-u', 'HAILO_STANDIN'])
  assert.ok(
    ['PYTHONUNBUFFERED=1', 'PATH=/venv/bin:/usr/bin', 'X=a b'].every(word => command.includes(word)),
    command.join(' '),
  )
  assert.deepEqual(command.slice(-3), ['/venv/bin/hailo', 'parser', 'onnx'])
})

test('dfcAvailability() never throws, and says why a program cannot be used', async () => {
  const whys: [DfcOptions, RegExp][] = [
    [{ program: standin.folder, env: { HAILO_STANDIN: 'hailort' } }, /HailoRT's hailo/],
    [
      { program: standin.folder, env: { HAILO_STANDIN: 'broken' } },
      /exit code 1 \(.*No module named 'hailo_sdk_client'/,
    ],
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

test('dfcAvailability() reads the version from the wheel when the program does not print it', async () => {
  const env = { HAILO_STANDIN: 'unversioned' }
  const wheel = installHailoStandin(join(root, 'wheel'), { wheel: '3.31.0' })
  assert.equal((await dfcAvailability({ program: wheel.folder, env })).version, '3.31.0')
  const unknown = await dfcAvailability({ program: standin.folder, env })
  assert.ok(unknown.found)
  assert.match(unknown.version!, /^unknown-[0-9a-f]{8}$/)
})

test('dfcAvailability() leaves no log where it is called', async () => {
  const logs = program(
    'hailo',
    'touch hailo_sdk.client.log; echo usage: hailo parser onnx; echo Hailo DFC Version: 3.30.0',
  )
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
