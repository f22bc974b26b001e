/** Makes plain JSON values of whatever a runbook shows. */

/** The longest typed array that is written out. */
const writtenOut = 64

/** A value that JSON can say without loss of meaning; undefined for functions and symbols. */
export function jsonValue(value: unknown, above: readonly object[] = []): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString()
  if (typeof value === 'function' || typeof value === 'symbol') return undefined
  if (value === null || typeof value !== 'object') return value
  if (above.includes(value)) return '[circular]'
  const inside = [...above, value]
  if (ArrayBuffer.isView(value)) return typedArrayValue(value)
  if (Array.isArray(value)) return value.map(item => jsonValue(item, inside) ?? null)
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, item]) => [String(key), jsonValue(item, inside)]))
  if (value instanceof Set) return [...value].map(item => jsonValue(item, inside) ?? null)
  if (value instanceof Error) return { name: value.name, message: value.message }
  if ('toJSON' in value && typeof value.toJSON === 'function') return jsonValue(value.toJSON(), inside)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, jsonValue(item, inside)]))
}

function typedArrayValue(view: ArrayBufferView): unknown {
  if (view instanceof DataView) return `DataView(${view.byteLength})`
  const items = view as unknown as Iterable<unknown> & { readonly length: number }
  return items.length > writtenOut
    ? `${view.constructor.name}(${items.length})`
    : [...items].map(item => jsonValue(item))
}
