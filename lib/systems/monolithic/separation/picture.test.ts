import assert from 'node:assert/strict'
import test from 'node:test'
import { inflateSync } from 'node:zlib'
import { separationPicture } from './picture.ts'

/** A spectrogram of 3 columns and 4 rows, the low rows first; the upper two are loud, and not to be seen. */
const of = (...low: number[]) => ({
  columns: 3,
  rows: 4,
  db: Float32Array.from([...low, ...Array(6).fill(-10)]),
  secondsPerColumn: 1,
  hzPerRow: 1,
})

/** Palette indices row by row: a PNG's one IDAT chunk, unpacked, without the filter byte of each row. */
function pixelsOf(png: Uint8Array, width: number): number[][] {
  const bytes = Buffer.from(png)
  const at = bytes.indexOf('IDAT')
  const raw = inflateSync(bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at - 4)))
  const rows = raw.length / (width + 1)
  return Array.from({ length: rows }, (_, row) => [...raw.subarray(row * (width + 1) + 1, (row + 1) * (width + 1))])
}

test('separationPicture puts the spectrograms under one another, low frequencies at the bottom of each', () => {
  const png = separationPicture([of(-10, -90, -90, -90, -90, -10), of(-40, -90, -90, -90, -90, -90)])
  const header = Buffer.from(png)
  assert.deepEqual([header.readUInt32BE(16), header.readUInt32BE(20)], [3, 8])
  const rows = pixelsOf(png, 3)
  assert.deepEqual(rows[0], [0, 0, 255])
  assert.deepEqual(rows[1], [255, 0, 0])
  assert.deepEqual(
    rows.slice(2, 6),
    Array.from({ length: 4 }, () => [255, 255, 255]),
  )
  assert.deepEqual(rows[7], [133, 0, 0])
})
