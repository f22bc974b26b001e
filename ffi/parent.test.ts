import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { until } from '../lib/testing/until.ts'

test(
  'endWithParent() ends a process whose only thread native code holds, when its parent is killed',
  { skip: process.platform !== 'linux' && 'tool: prctl' },
  async () => {
    const child = `
    const { endWithParent } = await import(${JSON.stringify(join(import.meta.dirname, 'parent.ts'))})
    const { koffi } = await import(${JSON.stringify(join(import.meta.dirname, 'load.ts'))})
    endWithParent(process.ppid)
    console.log(process.pid)
    koffi().load(null).func('unsigned int sleep(unsigned int seconds)')(60)`
    const argv = ['--import', 'tsx', '--input-type=module', '-e']
    const parent = spawn(
      process.execPath,
      [
        '-e',
        `
    require('node:child_process').spawn(process.execPath, ${JSON.stringify([...argv, child])}, { stdio: 'inherit' })
    setInterval(() => {}, 1000)`,
      ],
      { cwd: join(import.meta.dirname, '..'), stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const pid = Number(String((await once(parent.stdout, 'data'))[0]))
    assert.ok(existsSync(`/proc/${pid}`))
    parent.kill('SIGKILL')
    await until(() => !existsSync(`/proc/${pid}`), 'the end of the child')
  },
)
