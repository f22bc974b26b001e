/** SHA-256 over bytes, files and plain values. */
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { fileError } from './files.ts'

/** SHA-256 in lower-case hex. */
export const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex')

/**
 * SHA-256 of a file's bytes, read piece by piece.
 *
 * @throws RunbookError blocked when absent
 */
export function sha256File(path: string): string {
  const hash = createHash('sha256')
  const piece = Buffer.alloc(1 << 20)
  try {
    const fd = openSync(path, 'r')
    try {
      for (let n = readSync(fd, piece); n > 0; n = readSync(fd, piece)) hash.update(piece.subarray(0, n))
    } finally {
      closeSync(fd)
    }
  } catch (thrown) {
    throw fileError('read', path, thrown)
  }
  return hash.digest('hex')
}

/** SHA-256 of a plain value: the same for the same content, whatever the order of its keys. */
export const sha256Json = (value: unknown): string => sha256(JSON.stringify(sorted(value)))

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, v]) => [key, sorted(v)]),
  )
}
