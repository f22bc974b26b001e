import assert from 'node:assert/strict'
import test from 'node:test'
import { unzlibSync } from 'fflate'
import { crc32, encodePng } from './png.ts'

/** A second reader, which checks every chunk: its length, its order and its CRC (bit by bit, with no table). */
function decode(png: Uint8Array): {
  width: number
  height: number
  header: number[]
  palette: number[]
  lines: Uint8Array[]
} {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength)
  const chunks = new Map<string, Uint8Array>()
  let at = 8
  while (at < png.length) {
    const length = view.getUint32(at)
    const type = String.fromCharCode(...png.subarray(at + 4, at + 8))
    let crc = 0xffffffff
    for (const byte of png.subarray(at + 4, at + 8 + length)) {
      for (let bit = 0; bit < 8; bit++) crc = ((crc ^ (byte >> bit)) & 1) === 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
    }
    assert.equal(view.getUint32(at + 8 + length), (crc ^ 0xffffffff) >>> 0, `crc of ${type}`)
    chunks.set(type, png.subarray(at + 8, at + 8 + length))
    at += 12 + length
  }
  assert.equal(at, png.length)
  assert.deepEqual([...chunks.keys()], ['IHDR', 'PLTE', 'IDAT', 'IEND'])
  const header = chunks.get('IHDR')!
  const headerView = new DataView(header.buffer, header.byteOffset)
  const [width, height] = [headerView.getUint32(0), headerView.getUint32(4)]
  const raw = unzlibSync(chunks.get('IDAT')!)
  assert.equal(raw.length, (width + 1) * height)
  const lines = Array.from({ length: height }, (_, row) => {
    assert.equal(raw[row * (width + 1)], 0, 'no filter')
    return raw.subarray(row * (width + 1) + 1, (row + 1) * (width + 1))
  })
  return { width, height, header: [...header.subarray(8)], palette: [...chunks.get('PLTE')!], lines }
}

const palette = Uint8Array.from([0, 0, 0, 255, 0, 0, 0, 255, 0])

test('encodePng() writes what another reader decodes to the same pixels', () => {
  const pixels = Uint8Array.from([0, 1, 2, 2, 1, 0])
  const png = encodePng({ width: 3, height: 2, pixels, palette })
  assert.deepEqual([...png.subarray(0, 8)], [137, 80, 78, 71, 13, 10, 26, 10])
  const back = decode(png)
  assert.deepEqual([back.width, back.height], [3, 2])
  assert.deepEqual(back.header, [8, 3, 0, 0, 0], 'eight bits, palette, deflate, adaptive filters, not interlaced')
  assert.deepEqual(back.palette, [...palette])
  assert.deepEqual(
    back.lines.map(line => Array.from(line)),
    [
      [0, 1, 2],
      [2, 1, 0],
    ],
  )
})

test('encodePng() writes large pictures whole', () => {
  const [width, height] = [3000, 80]
  const pixels = Uint8Array.from({ length: width * height }, (_, i) => (i * 7 + Math.floor(i / width)) % 256)
  const png = encodePng({ width, height, pixels, palette: new Uint8Array(768) })
  assert.deepEqual(Buffer.concat(decode(png).lines), Buffer.from(pixels))
})

test('encodePng() refuses a size that does not fit, and an empty picture', () => {
  assert.throws(
    () => encodePng({ width: 2, height: 2, pixels: new Uint8Array(3), palette }),
    /Cannot draw 3 pixels as 2 x 2: that takes 4/,
  )
  assert.throws(() => encodePng({ width: 0, height: 5, pixels: new Uint8Array(0), palette }), /at least one/)
})

test('encodePng() refuses a palette that PNG does not know', () => {
  const picture = { width: 1, height: 1, pixels: new Uint8Array(1) }
  for (const length of [0, 4, 771])
    assert.throws(() => encodePng({ ...picture, palette: new Uint8Array(length) }), /palette/)
})

test('crc32() agrees with the published check value', () => {
  assert.equal(crc32(Buffer.from('123456789')), 0xcbf43926)
  assert.equal(crc32(new Uint8Array(0)), 0)
})
