import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { dataPath, needsData } from '../testing/needs.ts'
import { plainWords, totalErrors, wordErrorRate, wordErrors } from './word-error.ts'

test('plainWords brings spellings of one thing together', () => {
  assert.deepEqual(plainWords("Don't press TWO, it's (noise) “fine”!"), 'do not press 2 it s fine'.split(' '))
  assert.deepEqual(plainWords('Vérouiller ça.', 'fr'), ['verouiller', 'ca'])
  assert.deepEqual(plainWords('Ещё раз', 'ru'), ['еще', 'раз'])
  assert.deepEqual(plainWords(' … '), [])
})

test('wordErrors counts substitutions, insertions and deletions', () => {
  assert.deepEqual(wordErrors('a b c', 'a b c'), { errors: 0, words: 3 })
  assert.deepEqual(wordErrors('a b c', 'a x c'), { errors: 1, words: 3 })
  assert.deepEqual(wordErrors('a b c', 'b c d'), { errors: 2, words: 3 })
  assert.deepEqual(wordErrors('a b c', ''), { errors: 3, words: 3 })
  assert.deepEqual(wordErrors('', 'a b'), { errors: 2, words: 0 })
})

test('wordErrorRate is not a number when nothing was said', () => {
  assert.ok(Number.isNaN(wordErrorRate(wordErrors('', ''))))
  assert.equal(wordErrorRate(totalErrors([wordErrors('a b', 'a'), wordErrors('c d', 'c d')])), 0.25)
})

const set = 'whisper/goldens/speech-set.json'
test("wordErrors agrees with the counts of openai/whisper's normalizer", { skip: needsData(set) }, () => {
  interface Heard {
    hyp: string
    errors: number
    words: number
  }
  interface Utterance extends Record<string, unknown> {
    text: string
    lang: string
  }
  const { utterances } = JSON.parse(readFileSync(dataPath(set), 'utf8')) as { utterances: Utterance[] }
  const models = ['tiny.en', 'base'] as const
  const heard = utterances.flatMap(({ text, lang, ...rest }) =>
    models.flatMap(model => (rest[model] ? [{ text, lang, ...(rest[model] as Heard) }] : [])),
  )
  assert.ok(heard.length > 60)
  for (const { text, lang, hyp, errors, words } of heard)
    assert.deepEqual(wordErrors(text, hyp, lang), { errors, words }, hyp)
})
