/**
 * The values that a pickle may hold once it is read, and the check that none contains itself.
 */
/** What a pickle may hold once read. Dictionaries are Maps, tuples and lists arrays; `T` is what the calls make. */
export type PickleValue<T> =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleName
  | T
  | PickleValue<T>[]
  | Map<PickleValue<T>, PickleValue<T>>
  | Set<PickleValue<T>>

/** An import: `module` and `name`, as the pickle wrote them. Nothing is imported. */
export class PickleName {
  readonly module: string
  readonly name: string

  constructor(module: string, name: string) {
    this.module = module
    this.name = name
  }

  /** `torch._utils._rebuild_tensor_v2` */
  get path(): string {
    return `${this.module}.${this.name}`
  }
}

/**
 * Refuse a container that holds itself: whoever walks it would never end.
 * @throws what `refusal` makes
 */
export function checkTree<T>(root: PickleValue<T>, refusal: () => Error): void {
  const done = new Set<object>()
  const open = new Set<object>()
  const pending: { value: PickleValue<T>; leaves: boolean }[] = [{ value: root, leaves: false }]
  while (pending.length > 0) {
    const { value, leaves } = pending.pop()!
    const children = childrenOf(value)
    if (children === undefined) continue
    const key = value as object
    if (leaves) {
      open.delete(key)
      done.add(key)
      continue
    }
    if (open.has(key)) throw refusal()
    if (done.has(key)) continue
    open.add(key)
    pending.push({ value, leaves: true })
    for (const child of children) pending.push({ value: child, leaves: false })
  }
}

function childrenOf<T>(value: PickleValue<T>): PickleValue<T>[] | undefined {
  if (Array.isArray(value)) return value
  if (value instanceof Map) return [...value].flat()
  return value instanceof Set ? [...value] : undefined
}
