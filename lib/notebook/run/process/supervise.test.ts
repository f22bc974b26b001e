import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { procSource } from '../../../host/process/descendants.ts'
import { typescriptCommand } from '../../../host/typescript.ts'
import { processesWith } from '../../../testing/processes.ts'
import { until } from '../../../testing/until.ts'
import type { Report } from '../../views/report.ts'

const root = join(import.meta.dirname, '../../../..')
const demo = join(root, 'lib/testing/notebook/demo-runbook.ts')

/** The demo runbook under the real `tsx` command, or as a plain process. */
function start(how: string, o: { command?: readonly string[]; argv?: readonly string[] } = {}) {
  const cwd = mkdtempSync(join(tmpdir(), 'supervise-'))
  const [program, ...words] = o.command ?? [join(root, 'node_modules/.bin/tsx'), demo]
  const child = spawn(program!, [...words, '--how', how, '--run-ts', 'r', ...(o.argv ?? [])], { cwd })
  const out = { stdout: '', stderr: '' }
  child.stdout.on('data', text => {
    out.stdout += String(text)
  })
  child.stderr.on('data', text => {
    out.stderr += String(text)
  })
  const ended = new Promise<number | null>(leave => child.on('close', leave))
  const folder = join(cwd, 'module_runs/r')
  const report = () => JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) as Report
  return { child, cwd, folder, out, ended, report, last: () => out.stdout.trimEnd().split('\n').at(-1)! }
}

/** The process that does the work: the last one below `pid` that runs the demo. */
function worker(pid: number): number {
  const [below] = processesWith('demo-runbook', pid)
  return below === undefined ? pid : worker(below.pid)
}

test('supervise() keeps verdict and evidence of a runbook that is too busy to answer a signal at once', async () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const { child, out, ended, report, last } = start(
      'busy',
      signal === 'SIGINT' ? {} : { command: typescriptCommand(demo) },
    )
    await until(() => out.stderr.includes('[2] Spin'))
    child.kill(signal)
    assert.equal(await ended, 130, out.stderr)
    assert.match(last(), /^INTERRUPTED demo-runbook gates=0\/0 run=module_runs\/r/)
    assert.equal(report().verdict, 'INTERRUPTED')
  }
})

test('supervise() completes the evidence of a run whose process crashes, and ends what it had started', async () => {
  const { cwd, folder, out, ended, report, last } = start('crash')
  assert.equal(await ended, 70)
  assert.match(last(), /^BUG demo-runbook gates=0\/0 run=module_runs\/r hint="/)
  assert.match(out.stderr, /bug: Cannot finish "demo-runbook": its process was ended by SIGSEGV \(11\)/)
  const { verdict, exit, cells, error, endedAt } = report()
  assert.deepEqual([verdict, exit, error!.code], ['BUG', 70, 'SIGSEGV'])
  assert.deepEqual(
    cells.map(({ status }) => status),
    ['ok', 'interrupted'],
  )
  assert.ok(endedAt !== null)
  assert.deepEqual(
    readdirSync(folder).filter(name => name.endsWith('.tmp') || name === '.reserved'),
    [],
  )
  for (const view of ['report.html', 'report.md', 'report.ipynb'])
    assert.match(readFileSync(join(folder, view), 'utf8'), /SIGSEGV/)
  assert.ok(existsSync(join(folder, 'killed.txt')), 'what the sheet writes for a killed run')
  const pid = Number(readFileSync(join(cwd, 'left.pid'), 'utf8'))
  assert.ok(procSource.find(pid)?.isZombie !== false, 'the command that the runbook ran has ended')
})

test('supervise() calls a run that was killed from outside interrupted, also as a plain process', async () => {
  const { child, out, ended, report, last } = start('busy', { command: typescriptCommand(demo), argv: ['--json'] })
  await until(() => out.stderr.includes('[2] Spin'))
  process.kill(worker(child.pid!), 'SIGKILL')
  assert.equal(await ended, 130)
  assert.equal((JSON.parse(out.stdout) as Report).verdict, 'INTERRUPTED')
  assert.equal(report().verdict, 'INTERRUPTED')
  assert.match(out.stderr, /ended by SIGKILL \(9\) from outside/)
  assert.match(last(), /^\}$/)
})

test('supervise() ends a runbook whose thread is blocked when it is interrupted twice', async () => {
  const { child, out, ended, report } = start('blocked-thread')
  await until(() => out.stderr.includes('blocking'))
  child.kill('SIGINT')
  await sleep(1000)
  child.kill('SIGINT')
  assert.equal(await ended, 130, out.stderr)
  assert.equal(report().verdict, 'INTERRUPTED')
  assert.match(report().error!.message, /did not stop by itself after SIGINT/)
})

test('supervise() ends what left session, environment and parent behind', async () => {
  const seconds = String(70_000 + (process.pid % 10_000))
  const { ended, out } = start('daemon', { argv: ['--value', seconds] })
  assert.equal(await ended, 0, out.stderr)
  assert.deepEqual(processesWith(`sleep ${seconds}`), [])
})

test('supervise() keeps the exit code of a verdict that nobody reads, when it is interrupted', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'supervise-'))
  const words = typescriptCommand(demo, ['--how', 'long', '--run-ts', 'r'])
  const child = spawn(words[0]!, words.slice(1), { cwd, stdio: ['ignore', 'pipe', 'ignore'] })
  const report = join(cwd, 'module_runs/r/report.json')
  await until(() => existsSync(report) && readFileSync(report, 'utf8').includes('"verdict": "FAIL"'))
  await sleep(500)
  child.kill('SIGINT')
  assert.equal(await new Promise(leave => child.on('exit', leave)), 1)
})

test('supervise() is blocked, and says which limit, where the loader may not open enough files', async () => {
  const { ended, out, last } = start('pass', {
    command: ['bash', '-c', 'ulimit -n 34; exec "$@"', 'bash', ...typescriptCommand(demo)],
  })
  const exit = await ended
  // How many files a loader opens is its own matter; what it may not be is a defect or a failed gate.
  if (exit === 0) return
  assert.ok(out.stdout === '' || exit === 3, `${exit}: ${out.stdout}`)
  if (exit === 3) assert.match(last(), /^BLOCKED demo-runbook .*ulimit -n/)
})

test('supervise() is followed by a successor when it is killed and the runbook cannot stop', async () => {
  const { child, out, ended, report } = start('blocked-thread')
  await until(() => out.stderr.includes('blocking'))
  const pid = worker(child.pid!)
  process.kill(processesWith('demo-runbook', child.pid)[0]!.pid, 'SIGKILL')
  await until(() => !existsSync(`/proc/${pid}`))
  await until(() => report().verdict === 'INTERRUPTED')
  assert.match(report().error!.message, /did not stop by itself after its parent had gone/)
  await ended
})

test('a runbook whose supervisor was killed before it began does nothing', () => {
  const cwd = mkdtempSync(join(tmpdir(), 'supervise-'))
  const [program, ...words] = typescriptCommand(demo)
  const env = { ...process.env, RUNGBOOK_SUPERVISOR: '999999999' }
  const { status, stdout } = spawnSync(program!, words, { cwd, env, encoding: 'utf8' })
  assert.equal(status, 130)
  assert.match(stdout, /^INTERRUPTED demo-runbook gates=0\/0 run=none /)
  assert.deepEqual(readdirSync(cwd), [])
})

test('a runbook whose supervisor was killed before it began does nothing', () => {
  const cwd = mkdtempSync(join(tmpdir(), 'supervise-'))
  const [program, ...words] = typescriptCommand(demo)
  const env = { ...process.env, RUNGBOOK_SUPERVISOR: '999999999' }
  const { status, stdout } = spawnSync(program!, words, { cwd, env, encoding: 'utf8' })
  assert.equal(status, 130)
  assert.match(stdout, /^INTERRUPTED demo-runbook gates=0\/0 run=none /)
  assert.deepEqual(readdirSync(cwd), [])
})

test('supervise() passes exit codes and output through', async () => {
  for (const [how, exit] of [
    ['pass', 0],
    ['fail', 1],
    ['blocked', 3],
  ] as const) {
    const { ended, last } = start(how, how === 'pass' ? {} : { command: typescriptCommand(demo) })
    assert.equal(await ended, exit)
    assert.match(last(), new RegExp(`^${{ pass: 'PASS', fail: 'FAIL', blocked: 'BLOCKED' }[how]} demo-runbook `))
  }
})

test('supervise() lets the runbook stop when the supervisor, or the command above it, is killed', async () => {
  for (const isCommand of [false, true]) {
    const { child, out, ended, report } = start('busy')
    await until(() => out.stderr.includes('[2] Spin'))
    const pid = worker(child.pid!)
    // The tsx command's own child is the supervisor.
    process.kill(isCommand ? child.pid! : processesWith('demo-runbook', child.pid)[0]!.pid, 'SIGKILL')
    await until(() => report().verdict === 'INTERRUPTED')
    await until(() => !existsSync(`/proc/${pid}`))
    await ended
  }
})
