import assert from 'node:assert/strict'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import test from 'node:test'
import { countOpens } from './opens.ts'

test('countOpens() counts each way to open a file once, and nothing after it was disposed of', async () => {
  const { filename: own } = import.meta
  {
    using opens = countOpens()
    closeSync(openSync(own, 'r'))
    readFileSync(own)
    await readFile(own)
    assert.deepEqual([opens.of(own), opens.of('/nowhere')], [3, 0])
  }
  using opens = countOpens()
  assert.equal(opens.of(own), 0)
  readFileSync(own)
  assert.equal(opens.of(own), 1)
})
