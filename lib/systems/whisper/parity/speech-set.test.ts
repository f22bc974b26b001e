import assert from 'node:assert/strict'
import test from 'node:test'
import { byLanguage } from './speech-set.ts'

const heard = (language: string, errors: number, words: number, reference: number) => ({
  id: 'x',
  language,
  said: '',
  heard: '',
  errors,
  words,
  reference: { errors: reference, words },
})

test('byLanguage adds the recordings of each language up, and says how many points lie above the reference', () => {
  const rows = byLanguage([heard('en', 1, 10, 0), heard('fr', 5, 50, 6), heard('en', 1, 90, 1)])
  assert.deepEqual(
    rows.map(({ language, recordings }) => [language, recordings]),
    [
      ['en', 2],
      ['fr', 1],
    ],
  )
  assert.deepEqual(rows[0]!.here, { errors: 2, words: 100 })
  assert.ok(Math.abs(rows[0]!.points - 1) < 1e-9)
  assert.ok(Math.abs(rows[1]!.points + 2) < 1e-9)
})

test('byLanguage gives no row when nothing was heard', () => {
  assert.deepEqual(byLanguage([]), [])
})
