import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import book from './monolithic-train.ts'

const root = mkdtempSync(join(tmpdir(), 'monolithic-train-'))
after(() => rmSync(root, { recursive: true, force: true }))

async function run(...argv: string[]) {
  let [stdout, stderr] = ['', '']
  const sink = (add: (text: string) => void) => ({ write: (text: string) => (add(text), true), isTTY: false })
  const { exit } = await book.run({
    argv: [...argv, '--out-dir', join(root, 'runs')],
    stdout: sink(text => (stdout += text)),
    stderr: sink(text => (stderr += text)),
    env: {},
  })
  return { exit, stdout, stderr }
}

test('monolithic-train is BLOCKED with the command that installs PyTorch when no Python has it', async () => {
  const python = join(root, 'python')
  writeFileSync(python, '#!/bin/sh\nexit 1\n')
  chmodSync(python, 0o755)
  const { exit, stdout, stderr } = await run('--smoke', '--python', python)
  assert.equal(exit, 3)
  assert.match(stdout, /^BLOCKED monolithic-train/m)
  assert.match(stdout + stderr, /apt-get install --no-install-recommends python3-torch/)
})

test('monolithic-train --dry-run says what it would train on and train', async () => {
  const { exit, stdout, stderr } = await run('--dry-run', '--network', 'small')
  assert.equal(exit, 0)
  assert.match(stdout + stderr, /festvox-ru[\s\S]*train the small network/)
})
