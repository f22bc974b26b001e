import assert from 'node:assert/strict'
import test from 'node:test'
import { declareNames, symbols } from './symbols.ts'
import { koffi } from '../load.ts'

test('symbols has each function once, under its own name', () => {
  const entries = Object.entries(symbols)
  assert.ok(entries.length >= 50)
  for (const [name, { prototype }] of entries) {
    assert.match(name, /^hailo_[a-z_]+$/)
    assert.ok(prototype.includes(` ${name}(`) || prototype.includes(`*${name}(`), prototype)
  }
})

test('declareNames() lets koffi read every prototype, however often it is called', () => {
  declareNames()
  declareNames()
  for (const { prototype } of Object.values(symbols)) assert.doesNotThrow(
    () => koffi().proto(prototype.replace(/(\w+)\(/, 'read_$1(')), prototype,
  )
})
