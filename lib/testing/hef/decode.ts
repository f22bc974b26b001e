/** Reads a HEF in memory, as `readHef` reads one from a file. */
import { hefOf } from '../../formats/hef/read.ts'
import type { Hef } from '../../formats/hef/types.ts'

/**
 * A HEF from its bytes; `name` stands in messages.
 * @throws RunbookError usage when it is no HEF, or its description is cut short or malformed
 */
export const decodeHef = (bytes: Uint8Array, name = 'the HEF'): Hef =>
  hefOf({ name, fileBytes: bytes.length, at: (position, length) => bytes.subarray(position, position + length) })
