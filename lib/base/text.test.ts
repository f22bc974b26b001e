import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import test from 'node:test'
import { closest, oneLine, plainText, shellWord } from './text.ts'

test('plainText() drops colours, titles and control characters, and keeps lines and tabs', () => {
  assert.equal(plainText('\x1b[31mred\x1b[0m\tand \x1b]0;title\x07bell\x07\0'), 'red\tand bell')
  assert.equal(plainText('a\r\nb\rc'), 'a\nb\nc')
  assert.equal(plainText('\x1b]8;;https://x.example\x1b\\link\x1b]8;;\x1b\\'), 'link')
})

test('plainText() drops every kind of terminal string when it comes from a log', () => {
  for (const hidden of [
    '\x1bP1;2|payload\x1b\\',
    '\x1b_app\x1b\\',
    '\x1b^pm\x07',
    '\x9b31m',
    '\x9d0;title\x9c',
    '\x1b(B',
    '\x1bc',
  ])
    assert.equal(plainText(`a${hidden}b`), 'ab', JSON.stringify(hidden))
  assert.equal(plainText('never \x1b]0;closed'), 'never 0;closed', 'what is never closed stays as harmless text')
  assert.equal(plainText('gpj.\u202exslx'), 'gpj.xslx')
})

test('oneLine() makes one space of every run of white space', () => {
  assert.equal(oneLine('  a\r\n\tb   c '), 'a b c')
})

test('shellWord() gives a word that a shell reads back when it holds spaces, quotes, dollars or nothing', () => {
  assert.equal(shellWord('module_runs/a.wav'), 'module_runs/a.wav')
  for (const word of ['a b', "it's", '$HOME `id`', '', '*', 'ü\n'])
    assert.equal(execFileSync('sh', ['-c', `printf %s ${shellWord(word)}`], { encoding: 'utf8' }), word)
})

test('closest() finds a word that is misspelt or begun, and none when nothing is near', () => {
  assert.equal(closest('modle', ['model', 'mix-wav']), 'model')
  assert.equal(closest('mix', ['model', 'mix-wav']), 'mix-wav')
  assert.equal(closest('banana', ['model', 'mix-wav']), null)
  assert.equal(closest('model', []), null)
})
