import assert from 'node:assert/strict'
import test from 'node:test'
import { convTasNetOptions, decoderModes } from '../../../models/convtasnet/options.ts'
import { weightRows } from './print-weights.ts'

test('weightRows() says what every weight of every decoder is', () => {
  for (const decoderMode of decoderModes) {
    const rows = weightRows(convTasNetOptions({ decoderMode }))
    assert.deepEqual(
      rows.filter(({ is }) => is === ''),
      [],
      decoderMode,
    )
    assert.equal(rows[0]!.shape, '256 x 1 x 1 x 16')
  }
})
