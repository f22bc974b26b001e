/**
 * Holds an open model, and says what it takes and gives.
 *
 * A session holds the native model and describes its streams; it runs through slots (`slot.ts`), of which there may be
 * several at once. It closes its slots before it is released.
 */
import { FfiError } from '../errors.ts'
import { koffi } from '../load.ts'
import { checkStatus, created, type OrtApi, type Shared } from './api.ts'
import { OrtBinding, type BindingOwner } from './binding.ts'
import { OrtSlot, type SlotOptions } from './slot.ts'
import { ort, type Pointer } from './table.ts'
import { plausible, tensorInfo, type StreamInfo } from './tensor-info.ts'

/** An open model. Its slots run it, each with buffers of its own. */
export class OrtSession {
  readonly inputs: readonly StreamInfo[]
  readonly outputs: readonly StreamInfo[]
  /** As errors name it. */
  readonly title: string
  readonly #shared: Shared
  readonly #pointer: Pointer
  readonly #onClose: (session: OrtSession) => void
  readonly #bindings = new Set<OrtBinding>()
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
   *
   * @throws FfiError `usage` after close, for a shape that is open or does not fit, and for a shared tensor that does
   *   not fit
   */
  openSlot(options: SlotOptions = {}): OrtSlot {
    this.#mustBeOpen()
    return new OrtSlot(this.#owner(), options)
  }

  /**
   * Nothing bound yet: every input and output is the caller's to bind. For loops whose tensors go round.
   *
   * @throws FfiError `usage` after close
   */
  openBinding(): OrtBinding {
    this.#mustBeOpen()
    return new OrtBinding(this.#owner())
  }

  #owner(): BindingOwner {
    const onOpen = (opened: OrtBinding) => this.#bindings.add(opened)
    const onClose = (closed: OrtBinding) => this.#bindings.delete(closed)
    return { session: this, pointer: this.#pointer, shared: this.#shared, onOpen, onClose }
  }

  #mustBeOpen(): void {
    if (this.#closing) throw new FfiError('usage', `Cannot run ${this.title}: it was closed`, 'open it again')
  }

  /** Waits for runs that are under way, closes the slots, and releases the model. May be called twice. */
  close(): Promise<void> {
    return (this.#closing ??= this.#closeAll())
  }

  async #closeAll(): Promise<void> {
    await Promise.all([...this.#bindings].map(binding => binding.close()))
    this.#shared.api.functions.ReleaseSession(this.#pointer)
    this.#onClose(this)
  }
}

/** More than any model has. */
const streamsMax = 1n << 16n

function streamsOf(shared: Shared, session: Pointer, side: 'Input' | 'Output', title: string): StreamInfo[] {
  const { api, allocator } = shared
  const { functions } = api
  const act = `read the ${side.toLowerCase()}s of ${title}`
  const count = new BigUint64Array(1)
  checkStatus(functions, functions[`SessionGet${side}Count`](session, count), { call: `SessionGet${side}Count`, act })
  return Array.from({ length: plausible(count[0]!, streamsMax, act) }, (_, index) => {
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
