import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { lastCall, traced } from './trace.ts'

/** Runs a script with a file as its fd 3; what the file says afterwards, and how the process ended. */
function watched(script: string): { call: string | null; signal: string | null; stdout: string; stderr: string } {
  const folder = mkdtempSync(join(tmpdir(), 'trace-'))
  const file = openSync(join(folder, 'last-call'), 'w+')
  try {
    const preamble = `
      import { traceCalls } from ${JSON.stringify(join(import.meta.dirname, 'trace.ts'))}
      import { bind, openLibrary } from ${JSON.stringify(join(import.meta.dirname, 'load.ts'))}
      traceCalls(3)
      const libc = openLibrary({ title: 'libc', env: '', names: ['libc.so.6'], folders: [], install: '' }, { env: {} })
      const { getppid, raise, abs } = bind(libc, Object.fromEntries(
        ['int getppid(void)', 'int raise(int signal)', 'int abs(int n)'].map(
          prototype => [/\\w+(?=\\()/.exec(prototype)[0], { prototype }])))`
    const { signal, stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', `${preamble}\n${script}`],
      { cwd: join(import.meta.dirname, '..'), encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe', file] },
    )
    return { call: lastCall(file), signal, stdout, stderr }
  } finally {
    closeSync(file)
    rmSync(folder, { recursive: true })
  }
}

test('lastCall() tells the function that ended the process, called on its thread or on another', () => {
  const here = watched('getppid(); console.log(abs(-3)); raise(11)')
  assert.deepEqual([here.call, here.signal, here.stdout], ['raise', 'SIGSEGV', '3\n'], here.stderr)
  const aside = watched('abs.async(-4, (error, n) => { console.log(n); raise.async(9, () => {}) })')
  assert.deepEqual([aside.call, aside.signal, aside.stdout], ['raise', 'SIGKILL', '4\n'], aside.stderr)
})

test('lastCall() tells a short name after a longer one, and null when nothing was called', () => {
  assert.equal(watched('getppid(); abs(1)').call, 'abs')
  assert.equal(watched('').call, null)
})

test('traced() gives the function itself when nobody watches', () => {
  const native = () => 1
  assert.equal(traced('native', native), native)
})
