import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { costOfScript } from './measure.ts'

const folder = mkdtempSync(join(tmpdir(), 'measure-'))
const script = (name: string, text: string) => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

test('costOfScript() sees CPU time, memory and the exit code of the script itself', async () => {
  const idle = await costOfScript(script('idle.mts', 'export {}'))
  const busy = await costOfScript(
    script(
      'busy.mts',
      'const held = new Uint8Array(300e6).fill(1); const end = process.cpuUsage().user + 400e3; while ' +
        '(process.cpuUsage().user < end); process.exitCode = held.length ? 3 : 4',
    ),
  )
  assert.deepEqual([idle.exit, busy.exit], [0, 3])
  assert.ok(busy.cpuMs > idle.cpuMs, `${busy.cpuMs} against ${idle.cpuMs}`)
  assert.ok(busy.maxRssBytes > idle.maxRssBytes + 250e6)
  assert.ok(busy.wallMs > 0)
})
