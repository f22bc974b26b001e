import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { piecesOf } from '../../../speech/pieces.ts'
import { parakeetContract } from '../contract/read.ts'
import { searchFile, tokensOf } from './beam.ts'
import { hearFile, seedModel, shippedRecording } from './hear-file.ts'
import { openModel } from './model.ts'

test('searchFile() of width 1 gives the greedy tokens, and more answers of a larger width', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'rungbook-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const contract = parakeetContract()
  await using model = await openModel(seedModel(folder, { stream: false }, contract), contract)
  const wav = shippedRecording()
  const { transcript } = await hearFile(model, contract, wav, { stream: false, pieceMs: 160 })
  const [one] = await searchFile(model, wav, { width: 1, phrases: [], bonus: 0 })
  assert.deepEqual([one!.tokens, one!.timestamps], [transcript.tokens, transcript.timestamps])
  const wide = await searchFile(model, wav, { width: 3, phrases: ['ba ba'], bonus: 2 })
  assert.ok(wide.length > 1 && wide[0]!.score >= wide[1]!.score)
})

test('tokensOf() takes the longest piece each time, and refuses what no piece says', () => {
  const pieces = piecesOf(['<unk>', '▁go', '▁g', 'o', '▁', 'ba', 'b', 'a'])
  assert.deepEqual(tokensOf(pieces, ' go  ba'), [1, 4, 5])
  assert.throws(() => tokensOf(pieces, 'go z'), /no piece says "z"/)
})
