/**
 * Reads fields of a protobuf message by number.
 *
 * The HEF's schema is large and most of it is the device's own business, so there is no table of it: a reader asks for
 * the few fields that it needs, and what lies in the others is skipped, never decoded. As protobuf has it, an absent
 * field is zero, a field given twice counts as the last one, and a field of another wire type is unknown. Malformed
 * bytes are a WireError.
 */
import { Cursor, maxDepth, readRecords, WireError, wires, type WireRecord } from '../protobuf.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** One message, split into records once; bodies are decoded when they are asked for. */
export class Message {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #depth: number
  readonly #records = new Map<number, WireRecord[]>()

  constructor(bytes: Uint8Array, depth = 0) {
    if (depth > maxDepth) throw new WireError(`its messages nest deeper than ${maxDepth}`)
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#depth = depth
    for (const record of readRecords(bytes)) {
      const list = this.#records.get(record.number)
      if (list === undefined) this.#records.set(record.number, [record])
      else list.push(record)
    }
  }

  /** Whether the field is written at all. */
  has(field: number): boolean {
    return this.#records.has(field)
  }

  uint32(field: number): number {
    return this.#varint(field)?.low ?? 0
  }

  /** Exact below 2^53. */
  uint64(field: number): number {
    return this.#varint(field)?.unsigned ?? 0
  }

  flag(field: number): boolean {
    return this.uint64(field) !== 0
  }

  float(field: number): number {
    const record = this.#of(field, wires.fixed32).at(-1)
    return record === undefined ? 0 : this.#view.getFloat32(record.body, true)
  }

  double(field: number): number {
    const record = this.#of(field, wires.fixed64).at(-1)
    return record === undefined ? 0 : this.#view.getFloat64(record.body, true)
  }

  /** A repeated double, packed or not. */
  doubles(field: number): number[] {
    return this.#list(field).flatMap(({ wire, body, end }) => {
      if (wire !== wires.bytes && wire !== wires.fixed64) return []
      if ((end - body) % 8 !== 0)
        throw new WireError(`field ${field} takes ${end - body} bytes, which is no number of doubles`)
      return Array.from({ length: (end - body) / 8 }, (_, i) => this.#view.getFloat64(body + 8 * i, true))
    })
  }

  /** How many numbers a repeated varint field has, packed or not. */
  count(field: number): number {
    return this.#list(field).reduce((sum, { wire, body, end }) => {
      if (wire === wires.varint) return sum + 1
      return wire === wires.bytes ? sum + this.#bytes.subarray(body, end).filter(byte => byte < 0x80).length : sum
    }, 0)
  }

  /** A view, and a plain array whatever the message was read from. */
  bytes(field: number): Uint8Array | null {
    const record = this.#of(field, wires.bytes).at(-1)
    return record === undefined
      ? null
      : new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + record.body, record.end - record.body)
  }

  text(field: number): string {
    return this.texts(field).at(-1) ?? ''
  }

  texts(field: number): string[] {
    return this.#of(field, wires.bytes).map(({ body, end }) => {
      try {
        return utf8.decode(this.#bytes.subarray(body, end))
      } catch {
        throw new WireError(`field ${field} at byte ${body} is not UTF-8`)
      }
    })
  }

  /** The message in a field; an empty one when it is absent. Several are merged, as protobuf merges them. */
  message(field: number): Message {
    const bodies = this.#of(field, wires.bytes).map(({ body, end }) => this.#bytes.subarray(body, end))
    if (bodies.length === 0) return nothing
    return new Message(bodies.length === 1 ? bodies[0]! : new Uint8Array(Buffer.concat(bodies)), this.#depth + 1)
  }

  messages(field: number): Message[] {
    return this.#of(field, wires.bytes).map(
      ({ body, end }) => new Message(this.#bytes.subarray(body, end), this.#depth + 1),
    )
  }

  #list(field: number): readonly WireRecord[] {
    return this.#records.get(field) ?? []
  }

  #of(field: number, wire: number): WireRecord[] {
    return this.#list(field).filter(record => record.wire === wire)
  }

  #varint(field: number): Cursor | null {
    const record = this.#of(field, wires.varint).at(-1)
    if (record === undefined) return null
    const cursor = new Cursor(this.#bytes, record.body)
    cursor.varint(record.end)
    return cursor
  }
}

/** Most of what is asked for is absent: one empty message stands for all of that. */
const nothing = new Message(new Uint8Array(0))
