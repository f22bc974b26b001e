import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { artifactOf, runStageCommand } from './stage-command.ts'
import type { StageOptions } from './toolchain.ts'

function options(change: Partial<StageOptions> = {}): StageOptions {
  const folder = mkdtempSync(join(tmpdir(), 'stage-'))
  return {
    folder,
    netName: 'net',
    hwArch: 'hailo8',
    inputs: [{ name: 'input', shape: [1, 1, 1, 8] }],
    outputs: ['output'],
    calibration: { path: '', sha256: '', count: 0 },
    modelScript: '',
    logFile: join(folder, 'net.log'),
    timeoutMs: 20_000,
    signal: new AbortController().signal,
    ...change,
  }
}
const node = (text: string) => [process.execPath, '-e', text]

test('runStageCommand() gives the log of a command that ended well, and lines while it runs', async () => {
  const lines: string[] = []
  const finished = await runStageCommand(
    node('console.log("[info] one"); console.error("two")'),
    options({ onLine: line => lines.push(line) }),
  )
  assert.ok('log' in finished)
  assert.match(finished.log, /\[info\] one/)
  assert.deepEqual(lines.toSorted(), ['[info] one', 'two'])
})

test('runStageCommand() classifies a failure from what this stage wrote', async () => {
  const o = options()
  writeFileSync(o.logFile, 'No successful assignments: conv1 errors:\n\tAgent infeasible\n')
  const failed = await runStageCommand(
    node('console.log("[error] OSError: [Errno 28] No space left on device"); process.exit(1)'),
    o,
  )
  assert.ok('ok' in failed && !failed.ok)
  assert.equal(failed.failure.bucket, 'host_disk_full')
  assert.match(readFileSync(o.logFile, 'utf8'), /Agent infeasible[\s\S]*No space left/)
})

test('runStageCommand() says whether time ran out or somebody stopped it', async () => {
  const slow = node('setTimeout(() => {}, 60000)')
  const late = await runStageCommand(slow, options({ timeoutMs: 100 }))
  assert.ok('ok' in late && !late.ok)
  assert.deepEqual(
    [late.stopped, late.failure.bucket, late.failure.exceptionType],
    ['timeout', 'wrapper_timeout', 'Timeout'],
  )
  const controller = new AbortController()
  setTimeout(() => controller.abort(), 200)
  const stopped = await runStageCommand(slow, options({ signal: controller.signal }))
  assert.ok('ok' in stopped && stopped.ok === false && stopped.stopped === 'interrupted')
})

test('runStageCommand() that was stopped before it began is interrupted', async () => {
  const stopped = await runStageCommand(node('1'), options({ signal: AbortSignal.abort() }))
  assert.ok('ok' in stopped && stopped.ok === false && stopped.stopped === 'interrupted')
})

test('artifactOf() is blocked by a file that the stage did not write', () => {
  assert.throws(() => artifactOf(join(options().folder, 'no.har')), /ENOENT/)
})
