import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { holdReserve, releaseReserve, reserveName } from './reserve.ts'

test('holdReserve() takes real room until releaseReserve() is called for anything below the folder, once', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rungbook-reserve-'))
  try {
    assert.equal(holdReserve(folder, 300_000), true)
    const { size, blocks } = statSync(join(folder, reserveName))
    assert.ok(size === 300_000 && blocks * 512 >= size)
    assert.equal(releaseReserve(`${folder}x/report.json`), false)
    assert.equal(releaseReserve(join(folder, 'a/report.json')), true)
    assert.equal(existsSync(join(folder, reserveName)), false)
    assert.equal(releaseReserve(folder), false)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('holdReserve() is false, and leaves nothing, when the folder cannot be written', () => {
  assert.equal(holdReserve('/proc/self', 1000), false)
  assert.equal(releaseReserve('/proc/self/x'), false)
})
