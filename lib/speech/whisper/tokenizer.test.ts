import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { storeFolder } from '../../systems/whisper/store.ts'
import { dataPath, needsData } from '../../testing/needs.ts'
import { needsWhisper } from '../../testing/whisper/models.ts'
import { scriptedTokenizer } from '../../testing/whisper/scripted.ts'
import { readTokens } from '../tokens/read-tokens.ts'
import { languageCode, languageNames } from './languages.ts'
import { splitWords } from './split-words.ts'
import { WhisperTokenizer } from './tokenizer.ts'

test('WhisperTokenizer knows the special tokens of 99 and 100 languages, and of an English model', () => {
  const many = scriptedTokenizer(51_865).special
  assert.deepEqual(
    [many.endOfText, many.startOfTranscript, many.languages.get('en'), many.languages.get('su')],
    [50_257, 50_258, 50_259, 50_357],
  )
  assert.deepEqual(
    [many.translate, many.transcribe, many.startOfLm, many.startOfPrevious, many.noSpeech, many.noTimestamps],
    [50_358, 50_359, 50_360, 50_361, 50_362, 50_363],
  )
  assert.equal(many.firstTimestamp, 50_364)
  const large = scriptedTokenizer(51_866).special
  assert.deepEqual([large.languages.get('yue'), large.translate, large.firstTimestamp], [50_358, 50_359, 50_365])
  const english = scriptedTokenizer(51_864)
  assert.deepEqual([english.special.endOfText, english.special.firstTimestamp], [50_256, 50_363])
  assert.deepEqual(english.sequence({ language: 'fr', task: 'translate' }), [50_257])
})

test('WhisperTokenizer asks for language and task, and refuses a language that it does not know', () => {
  const tokenizer = scriptedTokenizer(51_865)
  assert.deepEqual(tokenizer.sequence({ language: 'fr', task: 'translate' }), [50_258, 50_265, 50_358])
  assert.throws(() => tokenizer.sequence({ language: 'yue', task: 'transcribe' }), { exit: 'usage' })
})

test('WhisperTokenizer refuses the tokenizer of another model', () => {
  const file = (ordinary: number, special: [string, number][] = []) => ({
    path: 'x',
    ordinary: Array.from({ length: ordinary }, (_, id) =>
      Uint8Array.of(id % 256, id >> 8, 1).subarray(0, id < 256 ? 1 : 3),
    ),
    special: new Map(special),
  })
  assert.throws(() => new WhisperTokenizer(file(50_257), 51_864), { exit: 'usage', message: /50257 ordinary/ })
  assert.throws(() => new WhisperTokenizer(file(50_256), 51_865), { exit: 'usage' })
  assert.throws(() => new WhisperTokenizer(file(50_257), 60_000), { exit: 'usage' })
  const shifted = file(50_257, [['<|transcribe|>', 50_360]])
  assert.throws(() => new WhisperTokenizer(shifted, 51_865), { exit: 'usage', message: /transcribe/ })
})

const sentence =
  'And so my fellow Americans, ask not what your country can do for you, ask what you can do for your country.'
const skip = needsData('whisper/gpt2.tiktoken') || needsWhisper('tiny.en')
test("WhisperTokenizer reads the same tokens from OpenAI's file and from the model's own", { skip }, () => {
  const own = new WhisperTokenizer(readTokens(join(storeFolder(), 'tiny.en')), 51_864)
  const theirs = new WhisperTokenizer(readTokens(dataPath('whisper')), 51_864)
  for (const text of [sentence, 'naïve 日本語 🎉', '  two  spaces\n\n', "it's 12,345.6 m²", '']) {
    assert.deepEqual(own.encode(text), theirs.encode(text))
    assert.equal(own.decode(own.encode(text)), text)
  }
  assert.equal(own.nonSpeech().length, 84)
})

test('languageCode takes codes and English names in any case, and other names of a language', () => {
  assert.equal(languageNames.size, 100)
  assert.deepEqual(['FR', 'French', ' castilian ', 'Haitian Creole'].map(languageCode), ['fr', 'fr', 'es', 'ht'])
  assert.equal(languageCode('klingon'), undefined)
  assert.equal(languageCode(''), undefined)
})

test('splitWords cuts at spaces and signs, and at every character where a language writes no spaces', () => {
  const tokenizer = scriptedTokenizer(51_865)
  const end = tokenizer.special.endOfText
  const words = (text: string, language: string) =>
    splitWords(tokenizer, [...tokenizer.encode(text), end], language).map(({ word }) => word)
  assert.deepEqual(words(' ab cd.', 'en').slice(0, -1), [' ab', ' cd', '.'])
  assert.deepEqual(words('日本', 'ja').slice(0, -1), ['日', '本'])
  assert.deepEqual(words('日本 x', 'en').slice(0, -1), ['日本', ' x'])
  // What follows a character that was cut off at the very end is dropped, as the reference drops it.
  const half = [...tokenizer.encode('a'), 0xe6, 0x97, end]
  assert.deepEqual(
    splitWords(tokenizer, half, 'ja').map(({ word }) => word),
    ['a', '\ufffd'],
  )
})
