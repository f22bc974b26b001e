import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { declareNames, symbols } from './symbols.ts'
import { koffi } from '../../load.ts'

test('symbols has each function once, under its own name, and each is called', () => {
  const entries = Object.entries(symbols)
  assert.ok(entries.length >= 30)
  const room = join(import.meta.dirname, '..')
  const files = (readdirSync(room, { recursive: true }) as string[]).filter(
    name => name.endsWith('.ts') && !name.includes('.test.') && !name.endsWith('symbols.ts'),
  )
  const code = files.map(name => readFileSync(join(room, name), 'utf8')).join('')
  for (const [name, { prototype }] of entries) {
    assert.match(name, /^hailo_[a-z_]+$/)
    assert.ok(code.includes(`'${name}'`), `${name} is never called`)
    assert.ok(prototype.includes(` ${name}(`) || prototype.includes(`*${name}(`), prototype)
  }
})

test('declareNames() lets koffi read every prototype, however often it is called', () => {
  declareNames()
  declareNames()
  for (const { prototype } of Object.values(symbols))
    assert.doesNotThrow(() => koffi().proto(prototype.replace(/(\w+)\(/, 'read_$1(')), prototype)
})
