import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { RunbookError } from '../../base/errors.ts'
import { dataPath, needsData } from '../../testing/needs.ts'
import { readTokens } from './read-tokens.ts'

const folderOf = (files: Readonly<Record<string, string>>) => {
  const folder = mkdtempSync(join(tmpdir(), 'tokens-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}
const plain = ({ ordinary, special }: ReturnType<typeof readTokens>) => ({
  ordinary: ordinary.map(bytes => Buffer.from(bytes).toString()),
  special: Object.fromEntries(special),
})
const want = { ordinary: ['a', ' b', ''], special: { '<|endoftext|>': 3, '<|en|>': 4 } }
const list = ['a', 'Ġb', '', '<|endoftext|>', '<|en|>']
const vocab = { a: 0, Ġb: 1, '': 2, '<|endoftext|>': 3 }

test('readTokens gives the same tokens from every kind of file', () => {
  const added = [
    { content: '<|endoftext|>', id: 3 },
    { content: '<|en|>', id: 4 },
  ]
  const files = {
    'tokenizer.json': JSON.stringify({ model: { vocab }, added_tokens: added }),
    'vocabulary.json': JSON.stringify(list),
    'vocabulary.txt': `${list.join('\n')}\n`,
  }
  for (const [name, text] of Object.entries(files))
    assert.deepEqual(plain(readTokens(folderOf({ [name]: text }))), want)
  const merges = folderOf({ 'vocab.json': JSON.stringify(vocab), 'merges.txt': '#version\na b' })
  assert.deepEqual(plain(readTokens(merges)), { ...want, special: { '<|endoftext|>': 3 } })
  const tiktoken = folderOf({ 'x.tiktoken': 'YQ== 0\nIGI= 1\n= 2\n' })
  assert.deepEqual(plain(readTokens(tiktoken)), { ...want, special: {} })
})

test('readTokens takes tokenizer.json when a folder holds several files', () => {
  const folder = folderOf({ 'vocab.json': '{}', 'tokenizer.json': JSON.stringify({ model: { vocab: { z: 0 } } }) })
  assert.deepEqual(plain(readTokens(folder)).ordinary, ['z'])
})

test('readTokens is blocked without a file, and refuses damaged ones', () => {
  assert.throws(
    () => readTokens(folderOf({})),
    (thrown: RunbookError) => thrown.exit === 'blocked',
  )
  const bad: Record<string, string>[] = [
    { 'tokenizer.json': '{' },
    { 'tokenizer.json': '{}' },
    { 'tokenizer.json': '[]' },
    { 'tokenizer.json': JSON.stringify({ model: { vocab }, added_tokens: [{ id: 1 }] }) },
    { 'vocab.json': '{"a": 0, "b": 0}' },
    { 'vocab.json': '{"a": 1}' },
    { 'vocab.json': '{"a": 1e9}' },
    { 'vocab.json': '{"a": "0"}' },
    { 'vocabulary.json': '[]' },
    { 'vocabulary.json': '["a", 1]' },
    { 'vocabulary.txt': 'a\nb c\n' },
    { 'x.tiktoken': 'YQ== 1\n' },
    { 'x.tiktoken': '' },
  ]
  for (const files of bad) {
    const folder = folderOf(files)
    assert.throws(
      () => readTokens(folder),
      (thrown: RunbookError) => thrown.exit === 'usage',
      JSON.stringify(files),
    )
  }
})

test("readTokens reads OpenAI's own file", { skip: needsData('whisper/gpt2.tiktoken') }, () => {
  const { ordinary } = readTokens(dataPath('whisper'))
  assert.equal(ordinary.length, 50_256)
})
