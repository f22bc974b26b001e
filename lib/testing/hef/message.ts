/**
 * Writes messages of protobuf by the numbers of their fields, for HEFs that tests make.
 */
import { Pieces, wires } from '../../formats/protobuf.ts'

/**
 * What a field may be written from: whole numbers as varints, the rest by name. Absent and zero values are left out, as
 * in proto3.
 */
export type FieldValue =
  | number
  | bigint
  | boolean
  | string
  | Uint8Array
  | Pieces
  | undefined
  | { readonly float: number }
  | { readonly double: number }
  | { readonly doubles: readonly number[] }
  | { readonly always: number }
  | readonly (string | Pieces)[]

/** A message of fields by their numbers, in that order. `{ always: n }` writes a zero too. */
export function written(fields: Readonly<Record<number, FieldValue>>): Pieces {
  const out = new Pieces()
  for (const [key, value] of Object.entries(fields)) writeField(out, Number(key), value)
  return out
}

function writeField(out: Pieces, field: number, value: FieldValue): void {
  if (value === undefined || value === 0 || value === false || value === '') return
  if (Array.isArray(value))
    return value.forEach(item => out.record(field, typeof item === 'string' ? Pieces.text(item) : item))
  if (typeof value === 'string') return out.record(field, Pieces.text(value))
  if (value instanceof Uint8Array || value instanceof Pieces) return out.record(field, value)
  if (typeof value === 'object' && 'doubles' in value) return writeDoubles(out, field, value.doubles)
  if (typeof value === 'object' && ('float' in value || 'double' in value)) return writeFixed(out, field, value)
  out.tag(field, wires.varint)
  out.varint64(BigInt(typeof value === 'object' ? (value as { always: number }).always : value))
}

function writeDoubles(out: Pieces, field: number, values: readonly number[]): void {
  if (values.length > 0) out.record(field, new Uint8Array(Float64Array.from(values).buffer))
}

function writeFixed(out: Pieces, field: number, value: { float: number } | { double: number }): void {
  const array = 'float' in value ? Float32Array.of(value.float) : Float64Array.of(value.double)
  if (Object.is(array[0], 0)) return
  out.tag(field, 'float' in value ? wires.fixed32 : wires.fixed64)
  out.push(new Uint8Array(array.buffer))
}
