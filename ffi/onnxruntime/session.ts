/**
 * What does an open model take and give?
 *
 * A session holds the native model and describes its streams; it runs through slots (`slot.ts`), of which there may be
 * several at
 * once. It closes its slots before it is released.
 */
import { FfiError } from '../errors.ts'
import { koffi } from '../load.ts'
import { checkStatus, created, type OrtApi } from './api.ts'
import { elementTypeOf, type ElementType } from './elements.ts'
import type { Shared } from './runtime.ts'
import { OrtSlot, type SlotOptions } from './slot.ts'
import { ort, type Pointer } from './table.ts'

/** A stream of the model. A dimension that the model leaves open is its name, or `?` where it has none. */
export interface StreamInfo {
  readonly name: string
  readonly dtype: ElementType
  readonly shape: readonly (number | string)[]
}

/** An open model. Its slots run it, each with buffers of its own. */
export class OrtSession {
  readonly inputs: readonly StreamInfo[]
  readonly outputs: readonly StreamInfo[]
  /** As errors name it. */
  readonly title: string
  readonly #shared: Shared
  readonly #pointer: Pointer
  readonly #onClose: (session: OrtSession) => void
  readonly #slots = new Set<OrtSlot>()
  #closing: Promise<void> | undefined

  /**
   * Takes the native session over: when its streams cannot be carried it is released and an FfiError `refused` thrown.
   */
  constructor(o: { shared: Shared; pointer: Pointer; title: string; onClose: (session: OrtSession) => void }) {
    this.#shared = o.shared
    this.#pointer = o.pointer
    this.#onClose = o.onClose
    this.title = o.title
    try {
      this.inputs = streamsOf(o.shared, o.pointer, 'Input', o.title)
      this.outputs = streamsOf(o.shared, o.pointer, 'Output', o.title)
    } catch (thrown) {
      o.shared.api.functions.ReleaseSession(o.pointer)
      throw thrown
    }
  }

  get isOpen(): boolean {
    return this.#closing === undefined
  }

  /**
   * A set of buffers, bound once, through which the model runs. Slots of one session may run at the same time.
   * @throws FfiError `usage` after close, for a shape that is open or does not fit, and for a shared tensor that does
   * not fit
   */
  openSlot(options: SlotOptions = {}): OrtSlot {
    if (this.#closing) throw new FfiError('usage', `Cannot run ${this.title}: it was closed`, 'open it again')
    const onClose = (closed: OrtSlot) => this.#slots.delete(closed)
    const slot = new OrtSlot({ session: this, pointer: this.#pointer, shared: this.#shared, options, onClose })
    this.#slots.add(slot)
    return slot
  }

  /** Waits for runs that are under way, closes the slots, and releases the model. May be called twice. */
  close(): Promise<void> {
    return (this.#closing ??= this.#closeAll())
  }

  async #closeAll(): Promise<void> {
    await Promise.all([...this.#slots].map(slot => slot.close()))
    this.#shared.api.functions.ReleaseSession(this.#pointer)
    this.#onClose(this)
  }
}

function streamsOf(shared: Shared, session: Pointer, side: 'Input' | 'Output', title: string): StreamInfo[] {
  const { api, allocator } = shared
  const { functions } = api
  const act = `read the ${side.toLowerCase()}s of ${title}`
  const count = new BigUint64Array(1)
  checkStatus(functions, functions[`SessionGet${side}Count`](session, count), { call: `SessionGet${side}Count`, act })
  return Array.from({ length: Number(count[0]) }, (_, index) => {
    const nameCall = `SessionGet${side}Name` as const
    const text = created(api, { call: nameCall, act }, out => functions[nameCall](session, index, allocator, out))
    const name = koffi().decode.string(text)
    checkStatus(functions, functions.AllocatorFree(allocator, text), { call: 'AllocatorFree', act })
    const call = `SessionGet${side}TypeInfo` as const
    const info = created(api, { call, act }, out => functions[call](session, index, out))
    try {
      return { name, ...describedBy(api, info, `use "${name}" of ${title}`) }
    } finally {
      functions.ReleaseTypeInfo(info)
    }
  })
}

function describedBy(api: OrtApi, info: Pointer, act: string): Omit<StreamInfo, 'name'> {
  const { functions } = api
  const kind = new Int32Array(1)
  checkStatus(functions, functions.GetOnnxTypeFromTypeInfo(info, kind), { call: 'GetOnnxTypeFromTypeInfo', act })
  if (kind[0] !== ort.onnxTypeTensor)
    throw new FfiError('refused', `Cannot ${act}: it is not a tensor`, 'choose another model')
  // It belongs to `info` and is not released on its own.
  return tensorInfo(
    api,
    created(api, { call: 'CastTypeInfoToTensorInfo', act }, out => functions.CastTypeInfoToTensorInfo(info, out)),
    act,
  )
}

/** Type and shape from an `OrtTensorTypeAndShapeInfo`. Errors: FfiError `refused` for elements that are not numbers. */
export function tensorInfo({ functions }: OrtApi, info: Pointer, act: string): Omit<StreamInfo, 'name'> {
  const code = new Int32Array(1)
  const rank = new BigUint64Array(1)
  checkStatus(functions, functions.GetTensorElementType(info, code), { call: 'GetTensorElementType', act })
  const dtype = elementTypeOf(code[0]!)
  if (dtype === undefined) {
    const what = code[0] === 8 ? 'string' : `element type ${code[0]}`
    throw new FfiError('refused', `Cannot ${act}: it is a tensor of ${what}`, 'choose another model')
  }
  checkStatus(functions, functions.GetDimensionsCount(info, rank), { call: 'GetDimensionsCount', act })
  const dims = new BigInt64Array(Number(rank[0]))
  const names = new BigUint64Array(dims.length)
  if (dims.length > 0) {
    checkStatus(functions, functions.GetDimensions(info, dims, dims.length), { call: 'GetDimensions', act })
    checkStatus(functions, functions.GetSymbolicDimensions(info, names, dims.length), {
      call: 'GetSymbolicDimensions',
      act,
    })
  }
  const nameOf = (address: bigint) => (address === 0n ? '' : koffi().decode.string(address)) || '?'
  return { dtype, shape: [...dims].map((n, axis) => (n >= 0n ? Number(n) : nameOf(names[axis]!))) }
}
