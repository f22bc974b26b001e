/**
 * Draws a separation in one picture: the mixture's spectrogram above, those of the sources below it.
 *
 * The lower half of the frequencies, where voices differ most, and all on one scale of colours, so that what is loud in
 * one and dark in another can be seen.
 */
import { heatPalette, indicesFromDb } from '../../../notebook/display/heat.ts'
import { encodePng } from '../../../notebook/display/png.ts'
import type { SpectrogramResult } from '../../../signal/spectrogram.ts'

/** Pixels between two spectrograms, in the palest colour. */
const gapPixels = 4
/** How far below the loudest point of all something is still shown, in dB. */
const rangeDb = 60
/** Shades: few, so that the file stays small. */
const shades = 24

/**
 * The spectrograms under one another, as PNG.
 * @param pictures equally wide and high, the first above
 */
export function separationPicture(pictures: readonly SpectrogramResult[]): Uint8Array {
  const { columns: width, rows: all } = pictures[0]!
  const rows = Math.ceil(all / 2)
  const top = pictures.reduce((most, { db }) => db.reduce((a, b) => Math.max(a, b), most), -Infinity)
  const height = pictures.length * (rows + gapPixels) - gapPixels
  const step = 255 / (shades - 1)
  const pixels = new Uint8Array(width * height).fill(255)
  for (const [i, { db }] of pictures.entries()) {
    const rising = indicesFromDb(db, { floor: top - rangeDb, top }).map(value => Math.round(value / step) * step)
    const first = i * (rows + gapPixels)
    for (let row = 0; row < rows; row++) {
      pixels.set(rising.subarray(row * width, (row + 1) * width), (first + rows - 1 - row) * width)
    }
  }
  return encodePng({ width, height, pixels, palette: heatPalette })
}
