/**
 * Reads a pickle without running it: plain values, containers, and the few calls that its reader names.
 *
 * A pickle is a program for a stack machine that may import and call anything. Here an import gives a name and nothing
 * else, and a call is looked up in a table that the caller hands in; every other name, opcode or persistent object is
 * refused. Protocols 2 to 5, which are the binary ones. Source: paper: Python's pickletools.py, the list of opcodes.
 */
import { PickleCursor } from './pickle-cursor.ts'
import { checkTree, PickleName, type PickleValue } from './pickle-value.ts'

/** What a pickle may call and refer to. */
export interface PickleTable<T> {
  /** Calls by path: each takes the arguments and gives a value. */
  readonly calls: Readonly<Record<string, (args: readonly PickleValue<T>[]) => PickleValue<T>>>
  /** Imports that may stand as values, such as a storage's type. */
  readonly isPlainName: (path: string) => boolean
  /** A reference to something outside the pickle. */
  readonly persistent: (id: PickleValue<T>) => PickleValue<T>
}

const valuesMax = 50_000_000

/**
 * Read one pickle.
 * @param thing the name in messages
 * @throws RunbookError usage when it is cut short, uses an opcode or a name that is not allowed, or contains itself
 */
export function readPickle<T>(bytes: Uint8Array, table: PickleTable<T>, thing = 'pickle'): PickleValue<T> {
  return new Machine(bytes, table, thing).run()
}

const mark = Symbol('mark')
type Slot<T> = PickleValue<T> | typeof mark

class Machine<T> {
  readonly #cursor: PickleCursor
  readonly #table: PickleTable<T>
  readonly #stack: Slot<T>[] = []
  readonly #memo = new Map<number, PickleValue<T>>()
  #steps = 0

  constructor(bytes: Uint8Array, table: PickleTable<T>, thing: string) {
    this.#cursor = new PickleCursor(bytes, thing)
    this.#table = table
  }

  run(): PickleValue<T> {
    for (;;) {
      const code = this.#cursor.size(1)
      if (code === 0x2e) return this.#finish()
      if (++this.#steps > valuesMax) throw this.#cursor.refusal('it holds too many values')
      const constant = this.#cursor.constant(code)
      if (constant !== undefined) this.#push(constant)
      else if (!(this.#container(code) || this.#memory(code) || this.#object(code)))
        throw this.#cursor.refusal(
          `byte ${this.#cursor.at - 1} is the opcode 0x${code.toString(16)}, which is not read here`,
        )
    }
  }

  #finish(): PickleValue<T> {
    const [value, ...rest] = this.#stack
    if (value === undefined || value === mark || rest.length > 0)
      throw this.#cursor.refusal('it ends with no single value')
    checkTree(value, () => this.#cursor.refusal('it contains itself'))
    return value
  }

  #push(value: Slot<T>): true {
    this.#stack.push(value)
    return true
  }

  #pop(): PickleValue<T> {
    const value = this.#stack.pop()
    if (value === undefined || value === mark)
      throw this.#cursor.refusal(`byte ${this.#cursor.at - 1} takes from an empty stack`)
    return value
  }

  #top(): PickleValue<T> {
    const value = this.#pop()
    this.#stack.push(value)
    return value
  }

  #popMark(): PickleValue<T>[] {
    const at = this.#stack.lastIndexOf(mark)
    if (at < 0) throw this.#cursor.refusal(`byte ${this.#cursor.at - 1} looks for a mark, and there is none`)
    const values = this.#stack.splice(at)
    return values.slice(1) as PickleValue<T>[]
  }

  #container(code: number): boolean {
    switch (code) {
      case 0x7d:
        return this.#push(new Map())
      case 0x5d:
      case 0x29:
        return this.#push([])
      case 0x8f:
        return this.#push(new Set())
      case 0x74:
        return this.#push(this.#popMark())
      case 0x85:
      case 0x86:
      case 0x87: {
        const values = Array.from({ length: code - 0x84 }, () => this.#pop())
        return this.#push(values.toReversed())
      }
      case 0x61:
        return this.#append([this.#pop()])
      case 0x65:
        return this.#append(this.#popMark())
      case 0x90:
        return this.#add(this.#popMark())
      case 0x73: {
        const value = this.#pop()
        return this.#setItems([this.#pop(), value])
      }
      case 0x75:
        return this.#setItems(this.#popMark())
      default:
        return false
    }
  }

  #append(values: readonly PickleValue<T>[]): true {
    const list = this.#top()
    if (!Array.isArray(list))
      throw this.#cursor.refusal(`byte ${this.#cursor.at - 1} appends to something that is no list`)
    for (const value of values) list.push(value)
    return true
  }

  #add(values: readonly PickleValue<T>[]): true {
    const set = this.#top()
    if (!(set instanceof Set))
      throw this.#cursor.refusal(`byte ${this.#cursor.at - 1} adds to something that is no set`)
    for (const value of values) set.add(value)
    return true
  }

  #setItems(pairs: readonly PickleValue<T>[]): true {
    const map = this.#top()
    if (!(map instanceof Map) || pairs.length % 2 === 1)
      throw this.#cursor.refusal(`byte ${this.#cursor.at - 1} sets items of something that is no dictionary`)
    for (let i = 0; i < pairs.length; i += 2) map.set(pairs[i]!, pairs[i + 1]!)
    return true
  }

  #memory(code: number): boolean {
    switch (code) {
      case 0x80: {
        const protocol = this.#cursor.size(1)
        if (protocol < 2 || protocol > 5) throw this.#cursor.refusal(`it is a pickle of protocol ${protocol}`)
        return true
      }
      case 0x95:
        this.#cursor.take(8)
        return true
      case 0x28:
        return this.#push(mark)
      case 0x30:
        this.#stack.pop()
        return true
      case 0x31:
        this.#popMark()
        return true
      case 0x32:
        return this.#push(this.#top())
      case 0x71:
        this.#memo.set(this.#cursor.size(1), this.#top())
        return true
      case 0x72:
        this.#memo.set(this.#cursor.size(4), this.#top())
        return true
      case 0x94:
        this.#memo.set(this.#memo.size, this.#top())
        return true
      case 0x68:
        return this.#push(this.#recall(this.#cursor.size(1)))
      case 0x6a:
        return this.#push(this.#recall(this.#cursor.size(4)))
      default:
        return false
    }
  }

  #recall(key: number): PickleValue<T> {
    const value = this.#memo.get(key)
    if (value === undefined)
      throw this.#cursor.refusal(`byte ${this.#cursor.at - 1} recalls value ${key}, which was never kept`)
    return value
  }

  #object(code: number): boolean {
    switch (code) {
      case 0x63:
        return this.#push(this.#named(this.#cursor.line(), this.#cursor.line()))
      case 0x93: {
        const [name, module] = [this.#pop(), this.#pop()]
        if (typeof name !== 'string' || typeof module !== 'string')
          throw this.#cursor.refusal(`byte ${this.#cursor.at - 1} imports something that has no name`)
        return this.#push(this.#named(module, name))
      }
      case 0x52:
      case 0x81: {
        const [args, callee] = [this.#pop(), this.#pop()]
        if (!(callee instanceof PickleName) || !Array.isArray(args) || !Object.hasOwn(this.#table.calls, callee.path))
          throw this.#cursor.refusal(
            `it calls ${callee instanceof PickleName ? callee.path : 'something without a name'}`,
          )
        return this.#push(this.#table.calls[callee.path]!(args))
      }
      case 0x62: {
        // A state dictionary carries `_metadata` as an attribute; attributes of anything else are refused.
        const [state, target] = [this.#pop(), this.#top()]
        if (!(target instanceof Map) || !(state instanceof Map))
          throw this.#cursor.refusal('it sets attributes of an object')
        return true
      }
      case 0x51:
        return this.#push(this.#table.persistent(this.#pop()))
      default:
        return false
    }
  }

  #named(module: string, name: string): PickleName {
    const value = new PickleName(module, name)
    if (!Object.hasOwn(this.#table.calls, value.path) && !this.#table.isPlainName(value.path))
      throw this.#cursor.refusal(`it names ${value.path}, which is not read here`)
    return value
  }
}
