import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { namespaceWords } from '../testing/needs.ts'
import { typescriptCommand } from './typescript.ts'
import { holdReserve, releaseReserve, reserveName } from './reserve.ts'

const space = namespaceWords()
const noSpace = 'why' in space ? `disk: ${space.why}` : false

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

test('holdReserve() holds half of what there is on a disk with less', { skip: noSpace }, () => {
  if ('why' in space) return
  const code = `
    const { holdReserve } = await import(${JSON.stringify(join(import.meta.dirname, 'reserve.ts'))})
    const { statSync } = await import('node:fs')
    console.log(holdReserve('/mnt', 4_000_000), statSync('/mnt/.reserved').size)`
  const script = `mount -t tmpfs -o size=200k tmpfs /mnt && exec "$@"`
  const [program, ...words] = typescriptCommand('-e', [code], { flags: ['--input-type=module'] })
  const found = execFileSync(space.words[0]!, [...space.words.slice(1), 'sh', '-c', script, 'sh', program!, ...words])
  assert.match(String(found), /^true \d{5,6}\n$/)
  assert.ok(Number(String(found).split(' ')[1]) <= 100 * 1024)
})

test('holdReserve() is false, and leaves nothing, when the folder cannot be written', () => {
  assert.equal(holdReserve('/proc/self', 1000), false)
  assert.equal(releaseReserve('/proc/self/x'), false)
})
