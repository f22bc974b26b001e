/** Which bytes were these? SHA-256 over bytes, files and plain values. */
import { createHash } from 'node:crypto'
import { readFile } from './files.ts'

/** SHA-256 in lower-case hex. */
export const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex')

/** SHA-256 of a file's bytes. Errors: blocked when absent. */
export const sha256File = (path: string): string => sha256(readFile(path))

/** SHA-256 of a plain value: the same for the same content, whatever the order of its keys. */
export const sha256Json = (value: unknown): string => sha256(JSON.stringify(sorted(value)))

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, v]) => [key, sorted(v)]))
}
