/**
 * Takes the digest that seals a HEF, of bytes that arrive in pieces.
 *
 * Header version 0 has MD5, version 1 CRC-32 (as zlib), versions 2 and 3 XXH3 with 64 bits; each covers all bytes after
 * the header.
 */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { createXXHash3 } from 'hash-wasm'

/** Digests that seal a HEF. */
export const hefDigestNames = ['md5', 'crc32', 'xxh3-64'] as const
/** One of them. */
export type HefDigestName = (typeof hefDigestNames)[number]

/**
 * Takes pieces; `hex` ends it with the digest in lower-case hex, most significant byte first, as the header writes it.
 */
export interface Digester {
  update(piece: Uint8Array): void
  hex(): string
}

/** One for all: its state is put in and taken out around each piece, so that digesters may be open side by side. */
const xxh3 = await createXXHash3()

/**
 * A new digester.
 *
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { digester } from './checksum.ts'
 *
 * const digest = digester('crc32')
 * digest.update(Buffer.from('12345'))
 * digest.update(Buffer.from('6789'))
 * assert.equal(digest.hex(), 'cbf43926')
 * ```
 */
export function digester(name: HefDigestName): Digester {
  if (name === 'md5') {
    const hash = createHash('md5')
    return { update: piece => void hash.update(piece), hex: () => hash.digest('hex') }
  }
  if (name === 'crc32') {
    let crc = 0
    const update = (piece: Uint8Array) => {
      // zlib takes an empty piece without an address for the question what a sum begins with, and answers 0.
      if (piece.length > 0) crc = crc32(piece, crc)
    }
    return { update, hex: () => crc.toString(16).padStart(8, '0') }
  }
  let state = xxh3.init().save()
  return {
    update: piece => void (state = xxh3.load(state).update(piece).save()),
    hex: () => xxh3.load(state).digest('hex'),
  }
}

/** The digest of bytes in memory, in hex. */
export function digestOf(name: HefDigestName, ...pieces: readonly Uint8Array[]): string {
  const digest = digester(name)
  for (const piece of pieces) digest.update(piece)
  return digest.hex()
}
