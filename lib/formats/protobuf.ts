/**
 * Splits protobuf bytes into records, and writes records as bytes: the wire form alone, without a schema.
 *
 * A record is a tag, perhaps a length, and a body. Records know where they lie, so that a writer can give them back
 * untouched. Everything malformed (truncated, a length beyond the end, a number over ten bytes, a stray group) is a
 * WireError.
 */

/** What is wrong with the bytes, as the state of a sentence: "it is truncated: …". */
export class WireError extends Error {
  override readonly name = 'WireError'
}

/** Wire types: varint, eight bytes, length-delimited, group start and end (long deprecated), four bytes. */
export const wires = { varint: 0, fixed64: 1, bytes: 2, group: 3, groupEnd: 4, fixed32: 5 } as const

/** Where a record of field `number` lies: its tag at `start`, its body (after a length, if it has one) at `body`. */
export interface WireRecord {
  readonly number: number
  readonly wire: number
  readonly start: number
  readonly body: number
  readonly end: number
}

/** Reads varints; `low` and `high` hold the 32-bit halves of the last one. */
export class Cursor {
  readonly bytes: Uint8Array
  at: number
  low = 0
  high = 0

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  /**
   * Reads one varint of at most `end`.
   *
   * @throws WireError when it runs over the end or over ten bytes
   */
  varint(end: number): void {
    // Most numbers are tags, small lengths and enumerations of one byte.
    if (this.at < end && this.bytes[this.at]! < 0x80) {
      this.low = this.bytes[this.at++]!
      this.high = 0
      return
    }
    let low = 0
    let high = 0
    for (let i = 0; i < 10; i++) {
      if (this.at >= end) throw new WireError(`it is truncated: a number is cut off at byte ${this.at}`)
      const byte = this.bytes[this.at++]!
      const bits = byte & 0x7f
      if (i < 4) low |= bits << (7 * i)
      else if (i === 4) {
        low |= bits << 28
        high = bits >>> 4
      } else high |= bits << (7 * i - 32)
      if (byte < 0x80) {
        this.low = low >>> 0
        this.high = high >>> 0
        return
      }
    }
    throw new WireError(`it holds a number of more than ten bytes at byte ${this.at}`)
  }

  /** The last varint as an unsigned number; exact below 2^53. */
  get unsigned(): number {
    return this.high * 0x1_0000_0000 + this.low
  }

  /** The last varint as uint64. */
  get uint64(): bigint {
    return this.high === 0 ? BigInt(this.low) : (BigInt(this.high) << 32n) | BigInt(this.low)
  }

  /** The last varint as int64. */
  get int64(): bigint {
    return this.high === 0 ? BigInt(this.low) : BigInt.asIntN(64, this.uint64)
  }
}

/** Reads a tag; the cursor's `low` then holds number and wire type. */
function readTag(cursor: Cursor, end: number): void {
  const at = cursor.at
  cursor.varint(end)
  if (cursor.high !== 0 || cursor.low < 8)
    throw new WireError(`it holds a field with an impossible number at byte ${at}`)
}

/** Moves the cursor over the body that belongs to a tag; gives where the body starts. */
function skipBody(cursor: Cursor, tag: number, end: number, depth: number): number {
  const wire = tag & 7
  let body = cursor.at
  if (wire === wires.varint) cursor.varint(end)
  else if (wire === wires.fixed64) cursor.at += 8
  else if (wire === wires.fixed32) cursor.at += 4
  else if (wire === wires.bytes) {
    cursor.varint(end)
    body = cursor.at
    cursor.at += cursor.unsigned
  } else if (wire === wires.group) skipGroup(cursor, tag >>> 3, end, depth + 1)
  else throw new WireError(`it holds a record of wire type ${wire} at byte ${body - 1}`)
  if (cursor.at <= end) return body
  throw new WireError(`it is truncated: field ${tag >>> 3} wants ${cursor.at - body} bytes, ${end - body} are left`)
}

function skipGroup(cursor: Cursor, number: number, end: number, depth: number): void {
  if (depth > maxDepth) throw new WireError(`its groups nest deeper than ${maxDepth}`)
  for (;;) {
    readTag(cursor, end)
    const tag = cursor.low
    if ((tag & 7) === wires.groupEnd && tag >>> 3 === number) return
    skipBody(cursor, tag, end, depth)
  }
}

/** Messages may nest this deep, which is fifteen subgraphs: a guard against stack overflow by a made-up file. */
export const maxDepth = 64

/**
 * The records of one message, in order.
 *
 * @throws WireError
 */
export function readRecords(bytes: Uint8Array): WireRecord[] {
  const cursor = new Cursor(bytes)
  const end = bytes.length
  const records: WireRecord[] = []
  while (cursor.at < end) {
    const start = cursor.at
    readTag(cursor, end)
    const tag = cursor.low
    const body = skipBody(cursor, tag, end, 0)
    records.push({ number: tag >>> 3, wire: tag & 7, start, body, end: cursor.at })
  }
  return records
}

/** Bytes in the making: a list of pieces, of which neighbours in memory are one. Nothing is copied before `join`. */
export class Pieces {
  readonly list: Uint8Array[] = []
  length = 0

  /** Appends a view. */
  push(piece: Uint8Array): void {
    if (piece.length === 0) return
    this.length += piece.length
    const last = this.list.at(-1)
    if (last !== undefined && last.buffer === piece.buffer && last.byteOffset + last.length === piece.byteOffset) {
      this.list[this.list.length - 1] = new Uint8Array(last.buffer, last.byteOffset, last.length + piece.length)
    } else this.list.push(piece)
  }

  /** Appends all of another. */
  append(other: Pieces): void {
    for (const piece of other.list) this.push(piece)
  }

  /** Appends a varint of a number from 0 to 2^53. */
  varint(value: number): void {
    const scratch = takeScratch(10)
    let at = 0
    let rest = value
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) scratch[at++] = (rest % 0x80) | 0x80
    scratch[at++] = rest
    this.keep(at)
  }

  /** Appends a varint of the 64 bits of a bigint. */
  varint64(value: bigint): void {
    if (value >= 0n && value < 0x20_0000_0000_0000n) return this.varint(Number(value))
    const scratch = takeScratch(10)
    let at = 0
    let rest = BigInt.asUintN(64, value)
    for (; rest >= 0x80n; rest >>= 7n) scratch[at++] = Number(rest & 0x7fn) | 0x80
    scratch[at++] = Number(rest)
    this.keep(at)
  }

  /** Appends a tag. */
  tag(number: number, wire: number): void {
    this.varint(number * 8 + wire)
  }

  /** Appends a length-delimited record of a field. */
  record(number: number, body: Pieces | Uint8Array): void {
    this.tag(number, wires.bytes)
    this.varint(body.length)
    if (body instanceof Pieces) this.append(body)
    else this.push(body)
  }

  /** Appends text as UTF-8, without a length. */
  static text(value: string): Uint8Array {
    const length = Buffer.byteLength(value)
    if (length > 1024) return Buffer.from(value)
    const scratch = takeScratch(length)
    scratch.write(value)
    return keepScratch(length)
  }

  /** All of it as one array: the only copy that is made. */
  join(): Uint8Array {
    return Buffer.concat(this.list, this.length)
  }

  private keep(length: number): void {
    this.push(keepScratch(length))
  }
}

// Small writes lie side by side in one block, so that most of a new message becomes a single piece.
let block = Buffer.alloc(0)
let blockUsed = 0

function takeScratch(length: number): Buffer {
  if (blockUsed + length > block.length) {
    block = Buffer.allocUnsafeSlow(65_536)
    blockUsed = 0
  }
  return block.subarray(blockUsed)
}

function keepScratch(length: number): Buffer {
  const kept = block.subarray(blockUsed, blockUsed + length)
  blockUsed += length
  return kept
}
