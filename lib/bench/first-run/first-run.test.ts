import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { projectRoot } from '../../base/version.ts'
import { typescriptCommand } from '../../host/typescript.ts'
import { needsTool } from '../../testing/needs.ts'
import { drawnBy } from './terminal.ts'

test('the default sweep fits a terminal of 80 columns and 25 rows', { skip: needsTool('script') }, async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'sweep-terminal-'))
  const words = ['--run-ts', '20260223_052929', '--toolchain', 'host']
  const command = typescriptCommand(join(projectRoot, 'runbooks/monolithic-sweep.ts'), words)
  const env = { NO_COLOR: undefined, FORCE_COLOR: undefined }
  const { rows, exitCode } = await drawnBy(command, { columns: 80, cwd, env, timeoutMs: 300_000 })
  assert.equal(exitCode, 0, rows.join('\n'))
  assert.ok(rows.length <= 25, `${rows.length} rows:\n${rows.join('\n')}`)
  assert.ok(rows.every(row => row.length <= 80))
  assert.match(rows.join(''), /PASS monolithic-sweep gates=(\d+)\/\1 /)
})
