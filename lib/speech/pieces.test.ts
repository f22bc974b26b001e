import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { dataPath, needsData } from '../testing/needs.ts'
import { beginsWord, piecesFromModel, piecesFromText, piecesOf, punctuationOf, textOf } from './pieces.ts'

const list = ['<unk>', '▁the', '▁', 'r', '<0xC3>', '<0xA9>', '▁a', '.']
const pieces = piecesOf(list)
/** A SentencePiece model of these pieces: field 1 repeated, each with its text and a score. */
const model = (...texts: string[]) =>
  Buffer.concat(
    texts.map(text => {
      const bytes = Buffer.from(text)
      const message = Buffer.concat([Buffer.of(10, bytes.length), bytes, Buffer.of(0x15, 0, 0, 0, 0)])
      return Buffer.concat([Buffer.of(10, message.length), message])
    }),
  )

test('textOf() joins pieces, drops the first space alone, and keeps one at the end', () => {
  assert.equal(textOf(pieces, [1, 3, 6, 7]), 'ther a.')
  assert.equal(textOf(pieces, [3, 1]), 'r the')
  assert.equal(textOf(pieces, [6, 2]), 'a ')
  assert.equal(textOf(pieces, []), '')
  assert.equal(textOf(pieces, [2]), '')
})

test('textOf() puts the bytes of one letter together, and says what it does not know', () => {
  assert.equal(textOf(pieces, [6, 4, 5, 3]), 'aér')
  assert.equal(textOf(pieces, [6, 0, 3]), 'a ⁇ r')
  assert.throws(() => textOf(pieces, [8]), /token 8: the vocabulary has 8 pieces/)
})

test('piecesFromModel() reads the pieces of a model, and refuses one that is cut or empty', () => {
  assert.deepEqual(piecesFromModel(model('<unk>', '▁x')).list, ['<unk>', '▁x'])
  const whole = model('<unk>', '▁the')
  assert.throws(() => piecesFromModel(whole.subarray(0, whole.length - 3)), /Cannot read "tokenizer\.model"/)
  assert.throws(() => piecesFromModel(new Uint8Array(0)), /it holds no pieces/)
})

test('piecesFromText() reads both forms of vocab.txt, and refuses numbers out of order', () => {
  assert.deepEqual(piecesFromText('<unk> 0\n▁a 1\n▁ 2\n<blk> 3\n').list, ['<unk>', '▁a', '▁'])
  assert.deepEqual(piecesFromText('<unk>\n▁a\n7\n').list, ['<unk>', '▁a', '7'])
  assert.throws(() => piecesFromText('<unk> 0\n▁a 2\n'), /not 0, 1, 2/)
  assert.throws(() => piecesFromText('t\n##he\n'), /## form/)
  assert.throws(() => piecesFromText(''), /it is empty/)
})

test('punctuationOf() finds the marks, not the brackets of special pieces', () => {
  assert.deepEqual([...punctuationOf(piecesOf(['<unk>', '<|en|>', '▁.', ',', 'a']))], ['.', ','])
  assert.deepEqual([beginsWord(pieces, 1), beginsWord(pieces, 3)], [true, false])
})

const golden = 'nemo/tokenizer/tokenizer.model'
test('piecesFromModel() reads what SentencePiece trained', { skip: needsData(golden) }, () => {
  const read = piecesFromModel(readFileSync(dataPath(golden)))
  const vocab = readFileSync(dataPath('nemo/tokenizer/tokenizer.vocab'), 'utf8').trimEnd().split('\n')
  assert.deepEqual(
    read.list,
    vocab.map(line => line.split('\t')[0]),
  )
  const tokens = readFileSync(dataPath('nemo/sherpa/tokens.txt'), 'utf8')
  assert.deepEqual(piecesFromText(tokens).list, read.list)
})
