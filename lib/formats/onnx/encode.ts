/**
 * Encodes an object as bytes; what was not changed is written exactly as it lay in the file.
 *
 * A message that came from a file is written record by record in the file's order: each record is decoded again and
 * compared with what the object now says; equal ones are copied as they are (with their odd encodings), others are
 * written anew. What the file did not have follows in the order of the numbers, as does every field of a new message.
 */
import { fieldsOf, isMessage, type Field, type MessageName, type Numeric } from './fields.ts'
import {
  decodeField,
  decodeText,
  groupRecords,
  joinBodies,
  originOf,
  wireOf,
  type Loose,
  type NumberList,
  type PackedArray,
} from './decode.ts'
import { Pieces, WireError, maxDepth, readRecords, wires, type WireRecord } from '../protobuf.ts'

const noBytes = new Uint8Array(0)

/**
 * The bytes of a message, as pieces.
 *
 * @throws WireError when messages nest too deep (or in a circle)
 */
export function encodeMessage(type: MessageName, message: Loose, depth = 0): Pieces {
  if (depth > maxDepth) throw new WireError(`its messages nest deeper than ${maxDepth}`)
  const origin = originOf(message) ?? noBytes
  const records = readRecords(origin)
  const groups = groupRecords(type, records)
  const slots = new Map<WireRecord, Pieces>()
  const rest: Pieces[] = []
  for (const field of fieldsOf[type]) {
    const group = groups.get(field.number) ?? noRecords
    fill(encodeField(field, message[field.name], { group, origin, depth }), group, slots, rest)
  }
  const unknown = groups.get(0) ?? noRecords
  fill(
    share(message.unknown ?? [], unknown, (raw, _record, out) => out.push(raw)),
    unknown,
    slots,
    rest,
  )
  const out = new Pieces()
  for (const record of records) {
    const piece = slots.get(record)
    if (piece !== undefined) out.append(piece)
  }
  for (const piece of rest) out.append(piece)
  return out
}

/** Puts each piece where its record lay, and those without one at the end. */
function fill(
  pieces: readonly Pieces[],
  group: readonly WireRecord[],
  slots: Map<WireRecord, Pieces>,
  rest: Pieces[],
): void {
  for (const [i, piece] of pieces.entries()) {
    const record = group[i]
    if (record === undefined) rest.push(piece)
    else slots.set(record, piece)
  }
}

const noRecords: readonly WireRecord[] = []

interface Place {
  readonly group: readonly WireRecord[]
  readonly origin: Uint8Array
  readonly depth: number
}

/** The pieces of a field: one for each of its records in the file, or a single one when it has none there. */
function encodeField(field: Field, value: unknown, place: Place): readonly Pieces[] {
  const { kind, mode } = field
  const { group, origin } = place
  const single = mode === 'one' || mode === 'name'
  if (group.length === 0 && (value === undefined || (mode === 'name' && value === ''))) return []
  if (!isMessage(kind) && kind !== 'string' && kind !== 'bytes') return encodeNumbers(field, kind, value, place)
  const elements = single ? (value === undefined ? [] : [value]) : ((value as unknown[] | undefined) ?? [])
  if (single && group.length > 1) return encodeSplit(field, elements, place)
  if (isMessage(kind)) {
    return share(elements, group, (element, record, out) => {
      pushBody(out, field.number, encodeMessage(kind, element as Loose, place.depth + 1), record, origin)
    })
  }
  return share(elements, group, (element, record, out) => {
    if (record !== undefined && sameText(element, decodeText(kind, record, origin)))
      return out.push(asIs(record, origin))
    out.record(field.number, typeof element === 'string' ? Pieces.text(element) : (element as Uint8Array))
  })
}

/** Hands the elements out to the slots in order: one each, and all that are left to the last one. */
function share<T>(
  elements: readonly T[],
  group: readonly WireRecord[],
  write: (element: T, record: WireRecord | undefined, out: Pieces) => void,
): Pieces[] {
  if (elements.length === 0 && group.length === 0) return []
  const pieces = Array.from({ length: Math.max(1, group.length) }, () => new Pieces())
  for (const [i, element] of elements.entries()) write(element, group[i], pieces[Math.min(i, pieces.length - 1)]!)
  return pieces
}

const asIs = ({ start, end }: WireRecord, origin: Uint8Array) => origin.subarray(start, end)

const sameBytes = (a: Uint8Array, b: Uint8Array) =>
  a.length === b.length && ((a.buffer === b.buffer && a.byteOffset === b.byteOffset) || Buffer.compare(a, b) === 0)

const sameText = (a: unknown, b: string | Uint8Array) =>
  typeof b === 'string' ? a === b : a instanceof Uint8Array && sameBytes(a, b)

/** A nested message; the record's own tag and length stay when they still fit, since a writer may have padded them. */
function pushBody(out: Pieces, number: number, body: Pieces, record: WireRecord | undefined, origin: Uint8Array): void {
  if (record === undefined || record.end - record.body !== body.length) return out.record(number, body)
  out.push(origin.subarray(record.start, record.body))
  out.append(body)
}

/**
 * A single value that the file holds in several records (the last one counts, messages add up): all as they are, or one
 * new.
 */
function encodeSplit(field: Field, elements: readonly unknown[], { group, origin, depth }: Place): Pieces[] {
  const { kind } = field
  if (elements.length === 0) return []
  const last = group.at(-1)!
  const asFresh = new Pieces()
  let same: boolean
  if (isMessage(kind)) {
    const body = encodeMessage(kind, elements[0] as Loose, depth + 1).join()
    same = sameBytes(body, joinBodies(group, origin))
    asFresh.record(field.number, body)
  } else {
    same = sameText(elements[0], decodeText(kind as 'string' | 'bytes', last, origin))
    asFresh.record(
      field.number,
      typeof elements[0] === 'string' ? Pieces.text(elements[0]) : (elements[0] as Uint8Array),
    )
  }
  return same ? keepAll(group, origin) : [asFresh]
}

function keepAll(group: readonly WireRecord[], origin: Uint8Array): Pieces[] {
  return share(group, group, (record, _slot, out) => out.push(asIs(record, origin)))
}

function encodeNumbers(field: Field, kind: Numeric, value: unknown, { group, origin, depth }: Place): Pieces[] {
  const values = (value === undefined ? [] : field.mode === 'one' ? [value] : value) as NumberList | PackedArray
  if (group.length > 0) {
    const before = decodeField(field, group, origin, depth)
    if (sameNumbers(values, (field.mode === 'one' ? [before] : before) as NumberList | PackedArray))
      return keepAll(group, origin)
  }
  const out = new Pieces()
  const asBlock = group.length > 0 ? group[0]!.wire === wires.bytes : field.mode === 'packed'
  if (asBlock && values.length > 0) out.record(field.number, encodeBlock(kind, values))
  else {
    for (const number of values) {
      out.tag(field.number, wireOf[kind])
      out.append(encodeBlock(kind, [number] as NumberList))
    }
  }
  return [out]
}

function sameNumbers(a: NumberList | PackedArray, b: NumberList | PackedArray): boolean {
  if (a.length !== b.length) return false
  // Bits decide for typed arrays, so that a NaN that was changed for another NaN counts as changed.
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) return sameBytes(bytesOf(a), bytesOf(b))
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false
  return true
}

const bytesOf = (view: ArrayBufferView) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

/**
 * Numbers side by side without tags.
 *
 * @throws RangeError when a number does not fit its kind
 */
function encodeBlock(kind: Numeric, values: NumberList | PackedArray): Pieces {
  const out = new Pieces()
  if (kind === 'float')
    out.push(bytesOf(values instanceof Float32Array ? values : Float32Array.from(values as number[])))
  else if (kind === 'double')
    out.push(bytesOf(values instanceof Float64Array ? values : Float64Array.from(values as number[])))
  else for (const value of values) out.varint64(BigInt(value))
  return out
}
