/**
 * Keeps room on the disk for what must be written last.
 *
 * A run holds a file of real bytes in its folder from the start. When the disk is full, small files that are written
 * into that folder take the room of it, so the verdict and the tables of a run fit even where its sound did not.
 */
import { openSync, closeSync, rmSync, writeSync } from 'node:fs'
import { join, sep } from 'node:path'

/** The name of the file; it is no artifact. */
export const reserveName = '.reserved'

/** Folders that hold a reserve. */
const held = new Set<string>()
const pieceBytes = 1 << 16

/** Hold `bytes` of room in a folder; false when there is not so much. The bytes are written, and not only announced. */
export function holdReserve(folder: string, bytes: number): boolean {
  const path = join(folder, reserveName)
  // Bytes that no file system packs into fewer.
  const piece = Buffer.alloc(pieceBytes, 0x5a).map((byte, i) => (byte + i * 31 + ((i * i) >> 7)) & 255)
  try {
    const file = openSync(path, 'w')
    try {
      for (let written = 0; written < bytes;)
        written += writeSync(file, piece, 0, Math.min(pieceBytes, bytes - written))
    } finally {
      closeSync(file)
    }
    held.add(folder)
    return true
  } catch {
    rmSync(path, { force: true })
    return false
  }
}

/** Give the room of the nearest folder above a path back; false when none is held there. */
export function releaseReserve(path: string): boolean {
  const folder = [...held].find(held => path === held || path.startsWith(held + sep))
  if (folder === undefined) return false
  held.delete(folder)
  rmSync(join(folder, reserveName), { force: true })
  return true
}
