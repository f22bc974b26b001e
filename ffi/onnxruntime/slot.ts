/**
 * How does a model run again and again without making anything?
 *
 * A slot binds one buffer to each input and output once; a run is then one native call with three addresses that are
 * known already.
 * An output whose shape the model leaves open gets its buffer after the first run, which tells the shape.
 */
import { FfiError } from '../errors.ts'
import { koffi } from '../load.ts'
import { settled } from '../settled.ts'
import { checkStatus, created, type Attempt } from './api.ts'
import { described, elements, nativeTensor, type NativeTensor } from './elements.ts'
import type { Shared } from './runtime.ts'
import { tensorInfo, type OrtSession, type StreamInfo } from './session.ts'
import type { OrtFunctions, Out, Pointer, Status } from './table.ts'

/** What a slot is made for. */
export interface SlotOptions {
  /** Shapes of inputs whose shape the model leaves open. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>
  /**
   * Tensors to bind instead of new ones, by stream: an output of one slot may be an input of another, so that a state
   * is never copied.
   */
  readonly share?: Readonly<Record<string, NativeTensor>>
}

/**
 * Buffers bound to a session once, and run again and again. Outputs are views of native memory, until the slot is
 * closed.
 */
export class OrtSlot {
  readonly inputs: Readonly<Record<string, NativeTensor>>
  /** Fixed after open; an output of open shape is added by the first run. */
  readonly outputs: Readonly<Record<string, NativeTensor>>
  readonly #session: OrtSession
  readonly #shared: Shared
  readonly #pointer: Pointer
  readonly #binding: Pointer
  readonly #functions: OrtFunctions
  readonly #onClose: (slot: OrtSlot) => void
  readonly #values: Pointer[] = []
  readonly #bound: Record<'Input' | 'Output', Record<string, NativeTensor>> = { Input: {}, Output: {} }
  readonly #tensors: { readonly data: NativeTensor['data']; readonly bytes: number; readonly name: string }[] = []
  #pending: readonly StreamInfo[]
  #running: Promise<void> | undefined
  #closing: Promise<void> | undefined

  /** Made by `OrtSession.openSlot`. */
  constructor(o: {
    session: OrtSession
    pointer: Pointer
    shared: Shared
    options: SlotOptions
    onClose: (slot: OrtSlot) => void
  }) {
    this.#session = o.session
    this.#shared = o.shared
    this.#pointer = o.pointer
    this.#functions = o.shared.api.functions
    this.#onClose = o.onClose
    this.inputs = this.#bound.Input
    this.outputs = this.#bound.Output
    checkNames(o.session, o.options)
    const { shapes = {}, share = {} } = o.options
    const inputs = o.session.inputs.map(info => ({
      info,
      tensor: tensorFor(info, shapes[info.name], share[info.name], o.session.title),
    }))
    const outputs = o.session.outputs.map(info => {
      const isKnown = isFixed(info) || share[info.name]
      return { info, tensor: isKnown ? tensorFor(info, undefined, share[info.name], o.session.title) : undefined }
    })
    this.#pending = outputs.filter(({ tensor }) => !tensor).map(({ info }) => info)
    this.#binding = created(o.shared.api, this.#attempt('CreateIoBinding'), out =>
      this.#functions.CreateIoBinding(o.pointer, out),
    )
    try {
      for (const { info, tensor } of inputs) this.#bind('Input', info.name, tensor)
      for (const { info, tensor } of outputs) {
        if (tensor) this.#bind('Output', info.name, tensor)
        else
          this.#must(
            'BindOutputToDevice',
            this.#functions.BindOutputToDevice(this.#binding, info.name, o.shared.memory),
          )
      }
    } catch (thrown) {
      this.#release()
      throw thrown
    }
  }

  /**
   * Run on this thread: read the inputs' arrays, write the outputs'. Nothing is allocated once the outputs are known.
   * @throws FfiError `status` in the library's words; `usage` after close, while a run is under way, and when a buffer
   * was given away
   */
  run(): void {
    if (this.#closing || this.#running) throw this.#unready()
    this.#checkBuffers()
    const status = this.#functions.RunWithBinding(this.#pointer, null, this.#binding)
    if (status !== null) this.#must('RunWithBinding', status)
    if (this.#pending.length > 0) this.#settle()
  }

  /** Run on a worker thread; the arrays are not to be touched until then. Errors: as `run`. */
  runAsync(): Promise<void> {
    if (this.#closing || this.#running) return Promise.reject(this.#unready())
    return (this.#running = this.#runAside().finally(() => {
      this.#running = undefined
    }))
  }

  /**
   * Waits for a run that is under way, then lets go of everything native. The arrays stay readable. May be called
   * twice.
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#closeAfter(this.#running))
  }

  async #runAside(): Promise<void> {
    this.#checkBuffers()
    this.#must('RunWithBinding', await settled(this.#functions.RunWithBinding, this.#pointer, null, this.#binding))
    if (this.#pending.length > 0) this.#settle()
  }

  async #closeAfter(running: Promise<void> | undefined): Promise<void> {
    await running?.catch(() => {})
    this.#release()
    this.#onClose(this)
  }

  /** The binding before the values it points to. */
  #release(): void {
    this.#functions.ReleaseIoBinding(this.#binding)
    for (const value of this.#values.splice(0)) this.#functions.ReleaseValue(value)
  }

  #bind(side: 'Input' | 'Output', name: string, tensor: NativeTensor): void {
    const { api, memory } = this.#shared
    const { dtype, shape, data, address } = tensor
    const dims = BigInt64Array.from(shape, n => BigInt(n))
    const value = created(api, this.#attempt('CreateTensorWithDataAsOrtValue'), out =>
      this.#functions.CreateTensorWithDataAsOrtValue(
        memory,
        address,
        data.byteLength,
        dims,
        dims.length,
        elements[dtype].code,
        out,
      ),
    )
    this.#values.push(value)
    this.#must(`Bind${side}`, this.#functions[`Bind${side}`](this.#binding, name, value))
    this.#bound[side][name] = tensor
    this.#tensors.push({ data, bytes: data.byteLength, name })
  }

  /** After the first run: read the shapes that it gave, and bind buffers of those shapes with what it gave in them. */
  #settle(): void {
    const { api, allocator } = this.#shared
    const count = new BigUint64Array(1)
    const list = created(api, this.#attempt('GetBoundOutputValues'), out =>
      this.#functions.GetBoundOutputValues(this.#binding, allocator, out, count),
    )
    const values = koffi().decode(list, 'void *', Number(count[0])) as (Pointer | null)[]
    try {
      // Outputs were bound in the session's order, and are listed in the order in which they were bound.
      const pending = new Set(this.#pending)
      const found = this.#session.outputs
        .map((info, i) => ({ info, value: values[i] }))
        .filter(({ info }) => pending.has(info))
      for (const { info, value } of found) this.#bind('Output', info.name, this.#copyOf(info, value ?? null))
      this.#pending = []
    } finally {
      for (const value of values) if (value !== null) this.#functions.ReleaseValue(value)
      this.#must('AllocatorFree', this.#functions.AllocatorFree(allocator, list))
    }
  }

  #copyOf(info: StreamInfo, value: Pointer | null): NativeTensor {
    const { api } = this.#shared
    const act = `read "${info.name}" of ${this.#session.title}`
    if (value === null) throw new FfiError('status', `Cannot ${act}: the run gave nothing`, 'check the model')
    const shapeInfo = created(api, { call: 'GetTensorTypeAndShape', act }, out =>
      this.#functions.GetTensorTypeAndShape(value, out),
    )
    try {
      const { dtype, shape } = tensorInfo(api, shapeInfo, act)
      const tensor = nativeTensor(dtype, shape as readonly number[])
      const bytes = tensor.data.byteLength
      if (bytes === 0) return tensor
      const from: Out = [null]
      checkStatus(this.#functions, this.#functions.GetTensorMutableData(value, from), {
        call: 'GetTensorMutableData',
        act,
      })
      new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, bytes).set(
        koffi().decode(from[0], 'uint8_t', bytes) as Uint8Array,
      )
      return tensor
    } finally {
      this.#functions.ReleaseTensorTypeAndShapeInfo(shapeInfo)
    }
  }

  /** A buffer that went to another thread is not ours to write to. */
  #checkBuffers(): void {
    const tensors = this.#tensors
    for (let i = 0; i < tensors.length; i++) {
      const tensor = tensors[i]!
      if (tensor.data.byteLength === tensor.bytes) continue
      const state = `the buffer of "${tensor.name}" was transferred away`
      throw new FfiError('usage', `Cannot run ${this.#session.title}: ${state}`, 'copy the data instead')
    }
  }

  #unready(): FfiError {
    const state = this.#closing ? 'it was closed' : 'a run is under way in this slot'
    const hint = this.#closing ? 'open it again' : 'wait for it, or open another slot'
    return new FfiError('usage', `Cannot run ${this.#session.title}: ${state}`, hint)
  }

  #attempt(call: string): Attempt {
    return { call, act: `run ${this.#session.title}`, hint: 'check the numbers that are fed, and the model' }
  }

  #must(call: string, status: Status): void {
    if (status !== null) checkStatus(this.#functions, status, this.#attempt(call))
  }
}

/**
 * Whether the model says the shape. The library shows a stream of unknown rank as one of rank 0, so rank 0 waits for a
 * run as well.
 */
const isFixed = (info: StreamInfo) => info.shape.length > 0 && info.shape.every(n => typeof n === 'number')

const listed = (streams: readonly StreamInfo[]) =>
  streams.map(stream => `${stream.name} ${described(stream)}`).join(', ')

function checkNames(session: OrtSession, { shapes = {}, share = {} }: SlotOptions): void {
  const check = (names: readonly string[], streams: readonly StreamInfo[], what: string) => {
    const unknown = names.find(name => !streams.some(stream => stream.name === name))
    if (unknown === undefined) return
    throw new FfiError(
      'usage',
      `Cannot ${what} "${unknown}" of ${session.title}: it has ${listed(streams)}`,
      'check the name',
    )
  }
  check(Object.keys(shapes), session.inputs, 'give a shape to')
  check(Object.keys(share), [...session.inputs, ...session.outputs], 'share')
}

function tensorFor(
  info: StreamInfo,
  given: readonly number[] | undefined,
  shared: NativeTensor | undefined,
  title: string,
): NativeTensor {
  const shape = shared?.shape ?? given ?? info.shape
  const asked = described({ dtype: shared?.dtype ?? info.dtype, shape })
  const refuse = (state: string) =>
    new FfiError(
      'usage',
      `Cannot bind "${info.name}" of ${title} as ${asked}: ${state}`,
      'check the shape and the type',
    )
  const open = shape.find(n => typeof n === 'string')
  if (open !== undefined) throw refuse(`its dimension "${open}" is open, so its shape must be given`)
  const fits =
    shape.length === info.shape.length && info.shape.every((n, axis) => typeof n === 'string' || n === shape[axis])
  if (!fits || (shared && shared.dtype !== info.dtype)) throw refuse(`it takes ${described(info)}`)
  return shared ?? nativeTensor(info.dtype, shape as readonly number[])
}
