/**
 * Turns text into byte-pair tokens and back, for vocabularies whose ids are also the order of their merges.
 *
 * That holds for GPT-2's vocabulary and for both of Whisper's, so a list of tokens is enough and the merges need not be
 * read. Text is cut by GPT-2's pattern first; bytes that are no UTF-8 come back as U+FFFD.
 */
import { usageError } from '../../base/errors.ts'

/** GPT-2's pattern; White_Space rather than JavaScript's \s, which differs in two characters. */
const pieces = new RegExp(
  [
    String.raw`'s|'t|'re|'ve|'m|'ll|'d`,
    String.raw` ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+`,
    String.raw`\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+`,
  ].join('|'),
  'gu',
)

/** Bytes as a string of one character a byte, which a Map can look up. */
const keyOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')

/** A vocabulary of byte sequences. */
export class BytePairs {
  readonly #tokens: readonly Uint8Array[]
  readonly #ids: ReadonlyMap<string, number>

  /**
   * @param tokens the bytes of each id, in order
   * @throws RunbookError usage when one of the 256 single bytes is missing, so that some text could not be written
   */
  constructor(tokens: readonly Uint8Array[]) {
    this.#tokens = tokens
    this.#ids = new Map(tokens.map((bytes, id) => [keyOf(bytes), id]))
    for (let byte = 0; byte < 256; byte++) {
      if (this.#ids.has(String.fromCharCode(byte))) continue
      throw usageError(`Cannot use the vocabulary: byte ${byte} has no token`, 'give the tokenizer files of the model')
    }
  }

  get size(): number {
    return this.#tokens.length
  }

  /** The ids of a text. */
  encode(text: string): number[] {
    return (text.match(pieces) ?? []).flatMap(piece => this.#merge(Buffer.from(piece).toString('latin1')))
  }

  /** The bytes of ids below `size`, one after the other; ids from `size` on are skipped. */
  bytes(ids: readonly number[]): Uint8Array {
    return new Uint8Array(Buffer.concat(ids.filter(id => id < this.size).map(id => this.#tokens[id]!)))
  }

  /** The text of ids; ids from `size` on are skipped. */
  decode(ids: readonly number[]): string {
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.bytes(ids))
  }

  /** Joins the pair whose token has the lowest id, until no pair is a token. */
  #merge(piece: string): number[] {
    const whole = this.#ids.get(piece)
    if (whole !== undefined) return [whole]
    const parts = [...piece]
    for (;;) {
      let best = Infinity
      let at = -1
      for (let i = 0; i + 1 < parts.length; i++) {
        const id = this.#ids.get(parts[i]! + parts[i + 1]!)
        if (id !== undefined && id < best) {
          best = id
          at = i
        }
      }
      if (at < 0) return parts.map(part => this.#ids.get(part)!)
      parts.splice(at, 2, parts[at]! + parts[at + 1]!)
    }
  }
}

/** GPT-2's spelling of a byte as a printable character, and back. */
const byteBySpelling: ReadonlyMap<string, number> = new Map(
  (() => {
    const isPrintable = (byte: number) =>
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff)
    let spare = 256
    return Array.from({ length: 256 }, (_, byte) => {
      return [String.fromCodePoint(isPrintable(byte) ? byte : spare++), byte] as const
    })
  })(),
)

/** The bytes of a token in GPT-2's spelling, or undefined when it has a character that spells no byte. */
export function bytesFromSpelling(token: string): Uint8Array | undefined {
  const bytes = [...token].map(character => byteBySpelling.get(character))
  return bytes.includes(undefined) ? undefined : Uint8Array.from(bytes as number[])
}
