import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { after } from 'node:test'
import { needsTool } from '../testing/needs.ts'
import { capture, exec } from './exec.ts'

const folder = mkdtempSync(join(tmpdir(), 'exec-'))
after(() => rmSync(folder, { recursive: true, force: true }))
let logs = 0
const newLog = () => join(folder, `${logs++}.log`)
const say = 'process.stdout.write(JSON.stringify(process.argv.slice(1)))'

test('exec() gives the exit code, a time, and the whole log', async () => {
  const logFile = join(folder, 'made/for/it/case.log')
  const result = await exec(['sh', '-c', 'echo out; sleep 0.2; echo err >&2; exit 3'], { logFile })
  const { durationMs, ...rest } = result
  assert.deepEqual(rest, {
    command: ['sh', '-c', 'echo out; sleep 0.2; echo err >&2; exit 3'],
    exitCode: 3,
    signal: null,
    timedOut: false,
    aborted: false,
    logFile,
  })
  assert.ok(Number.isFinite(durationMs) && durationMs > 0)
  assert.equal(readFileSync(logFile, 'utf8'), 'out\nerr\n')
})

test("exec() gives the signal that ended the command, not a shell's 128 + n", async () => {
  const result = await exec(['sh', '-c', 'kill -SEGV $$'], { logFile: newLog() })
  assert.equal(result.signal, 'SIGSEGV')
  assert.equal(result.exitCode, null)
  assert.equal(result.timedOut, false)
})

test('exec() passes every argument on byte for byte', async () => {
  const ascii = Array.from({ length: 127 }, (_, n) => String.fromCharCode(n + 1))
  const words = [
    '',
    ' ',
    '-n',
    '--',
    '-',
    'a b',
    "it's",
    '"q"',
    '`id`',
    '$(id)',
    '$HOME',
    '${PATH}',
    '*',
    '/*',
    '~',
    '~root',
    '{a,b}',
    '!',
    '!!',
    '\\',
    '\\n',
    "\\\\'",
    'a\nb',
    'trail\n',
    '\r\n',
    '\t',
    '#',
    ';',
    '&',
    '|',
    '>',
    '<(id)',
    "$'x'",
    'A=b',
    '=',
    '%s',
    'Gr\u00fc\u00dfe',
    '\u{1f600}',
    '\u00a0',
    '\u0001\u007f',
    ascii.join(''),
    ...ascii,
  ]
  for (const LC_ALL of ['C', 'C.UTF-8']) {
    const logFile = newLog()
    const { exitCode } = await exec([process.execPath, '-e', say, '--', ...words], { logFile, env: { LC_ALL } })
    assert.equal(exitCode, 0)
    assert.deepEqual(JSON.parse(readFileSync(logFile, 'utf8')), words, LC_ALL)
  }
})

test('exec() runs a program whose own name needs quotes, or starts with a dash', async () => {
  const tools = mkdtempSync(join(folder, "a b'$(c)-"))
  for (const name of ['-x', 'with space', "quo'te", 'echo']) {
    writeFileSync(join(tools, name), '#!/bin/sh\nprintf "ours %s" "$1"\n', { mode: 0o755 })
    const { stdout } = await capture([name, 'one'], { env: { PATH: `${tools}:${process.env.PATH}` } })
    assert.equal(stdout, 'ours one')
    assert.equal((await capture([join(tools, name), 'two'])).stdout, 'ours two')
  }
})

test('exec() gives no standard input, the folder asked for, and the environment asked for', async () => {
  const logFile = newLog()
  const env = { RUNGBOOK_TEST_A: 'a\nb', HOME: undefined }
  await exec(['sh', '-c', 'cat; pwd; echo "$RUNGBOOK_TEST_A"; echo "${HOME-none}"'], { logFile, cwd: '/', env })
  assert.equal(readFileSync(logFile, 'utf8'), '/\na\nb\nnone\n')
})

test('exec() appends to a log that is there, and onLine hears only of its own lines', async () => {
  const logFile = newLog()
  const lines: string[] = []
  const onLine = (line: string) => void lines.push(line)
  await exec(['echo', 'first'], { logFile })
  await exec(['sh', '-c', 'echo second; printf "10%%\\r20%%\\rno end"'], { logFile, onLine })
  assert.deepEqual(lines, ['second', '10%', '20%', 'no end'])
  assert.equal(readFileSync(logFile, 'utf8'), 'first\nsecond\n10%\r20%\rno end')
})

test('exec() hands out lines while the command runs, and every line before it settles', async () => {
  const logFile = newLog()
  const lines: string[] = []
  const mark = join(folder, 'heard')
  const onLine = (line: string) => {
    lines.push(line)
    if (line === '0') writeFileSync(mark, '')
  }
  // It goes on only when its first line has been heard.
  const script = 'echo 0; while ! [ -e "$0" ]; do sleep 0.02; done; seq 1 50000; printf end'
  await exec(['sh', '-c', script, mark], { logFile, onLine })
  assert.deepEqual(lines, [...Array.from({ length: 50_001 }, (_, n) => String(n)), 'end'])
})

function refuse(line: string): never {
  throw new Error(`cannot take ${line}`)
}

test('exec() stops the command when onLine throws, and throws that', async () => {
  const logFile = newLog()
  // Were it not stopped, it would say more.
  await assert.rejects(exec(['sh', '-c', 'echo it; sleep 60; echo more'], { logFile, onLine: refuse }), /take it/)
  assert.equal(readFileSync(logFile, 'utf8'), 'it\n')
})

test('exec() is blocked when the program is absent, and leaves no log behind', async () => {
  const logFile = newLog()
  const named = { exit: 'blocked', message: /"rungbook-absent"/, hint: /rungbook-absent/ }
  await assert.rejects(exec(['rungbook-absent', 'x'], { logFile }), named)
  assert.equal(existsSync(logFile), false)
  await assert.rejects(exec(['sh'], { logFile, env: { PATH: folder } }), { exit: 'blocked', message: /not on PATH/ })
})

test('exec() is blocked when the folder or the log cannot be', async () => {
  const absent = exec(['true'], { logFile: newLog(), cwd: join(folder, 'absent') })
  await assert.rejects(absent, { exit: 'blocked', message: /no such folder/ })
  const file = newLog()
  appendFileSync(file, 'a file')
  await assert.rejects(exec(['true'], { logFile: join(file, 'sub/x.log') }), { exit: 'blocked' })
  await assert.rejects(exec(['true'], { logFile: folder }), { exit: 'usage', message: /it is a folder/ })
})

test('exec() refuses what no program can be given', async () => {
  const logFile = newLog()
  await assert.rejects(exec([], { logFile }), { exit: 'usage' })
  await assert.rejects(exec(['echo', 'a\0b'], { logFile }), { exit: 'usage', message: /argument 1 holds a NUL byte/ })
  await assert.rejects(exec(['echo', 'x'.repeat(4_000_000)], { logFile }), { exit: 'usage', message: /too long/ })
  await assert.rejects(exec(['echo'], { logFile, timeoutMs: Number.NaN }), RangeError)
})

test("exec() gives the command's own failure when the disk is full", { skip: needsTool('/dev/full') }, async () => {
  const lines: string[] = []
  const result = await exec(['sh', '-c', 'echo x || exit 9'], {
    logFile: '/dev/full',
    onLine: line => void lines.push(line),
  })
  assert.equal(result.exitCode, 9)
  assert.deepEqual(lines, [])
})

test('exec() at its time limit keeps the log, with what a dying command said last', async () => {
  const logFile = newLog()
  const lines: string[] = []
  const program = `
    process.on('SIGTERM', () => { console.error('asked'); process.stdout.write('bye'); process.exit(5) })
    console.log('up')
    setInterval(() => {}, 1000)`
  const command = [process.execPath, '-e', program]
  const result = await exec(command, {
    logFile,
    timeoutMs: 1000,
    graceMs: 20_000,
    onLine: line => void lines.push(line),
  })
  assert.deepEqual([result.timedOut, result.aborted, result.exitCode, result.signal], [true, false, 5, null])
  assert.deepEqual(lines, ['up', 'asked', 'bye'])
  assert.equal(readFileSync(logFile, 'utf8'), 'up\nasked\nbye')
})

test('exec() never starts when the signal is aborted already', async () => {
  const logFile = newLog()
  const result = await exec(['touch', join(folder, 'started')], { logFile, signal: AbortSignal.abort() })
  assert.deepEqual([result.aborted, result.exitCode, result.signal, result.timedOut], [true, null, null, false])
  assert.equal(existsSync(join(folder, 'started')), false)
  // Aborted while the library loads: after the first check, before the start.
  const controller = new AbortController()
  const running = exec(['touch', join(folder, 'started')], { logFile, signal: controller.signal })
  controller.abort()
  assert.equal((await running).aborted, true)
  assert.equal(existsSync(join(folder, 'started')), false)
})

test('exec() leaves no listener on the signal or on the process', async () => {
  const controller = new AbortController()
  const names = ['exit', 'SIGINT', 'SIGTERM', 'SIGHUP']
  const before = names.map(name => process.listenerCount(name))
  const { signal } = controller
  await Promise.all([exec(['true'], { logFile: newLog(), signal }), capture(['true'], { signal })])
  await exec(['sleep', '60'], { logFile: newLog(), signal, timeoutMs: 50 })
  assert.deepEqual(
    names.map(name => process.listenerCount(name)),
    before,
  )
  await sleep(0)
  assert.equal(getEventListeners(signal, 'abort').length, 0)
})

test('capture() keeps the two streams apart and the exit code', async () => {
  const said = await capture(['sh', '-c', 'echo out; echo err >&2; exit 4'])
  assert.deepEqual(said, { stdout: 'out\n', stderr: 'err\n', exitCode: 4, timedOut: false })
})

test('capture() keeps 1 MB of a stream and lets the command finish', async () => {
  const said = await capture(['sh', '-c', 'head -c 3000000 /dev/zero; echo done >&2'])
  assert.equal(said.stdout.length, 1024 * 1024)
  assert.equal(said.stderr, 'done\n')
  assert.equal(said.exitCode, 0)
})

test('capture() is not held by a child that keeps the pipe open', async () => {
  const mark = join(folder, 'waited')
  const said = await capture(['sh', '-c', 'setsid sh -c \'sleep 60; : > "$0"\' "$0" & echo here', mark])
  assert.deepEqual([said.stdout, said.exitCode, said.timedOut], ['here\n', 0, false])
  assert.equal(existsSync(mark), false, 'the child was ended, not waited for')
})

test('capture() ends at its time limit with what was said until then', async () => {
  const said = await capture(['sh', '-c', 'trap "" TERM; echo partly; sleep 60; sleep 60'], {
    timeoutMs: 300,
    graceMs: 100,
  })
  assert.deepEqual(said, { stdout: 'partly\n', stderr: '', exitCode: null, timedOut: true })
  const none = await capture(['echo', 'x'], { signal: AbortSignal.abort() })
  assert.deepEqual(none, { stdout: '', stderr: '', exitCode: null, timedOut: false })
})

test('capture() is blocked when the program is absent', async () => {
  const message = 'Cannot run "rungbook-absent": it is not on PATH'
  await assert.rejects(capture(['rungbook-absent', '--version']), { exit: 'blocked', message })
})
