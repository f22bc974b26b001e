/**
 * Keeps room on the disk for what must be written last.
 *
 * A run holds a file of real bytes in its folder from the start. When the disk is full, small files that are written
 * into that folder take the room of it, so the verdict and the tables of a run fit even where its sound did not.
 */
import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs'
import { join, sep } from 'node:path'

/** The name of the file; it is no artifact. */
export const reserveName = '.reserved'

/** Folders that hold a reserve. */
const held = new Set<string>()
const pieceBytes = 1 << 16

/** Less than this is no help to anybody. */
const leastBytes = 8192

/**
 * Hold `bytes` of room in a folder, or half of what there is where that is less; false when that is hardly any. The
 * bytes are written, and not only announced.
 */
export function holdReserve(folder: string, bytes: number): boolean {
  const path = join(folder, reserveName)
  // Bytes that no file system packs into fewer.
  const piece = Buffer.alloc(pieceBytes, 0x5a).map((byte, i) => (byte + i * 31 + ((i * i) >> 7)) & 255)
  try {
    const file = openSync(path, 'w')
    try {
      const written = fill(file, { piece, bytes })
      if (written < leastBytes) throw new Error('there is no room')
      if (written < bytes) ftruncateSync(file, Math.floor(written / 2))
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

/** Write up to `bytes`; gives how many fitted. */
function fill(file: number, { piece, bytes }: { piece: Uint8Array; bytes: number }): number {
  let written = 0
  try {
    while (written < bytes) written += writeSync(file, piece, 0, Math.min(piece.length, bytes - written))
  } catch (thrown) {
    if (!['ENOSPC', 'EDQUOT'].includes((thrown as NodeJS.ErrnoException).code ?? '')) throw thrown
  }
  return written
}

/** Give the room of the nearest folder above a path back; false when none is held there. */
export function releaseReserve(path: string): boolean {
  const folder = [...held].find(held => path === held || path.startsWith(held + sep))
  if (folder === undefined) return false
  held.delete(folder)
  rmSync(join(folder, reserveName), { force: true })
  return true
}
