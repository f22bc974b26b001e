import assert from 'node:assert/strict'
import test from 'node:test'
import { Hazards } from './hazards.ts'

test('Hazards keeps what is found in order, for both libraries unless it is said', () => {
  const hazards = new Hazards()
  hazards.crash('it nods')
  hazards.refuse('it winks', [4])
  assert.deepEqual(hazards.list, [
    { effect: 'crash', libraries: [4, 5], message: 'it nods' },
    { effect: 'refusal', libraries: [4], message: 'it winks' },
  ])
})

test('Hazards stops at a hundred', () => {
  const hazards = new Hazards()
  for (let i = 0; i < 250; i++) hazards.crash(`${i}`)
  assert.deepEqual([hazards.list.length, hazards.list.at(-1)!.message], [100, '99'])
})
