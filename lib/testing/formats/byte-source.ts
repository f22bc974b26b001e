/**
 * Gives bytes in memory as a source, so that tests of archives need no file.
 */
import { partSource, type ByteSource } from '../../formats/byte-source.ts'

/** The bytes of a buffer, not copied. */
export const bufferSource = (bytes: Uint8Array, name: string): ByteSource =>
  partSource(
    { name, size: bytes.length, read: (at, length) => bytes.subarray(at, at + length) },
    { name, at: 0, size: bytes.length },
  )
