import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { fileSource, partSource, piecesOf } from './byte-source.ts'
import { bufferSource } from '../testing/formats/byte-source.ts'

test('partSource() reads a part of a part and refuses bytes beside it', () => {
  const whole = bufferSource(Uint8Array.of(0, 1, 2, 3, 4, 5), 'whole')
  const part = partSource(partSource(whole, { name: 'a', at: 1, size: 4 }), { name: 'b', at: 1, size: 2 })
  assert.deepEqual([...part.read(0, 2)], [2, 3])
  assert.throws(() => part.read(1, 2), /Cannot read "b": bytes 1\.\.3 lie outside its 2 bytes/)
  assert.throws(() => part.read(-1, 1), /outside/)
  assert.throws(() => partSource(whole, { name: 'c', at: 5, size: 2 }), /outside/)
})

test('fileSource() reads any place of a file, and says so when the file became shorter', t => {
  const folder = mkdtempSync(join(tmpdir(), 'rungbook-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'x.bin')
  writeFileSync(path, Uint8Array.of(9, 8, 7, 6))
  const source = fileSource(path)
  assert.deepEqual([...source.read(2, 2)], [7, 6])
  assert.deepEqual(
    [...piecesOf(source, 3)].map(piece => piece.length),
    [3, 1],
  )
  truncateSync(path, 2)
  assert.throws(() => source.read(2, 2), /it ends at byte 2/)
  assert.throws(() => fileSource(folder), /it is a folder/)
  assert.throws(() => fileSource(join(folder, 'absent')), /ENOENT/)
})
