import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import test from 'node:test'
import { processesWith } from './processes.ts'

test(
  'processesWith() finds a child by its words and its parent, and nothing after it has ended',
  { skip: existsSync('/proc/self/stat') ? false : 'tool: /proc is not there' },
  async () => {
    const word = `processes-test-${process.pid}`
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)', word])
    await new Promise(ready => child.once('spawn', ready))
    assert.deepEqual(
      processesWith(word).map(({ pid, parent }) => [pid, parent]),
      [[child.pid, process.pid]],
    )
    assert.deepEqual(processesWith(word, 1), [])
    child.kill('SIGKILL')
    await new Promise(ended => child.once('exit', ended))
    assert.deepEqual(processesWith(word), [])
  },
)
