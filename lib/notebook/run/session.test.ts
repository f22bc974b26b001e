import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import shell from '../../testing/notebook/shell-runbook.ts'
import { runInProcess } from '../../testing/run-in-process.ts'

test('sh runs in a cell or outside one, and each command is in the report with a log of its own', async () => {
  const { verdict, report, read } = await runInProcess(shell, [])
  assert.match(verdict, /^PASS shell-runbook gates=2\/2 /)
  assert.match(report.cells[0]!.outputs[0]!.text, /^\$ uname -s$/)
  assert.match(read('commands/02-echo.log'), /^\$ echo made > .+made\.txt'?\n\[exit 0 after \d+ ms\]\n$/)
  assert.ok(report.artifacts.some(({ path }) => path === 'commands/01-uname.log'))
})

test('sh fails the run when a command fails that nobody catches, in a cell or outside one', async () => {
  const inside = await runInProcess(shell, ['--how', 'fail'])
  assert.match(inside.verdict, /^FAIL shell-runbook /)
  assert.match(
    inside.report.error!.message,
    /^Cannot run "echo "no room" >&2; exit 5": it left with exit code 5: no room/,
  )
  assert.match(inside.report.error!.hint!, /^cat .+\/commands\/03-echo\.log'?$/)
  assert.equal(inside.report.cells.at(-1)!.error!.message, inside.report.error!.message)
  const outside = await runInProcess(shell, ['--how', 'outside'])
  assert.match(outside.report.error!.message, /^Cannot run "exit 6": it left with exit code 6/)
})

test('sh blocks the run when a program is absent', async () => {
  const { exit, report } = await runInProcess(shell, ['--how', 'absent'])
  assert.deepEqual([exit, report.verdict], [3, 'BLOCKED'])
})

test('sh changes nothing under --dry-run when the sheet runs its body, and says what it would run', async () => {
  const { exit, verdict, stderr, report, cwd } = await runInProcess(shell, ['--dry-run', '--how', 'fail'])
  assert.deepEqual([exit, report.verdict, report.run], [0, 'DRY-RUN', 'none'])
  assert.match(verdict, /^DRY-RUN shell-runbook gates=1\/1 run=none next="npx tsx \S+ --how fail"$/)
  assert.match(stderr, /\$ uname -s\n/)
  assert.match(stderr, /would run: echo made > /)
  assert.match(stderr, /would run: echo "no room" >&2; exit 5/)
  assert.equal(existsSync(join(cwd, 'module_runs')), false)
})
