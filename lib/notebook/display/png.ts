/**
 * Encodes palette PNGs, and reads the size of any PNG.
 *
 * Eight bits a pixel with a palette: small, lossless, and all that a heat map needs. Decoding pictures is not done
 * here.
 */
import { deflateSync } from 'node:zlib'
import { usageError } from '../../base/errors.ts'

/** A picture of at most 256 colours, one byte a pixel. */
export interface IndexedPicture {
  readonly width: number
  readonly height: number
  /** One palette index per pixel, row by row from the top. */
  readonly pixels: Uint8Array
  /** 1 to 256 colours of three bytes each: red, green, blue. */
  readonly palette: Uint8Array
}

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
const colourTypeIndexed = 3

/**
 * A picture as PNG (W3C PNG, third edition).
 *
 * @throws RunbookError usage when a size is zero or does not fit the pixels
 */
export function encodePng({ width, height, pixels, palette }: IndexedPicture): Uint8Array {
  if (!(width > 0 && height > 0) || pixels.length !== width * height) {
    const takes = `that takes ${width * height}, and at least one`
    throw usageError(`Cannot draw ${pixels.length} pixels as ${width} x ${height}: ${takes}`, 'check the shape')
  }
  if (palette.length === 0 || palette.length % 3 !== 0 || palette.length > 768) {
    throw usageError(
      `Cannot draw with a palette of ${palette.length} bytes: a colour takes three`,
      'give 1 to 256 colours',
    )
  }
  const header = new Uint8Array(13)
  const view = new DataView(header.buffer)
  view.setUint32(0, width)
  view.setUint32(4, height)
  header.set([8, colourTypeIndexed, 0, 0, 0], 8)
  // Each line begins with the number of its filter; none (0) packs a palette best.
  const lines = new Uint8Array((width + 1) * height)
  for (let row = 0; row < height; row++)
    lines.set(pixels.subarray(row * width, (row + 1) * width), row * (width + 1) + 1)
  return Buffer.concat([
    Uint8Array.from(signature),
    chunk('IHDR', header),
    chunk('PLTE', palette),
    chunk('IDAT', deflateSync(lines, { level: 9 })),
    chunk('IEND', new Uint8Array(0)),
  ])
}

function chunk(type: string, data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(data.length + 12)
  bytes.writeUInt32BE(data.length, 0)
  bytes.write(type, 4, 'latin1')
  bytes.set(data, 8)
  bytes.writeUInt32BE(crc32(bytes.subarray(4, data.length + 8)), data.length + 8)
  return bytes
}

const crcTable = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  return crc
})

/** CRC-32 as PNG and zip use it. */
export function crc32(bytes: Uint8Array): number {
  let crc = -1
  for (const byte of bytes) crc = (crc >>> 8) ^ crcTable[(crc ^ byte) & 255]!
  return (crc ^ -1) >>> 0
}
