/**
 * Decodes the bytes of a message into an object, by the field tables.
 *
 * Each object remembers the bytes that it came from (`originOf`), so that `encode.ts` can give back what was not
 * changed. Bytes and raw weights are views into the file; numbers are converted. Text that is not UTF-8 shows U+FFFD,
 * and keeps its bytes.
 */
import { fieldsByNumber, fieldsOf, isMessage, type Field, type MessageName, type Numeric } from './fields.ts'
import { Cursor, WireError, maxDepth, readRecords, wires, type WireRecord } from '../protobuf.ts'

/** A message whose fields are looked up by name, and the records that no table knows. */
export type Loose = Record<string, unknown> & { unknown?: Uint8Array[] }
/** A list of numbers as it is built: bigints for 64-bit integers. */
export type NumberList = number[] | bigint[]
/** A packed list of numbers, as one typed array. */
export type PackedArray = Float32Array | Float64Array | Int32Array | BigInt64Array | BigUint64Array

const origins = new WeakMap<object, Uint8Array>()

/** The bytes that a message was decoded from; undefined for one made here, or for a copy of one. */
export const originOf = (message: object): Uint8Array | undefined => origins.get(message)

/** Which wire type each kind of number has. */
export const wireOf: Record<Numeric, number> = {
  int32: wires.varint,
  int64: wires.varint,
  uint64: wires.varint,
  version: wires.varint,
  float: wires.fixed32,
  double: wires.fixed64,
}

const packedArrays = {
  float: Float32Array,
  double: Float64Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
}

/**
 * The records of a message by field number; unknown ones under 0.
 *
 * @throws WireError, also for a wrong wire type
 */
export function groupRecords(type: MessageName, records: readonly WireRecord[]): Map<number, WireRecord[]> {
  const known = fieldsByNumber[type]
  const groups = new Map<number, WireRecord[]>()
  for (const record of records) {
    const field = known.get(record.number)
    if (field !== undefined) checkWire(type, field, record)
    const key = field === undefined ? 0 : record.number
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [record])
    else group.push(record)
  }
  return groups
}

function checkWire(type: MessageName, field: Field, { wire, start }: WireRecord): void {
  const wanted = wireOf[field.kind as Numeric] ?? wires.bytes
  const asBlock = wire === wires.bytes && field.mode !== 'one'
  if (wire !== wanted && !asBlock) {
    throw new WireError(
      `${type}.${field.name} has wire type ${wire} where ${wanted} belongs, at byte ${start} of the message`,
    )
  }
}

/**
 * A message from its bytes. `depth` counts the messages around it.
 *
 * @throws WireError
 */
export function decodeMessage(type: MessageName, bytes: Uint8Array, depth = 0): Loose {
  if (depth > maxDepth) throw new WireError(`its messages nest deeper than ${maxDepth}`)
  const message: Loose = {}
  for (const { name, mode } of fieldsOf[type]) {
    if (mode === 'name') message[name] = ''
    else if (mode === 'list') message[name] = []
  }
  for (const [number, records] of groupRecords(type, readRecords(bytes))) {
    const field = fieldsByNumber[type].get(number)
    if (field === undefined) message.unknown = records.map(({ start, end }) => bytes.subarray(start, end))
    else message[field.name] = decodeField(field, records, bytes, depth)
  }
  origins.set(message, bytes)
  return message
}

/**
 * The value of a field from all its records, of which there is at least one.
 *
 * @throws WireError
 */
export function decodeField(field: Field, records: readonly WireRecord[], bytes: Uint8Array, depth: number): unknown {
  const { kind, mode } = field
  const single = mode === 'one' || mode === 'name'
  if (isMessage(kind)) {
    // A message that lies in several records is their sum: protobuf merges by concatenation.
    if (single) return decodeMessage(kind, joinBodies(records, bytes), depth + 1)
    return records.map(({ body, end }) => decodeMessage(kind, bytes.subarray(body, end), depth + 1))
  }
  if (kind === 'string' || kind === 'bytes') {
    const elements = (single ? records.slice(-1) : records).map(record => decodeText(kind, record, bytes))
    return single ? elements[0] : elements
  }
  if (mode === 'packed') return decodePacked(kind, records, bytes)
  const numbers = decodeNumbers(kind, single ? records.slice(-1) : records, bytes)
  return single ? numbers[0] : numbers
}

/** The body of one record, or those of several as one. */
export function joinBodies(records: readonly WireRecord[], bytes: Uint8Array): Uint8Array {
  const bodies = records.map(({ body, end }) => bytes.subarray(body, end))
  return bodies.length === 1 ? bodies[0]! : Buffer.concat(bodies)
}

/** One text or bytes element. */
export function decodeText(
  kind: 'string' | 'bytes',
  { body, end }: WireRecord,
  bytes: Uint8Array,
): string | Uint8Array {
  const view = bytes.subarray(body, end)
  return kind === 'bytes' ? view : Buffer.from(view.buffer, view.byteOffset, view.length).toString('utf8')
}

/**
 * Calls `take` at each number of a field, which lie in records of one and in blocks of many.
 *
 * @throws WireError
 */
function eachNumber(
  kind: Numeric,
  records: readonly WireRecord[],
  bytes: Uint8Array,
  take: (cursor: Cursor) => void,
): void {
  const wire = wireOf[kind]
  const width = wire === wires.fixed32 ? 4 : 8
  const cursor = new Cursor(bytes)
  for (const { body, end } of records) {
    cursor.at = body
    if (wire !== wires.varint && (end - body) % width !== 0) {
      throw new WireError(`it holds a block of ${end - body} bytes for numbers of ${width}`)
    }
    while (cursor.at < end) {
      if (wire === wires.varint) cursor.varint(end)
      take(cursor)
      if (wire !== wires.varint) cursor.at += width
    }
  }
}

function decodeNumbers(kind: Numeric, records: readonly WireRecord[], bytes: Uint8Array): NumberList {
  const numbers: (number | bigint)[] = []
  eachNumber(kind, records, bytes, cursor => numbers.push(numberAt(kind, cursor)))
  return numbers as NumberList
}

function numberAt(kind: Numeric, cursor: Cursor): number | bigint {
  if (kind === 'int32') return cursor.low | 0
  if (kind === 'int64') return cursor.int64
  if (kind === 'uint64') return cursor.uint64
  if (kind === 'version') return Number(cursor.int64)
  const view = new DataView(cursor.bytes.buffer, cursor.bytes.byteOffset + cursor.at)
  return kind === 'float' ? view.getFloat32(0, true) : view.getFloat64(0, true)
}

function decodePacked(kind: Numeric, records: readonly WireRecord[], bytes: Uint8Array): PackedArray {
  const Packed = packedArrays[kind as keyof typeof packedArrays]
  if (kind === 'float' || kind === 'double') {
    const bits = Uint8Array.from(joinBodies(records, bytes))
    if (bits.length % Packed.BYTES_PER_ELEMENT !== 0) {
      throw new WireError(`it holds a block of ${bits.length} bytes for numbers of ${Packed.BYTES_PER_ELEMENT}`)
    }
    return new Packed(bits.buffer)
  }
  let count = 0
  eachNumber(kind, records, bytes, () => {
    count++
  })
  const numbers = new Packed(count)
  let i = 0
  if (numbers instanceof Int32Array)
    eachNumber(kind, records, bytes, ({ low }) => {
      numbers[i++] = low
    })
  else if (numbers instanceof BigInt64Array)
    eachNumber(kind, records, bytes, ({ int64 }) => {
      numbers[i++] = int64
    })
  else if (numbers instanceof BigUint64Array)
    eachNumber(kind, records, bytes, ({ uint64 }) => {
      numbers[i++] = uint64
    })
  return numbers
}
