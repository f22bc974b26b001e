import assert from 'node:assert/strict'
import test from 'node:test'
import { needsTool } from '../../testing/needs.ts'
import { drawnBy, screenRows } from './terminal.ts'

test('screenRows() counts what wraps, and not what is drawn over', () => {
  assert.deepEqual(screenRows('one\r\n\r\x1b[2Kbar 1\r\x1b[2Kbar 2\r\x1b[2Ktwo\r\n\r\n', 10), ['one', 'two'])
  assert.deepEqual(screenRows('0123456789abc\n\x1b[32mx\x1b[39m', 10), ['0123456789', 'abc', 'x'])
  assert.deepEqual(screenRows('0123456789\r\nnext', 10), ['0123456789', 'next'])
})

test('drawnBy() gives a command a terminal as wide as it is told', { skip: needsTool('script') }, async () => {
  const say = 'console.log(process.stdout.isTTY, process.stdout.columns); process.exitCode = 3'
  const drawn = await drawnBy([process.execPath, '-e', say], { columns: 80, cwd: '/', timeoutMs: 60_000 })
  assert.deepEqual(drawn, { rows: ['true 80'], exitCode: 3 })
})
