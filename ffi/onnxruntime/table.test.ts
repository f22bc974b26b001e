import assert from 'node:assert/strict'
import test from 'node:test'
import { koffi } from '../load.ts'
import { openApi } from './api.ts'
import { errorNames, opaqueTypes, ortTable } from './table.ts'

const entries = Object.entries(ortTable)

test('ortTable has one slot for each function, and a prototype of that name', () => {
  assert.equal(new Set(entries.map(([, { slot }]) => slot)).size, entries.length)
  for (const [name, { prototype }] of entries)
    assert.match(prototype, new RegExp(`^(OrtStatus \\*|int |void |const char \\*)${name}\\(`))
})

test('ortTable is in the order of the slots, so that it can be read beside the header', () => {
  const slots = entries.map(([, { slot }]) => slot)
  assert.deepEqual(
    slots,
    slots.toSorted((a, b) => a - b),
  )
})

test('ortTable returns a status from whatever may fail, and nothing from what releases', () => {
  for (const [name, { prototype }] of entries)
    assert.equal(prototype.startsWith('void '), name.startsWith('Release'), name)
})

test('opaqueTypes are those that the prototypes name', () => {
  const named = new Set(entries.flatMap(([, { prototype }]) => prototype.match(/\bOrt\w+/g) ?? []))
  assert.deepEqual([...named].toSorted(), [...opaqueTypes].toSorted())
})

test('ortTable matches neighbours in the library: a getter after its setter gives what was set', () => {
  const { functions } = openApi({ env: {} })
  const status = functions.CreateStatus(10, 'a graph')!
  assert.deepEqual([functions.GetErrorCode(status), functions.GetErrorMessage(status)], [10, 'a graph'])
  assert.equal(errorNames[10], 'INVALID_GRAPH')
  functions.ReleaseStatus(status)
})

test('opaqueTypes are declared by the first API that opens, and by no second one', () => {
  openApi({ env: {} })
  openApi({ env: {}, apiVersion: 17 })
  for (const name of opaqueTypes) assert.equal(koffi().type(name).name, name)
})
