import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Report } from '../views/report.ts'
import { processesWith } from '../../testing/processes.ts'
import { isUnderTsxCommand } from './supervise.ts'

const root = join(import.meta.dirname, '../../..')

/** The demo runbook under the real `tsx` command. */
function start(how: string) {
  const cwd = mkdtempSync(join(tmpdir(), 'supervise-'))
  const child = spawn(
    join(root, 'node_modules/.bin/tsx'),
    [join(root, 'lib/testing/notebook/demo-runbook.ts'), '--how', how, '--run-ts', 'r'],
    { cwd },
  )
  const out = { stdout: '', stderr: '' }
  child.stdout.on('data', text => {
    out.stdout += String(text)
  })
  child.stderr.on('data', text => {
    out.stderr += String(text)
  })
  const ended = new Promise<number | null>(leave => child.on('close', leave))
  const report = () => JSON.parse(readFileSync(join(cwd, 'module_runs/r/report.json'), 'utf8')) as Report
  return { child, out, ended, report, last: () => out.stdout.trimEnd().split('\n').at(-1)! }
}
async function until(ready: () => boolean): Promise<void> {
  for (let i = 0; i < 600 && !ready(); i++) await sleep(50)
  assert.ok(ready(), 'waited in vain')
}

test('supervise() keeps verdict and evidence of a runbook that is too busy to answer a signal at once', async () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const { child, out, ended, report, last } = start('busy')
    await until(() => out.stderr.includes('[2] Spin'))
    await sleep(100)
    child.kill(signal)
    assert.equal(await ended, 130, out.stderr)
    assert.match(last(), /^INTERRUPTED demo-runbook gates=0\/0 run=module_runs\/r/)
    assert.equal(report().verdict, 'INTERRUPTED')
  }
})

test('supervise() gives a verdict when the runbook crashes in native code', async () => {
  const { out, ended, report, last } = start('crash')
  assert.equal(await ended, 70)
  assert.match(last(), /^BUG demo-runbook /)
  assert.match(out.stderr, /ended by SIGSEGV/)
  assert.equal(report().cells[0]!.status, 'ok')
})

test('supervise() passes exit codes and output through', async () => {
  for (const [how, exit] of [
    ['pass', 0],
    ['fail', 1],
    ['blocked', 3],
  ] as const) {
    const { ended, last } = start(how)
    assert.equal(await ended, exit)
    assert.match(last(), new RegExp(`^${{ pass: 'PASS', fail: 'FAIL', blocked: 'BLOCKED' }[how]} demo-runbook `))
  }
})

test('supervise() lets the runbook stop when the supervisor is killed', async () => {
  const { child, out, ended, report } = start('busy')
  await until(() => out.stderr.includes('[2] Spin'))
  // The tsx command's own child is the supervisor.
  const [supervisor] = processesWith('demo-runbook', child.pid)
  process.kill(supervisor!.pid, 'SIGKILL')
  await ended
  await until(() => report().verdict === 'INTERRUPTED')
})

test('isUnderTsxCommand() tells the command from the loader', () => {
  assert.equal(
    isUnderTsxCommand(['--require', '/a/node_modules/tsx/dist/preflight.cjs', '--import', 'file:///a/loader.mjs']),
    true,
  )
  assert.equal(isUnderTsxCommand(['--import', 'tsx']), false)
  assert.equal(isUnderTsxCommand([]), false)
})
