/**
 * The bytes of a pickle from first to last: sizes, texts, numbers and lines, and the opcodes that only give a constant.
 */
import { usageError } from '../../base/errors.ts'

/** Reads on through the bytes of a pickle. Every method throws a usage error where the bytes end. */
export class PickleCursor {
  readonly #bytes: Buffer
  readonly #thing: string
  #at = 0

  constructor(bytes: Uint8Array, thing: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#thing = thing
  }

  /** Where the next byte lies. */
  get at(): number {
    return this.#at
  }

  /** A usage error about this pickle. */
  refusal(state: string) {
    return usageError(
      `Cannot read "${this.#thing}": ${state}`,
      'save the tensors alone: torch.save(model.state_dict(), path)',
    )
  }

  /** Step over `count` bytes; answers where they begin. */
  take(count: number): number {
    const at = this.#at
    if (count > this.#bytes.length - at) throw this.refusal(`it is cut short at byte ${this.#bytes.length}`)
    this.#at += count
    return at
  }

  /** An unsigned integer of `width` bytes; `width` 1 is the opcode's short form. */
  size(width: 1 | 4 | 8): number {
    const at = this.take(width)
    if (width === 1) return this.#bytes[at]!
    return width === 4 ? this.#bytes.readUInt32LE(at) : Number(this.#bytes.readBigUInt64LE(at))
  }

  /** A text after its length. */
  text(width: 1 | 4 | 8): string {
    const count = this.size(width)
    const at = this.take(count)
    return this.#bytes.toString('utf8', at, at + count)
  }

  /** Bytes after their length, copied. */
  raw(width: 1 | 4 | 8): Uint8Array {
    const count = this.size(width)
    const at = this.take(count)
    return new Uint8Array(this.#bytes.subarray(at, at + count))
  }

  /** A signed integer of any length after that length; a number where it is exact. */
  long(width: 1 | 4): bigint | number {
    const count = this.size(width)
    const at = this.take(count)
    if (count > 64) throw this.refusal(`byte ${at} begins an integer of ${count} bytes`)
    let value = 0n
    for (let i = count - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#bytes[at + i]!)
    const signed = BigInt.asIntN(Math.max(1, 8 * count), value)
    return signed >= Number.MIN_SAFE_INTEGER && signed <= Number.MAX_SAFE_INTEGER ? Number(signed) : signed
  }

  /** A text up to the end of its line. */
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at)
    if (end < 0) throw this.refusal(`it is cut short at byte ${this.#bytes.length}`)
    const text = this.#bytes.toString('utf8', this.#at, end)
    this.#at = end + 1
    return text
  }

  /** The constant that an opcode gives, or undefined when it is another kind of opcode. */
  constant(code: number): null | boolean | number | bigint | string | Uint8Array | undefined {
    switch (code) {
      case 0x4e:
        return null
      case 0x88:
        return true
      case 0x89:
        return false
      case 0x4a:
        return this.#bytes.readInt32LE(this.take(4))
      case 0x4b:
        return this.size(1)
      case 0x4d:
        return this.#bytes.readUInt16LE(this.take(2))
      case 0x8a:
        return this.long(1)
      case 0x8b:
        return this.long(4)
      case 0x47:
        return this.#bytes.readDoubleBE(this.take(8))
      case 0x58:
        return this.text(4)
      case 0x8c:
        return this.text(1)
      case 0x8d:
        return this.text(8)
      case 0x54:
        return this.text(4)
      case 0x55:
        return this.text(1)
      case 0x42:
        return this.raw(4)
      case 0x43:
        return this.raw(1)
      case 0x8e:
        return this.raw(8)
      default:
        return undefined
    }
  }
}
