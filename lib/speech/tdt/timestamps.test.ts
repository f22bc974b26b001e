import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { dataPath, needsData } from '../../testing/needs.ts'
import { piecesFromModel, piecesOf } from '../pieces.ts'
import { spansOf, type Span } from './timestamps.ts'

const pieces = piecesOf(['<unk>', '▁the', '▁', 'r', 'e', '.', '?', '▁a', ','])
const heard = (tokens: number[], timestamps: number[], durations: number[]) => ({ tokens, timestamps, durations })
const shown = (spans: readonly Span[]) => spans.map(({ text, start, end }) => [text, start, end])

test('spansOf() ends a mark where the token before it ends, and joins it to its word', () => {
  const spans = spansOf(pieces, heard([1, 3, 4, 8, 7, 5], [0, 2, 4, 9, 12, 20], [1, 2, 3, 4, 0, 2]))
  assert.equal(spans.text, 'there, a.')
  assert.deepEqual(shown(spans.tokens).at(3), [',', 7, 7])
  assert.deepEqual(shown(spans.words), [
    ['there,', 0, 7],
    ['a.', 12, 12],
  ])
  assert.deepEqual(shown(spans.segments), [['there, a.', 0, 12]])
})

test('spansOf() ends segments at sentences, and with a gap only at pauses', () => {
  const tokens = heard([7, 5, 7, 7, 6, 7], [0, 1, 3, 20, 22, 23], [1, 1, 1, 1, 1, 1])
  assert.deepEqual(shown(spansOf(pieces, tokens).segments), [
    ['a.', 0, 1],
    ['a a?', 3, 21],
    ['a', 23, 24],
  ])
  assert.deepEqual(shown(spansOf(pieces, tokens, { gapFrames: 5 }).segments), [
    ['a.', 0, 1],
    ['a', 3, 4],
    ['a? a', 20, 24],
  ])
})

test('spansOf() gives nothing for nothing, and refuses a token that is no piece', () => {
  assert.deepEqual(spansOf(pieces, heard([], [], [])), { text: '', tokens: [], words: [], segments: [] })
  assert.throws(() => spansOf(pieces, heard([9], [0], [1])), /token 9: the vocabulary has 9 pieces/)
})

interface Offset {
  start_offset: number
  end_offset: number
  [level: string]: unknown
}
const path = 'nemo/tdt-tiny-a/timestamps.json'
test("spansOf() gives NeMo's own times, decoded and made up, with a gap and without", { skip: needsData(path) }, () => {
  const vocabulary = piecesFromModel(readFileSync(dataPath('nemo/tokenizer/tokenizer.model')))
  let compared = 0
  for (const model of ['tdt-tiny-a', 'tdt-tiny-b']) {
    const { items } = JSON.parse(readFileSync(dataPath(`nemo/${model}/timestamps.json`), 'utf8'))
    for (const item of items) {
      const { timestamp: want } = item
      const times = heard(item.tokens, item.timestamps_in ?? want.timestep, item.durations_in ?? item.durations)
      const gap = item.segment_gap_threshold
      const got = spansOf(vocabulary, times, gap === null ? {} : { gapFrames: gap })
      assert.equal(got.text, item.text)
      const listed = (level: string) =>
        (want[level] as Offset[]).map(o => [String(o[level]), o.start_offset, o.end_offset])
      assert.deepEqual(shown(got.tokens), listed('char'))
      assert.deepEqual(shown(got.words), listed('word'), JSON.stringify(item.text))
      assert.deepEqual(shown(got.segments), listed('segment'), JSON.stringify([item.text, gap]))
      compared++
    }
  }
  assert.ok(compared >= 20, String(compared))
})
