/**
 * Runs a model on tensors that stay bound from run to run.
 *
 * Binding is done once, a run is one native call. Two bindings that share tensors the other way round hand a state back
 * and forth without a copy. An output that is left to the library gets new memory, of whatever shape, in each run and
 * can be bound as the next run's input: a cache that grows is never copied either.
 */
import { FfiError } from '../errors.ts'
import { koffi } from '../load.ts'
import { settled } from '../settled.ts'
import { checkStatus, created, type Attempt, type Shared } from './api.ts'
import { described, elements, type NativeTensor } from './elements.ts'
import type { OrtFunctions, Pointer, Status } from './table.ts'
import type { SessionFacts, StreamInfo } from './tensor-info.ts'
import { OrtValue } from './value.ts'

/** What a binding belongs to. */
export interface BindingOwner {
  readonly session: SessionFacts
  /** The native session. */
  readonly pointer: Pointer
  readonly shared: Shared
  readonly onOpen: (opened: OrtBinding) => void
  readonly onClose: (closed: OrtBinding) => void
}

/** Tensors bound to the streams of one session. Made by `OrtSession.openBinding`. */
export class OrtBinding {
  readonly #session: SessionFacts
  readonly #pointer: Pointer
  readonly #shared: Shared
  readonly #functions: OrtFunctions
  readonly #onClose: (binding: OrtBinding) => void
  readonly #binding: Pointer
  /** Tensors whose memory is JavaScript's, by stream: native code may write to them as long as they are bound. */
  readonly #inputs = new Map<string, NativeTensor | null>()
  readonly #outputs = new Map<string, NativeTensor | null>()
  /** The same tensors, so that a run need not walk the maps. */
  #kept: readonly { readonly name: string; readonly data: NativeTensor['data']; readonly bytes: number }[] = []
  /** Outputs that the library makes anew in each run. */
  #made: readonly string[] = []
  #hasRun = false
  #running: Promise<void> | undefined
  #closing: Promise<void> | undefined

  /** @throws FfiError `status` when the library makes no binding */
  constructor(o: BindingOwner) {
    this.#session = o.session
    this.#pointer = o.pointer
    this.#shared = o.shared
    this.#functions = o.shared.api.functions
    this.#onClose = o.onClose
    this.#binding = created(o.shared.api, this.#attempt('CreateIoBinding'), out =>
      this.#functions.CreateIoBinding(o.pointer, out),
    )
    o.onOpen(this)
  }

  /**
   * Bind a tensor to an input, in place of what was bound. The tensor's array is read in each run.
   *
   * @throws FfiError `usage` for an unknown name, another type, a shape that does not fit, after close, and during a
   *   run
   */
  setInput(name: string, tensor: NativeTensor | OrtValue): void {
    this.#mustBeIdle()
    mustFit(this.#streamOf('inputs', name), tensor, this.#session.title)
    if (tensor instanceof OrtValue) {
      this.#must('BindInput', this.#functions.BindInput(this.#binding, name, tensor.pointer))
      this.#inputs.set(name, null)
    } else {
      this.#withValue(tensor, value => this.#must('BindInput', this.#functions.BindInput(this.#binding, name, value)))
      this.#inputs.set(name, tensor)
    }
    this.#keep()
  }

  /**
   * Bind a tensor to an output, in place of what was bound; without one, each run makes a new one (`take`, `feedBack`).
   *
   * @throws FfiError as `setInput`
   */
  setOutput(name: string, tensor?: NativeTensor): void {
    this.#mustBeIdle()
    const info = this.#streamOf('outputs', name)
    if (tensor) {
      mustFit(info, tensor, this.#session.title)
      this.#withValue(tensor, value => this.#must('BindOutput', this.#functions.BindOutput(this.#binding, name, value)))
    } else this.#bindNew(name)
    this.#outputs.set(name, tensor ?? null)
    this.#made = [...this.#outputs].filter(([, bound]) => bound === null).map(([made]) => made)
    this.#hasRun = false
    this.#keep()
  }

  /**
   * Run on this thread: read the bound inputs, write the bound outputs. Allocates nothing in JavaScript.
   *
   * @throws FfiError `status` in the library's words; `usage` after close, during a run, and when a bound array was
   *   transferred to another thread
   */
  runSync(): void {
    this.#begin()
    const status = this.#functions.RunWithBinding(this.#pointer, null, this.#binding)
    if (status !== null) this.#must('RunWithBinding', status)
    this.#hasRun = true
  }

  /**
   * Run on a worker thread; the arrays are not to be touched until then.
   *
   * @throws FfiError as `runSync`
   */
  run(): Promise<void> {
    if (this.#closing || this.#running) return Promise.reject(this.#unready())
    return (this.#running = this.#runAside().finally(() => {
      this.#running = undefined
    }))
  }

  /**
   * What the last run made for these outputs, which must have been left to the library. Each value is the caller's to
   * release.
   *
   * @throws FfiError `usage` before a run, and for an output that has a tensor of its own
   */
  take(names: readonly string[]): OrtValue[] {
    return this.#withMade(names, values => {
      const taken: OrtValue[] = []
      try {
        for (const [i, name] of names.entries()) {
          const act = `read "${name}" of ${this.#session.title}`
          const pointer = values.get(name)
          if (pointer == null) throw new FfiError('status', `Cannot ${act}: the run gave nothing`, 'check the model')
          values.delete(name)
          taken[i] = new OrtValue({ api: this.#shared.api, pointer, act })
        }
      } catch (thrown) {
        for (const value of taken) value.release()
        throw thrown
      }
      return taken
    })
  }

  /**
   * Bind what the last run made for outputs as inputs of the next run.
   *
   * @param inputByOutput names of inputs by the names of the outputs: `{ present: 'past' }`
   * @throws FfiError as `take`, and as `setInput` where names or types do not fit
   */
  feedBack(inputByOutput: Readonly<Record<string, string>>): void {
    const names = Object.keys(inputByOutput)
    this.#withMade(names, values => {
      for (const output of names) {
        const input = inputByOutput[output]!
        this.#streamOf('inputs', input)
        const value = values.get(output)
        if (value == null)
          throw new FfiError('status', `Cannot feed "${output}" back: the run gave nothing`, 'check the model')
        this.#must('BindInput', this.#functions.BindInput(this.#binding, input, value))
        this.#inputs.set(input, null)
      }
      this.#keep()
    })
  }

  /** Waits for a run that is under way, then lets go of everything native. May be called twice. */
  close(): Promise<void> {
    return (this.#closing ??= this.#closeAfter(this.#running))
  }

  async #runAside(): Promise<void> {
    this.#begin()
    this.#must('RunWithBinding', await settled(this.#functions.RunWithBinding, this.#pointer, null, this.#binding))
    this.#hasRun = true
  }

  async #closeAfter(running: Promise<void> | undefined): Promise<void> {
    await running?.catch(() => {})
    this.#functions.ReleaseIoBinding(this.#binding)
    this.#onClose(this)
  }

  #begin(): void {
    this.#mustBeIdle()
    this.#mustBeWhole()
    // What the last run made is bound as if it had been given: without this the next run writes over it.
    if (this.#hasRun) for (let i = 0; i < this.#made.length; i++) this.#bindNew(this.#made[i]!)
    this.#hasRun = false
  }

  #bindNew(name: string): void {
    const { memory } = this.#shared
    this.#must('BindOutputToDevice', this.#functions.BindOutputToDevice(this.#binding, name, memory))
  }

  /** The binding keeps the native value, which is counted; only the memory that it points to is ours to keep. */
  #withValue({ dtype, shape, data, address }: NativeTensor, bind: (value: Pointer) => void): void {
    const { api, memory } = this.#shared
    const dims = BigInt64Array.from(shape, n => BigInt(n))
    const { code } = elements[dtype]
    const value = created(api, this.#attempt('CreateTensorWithDataAsOrtValue'), out =>
      this.#functions.CreateTensorWithDataAsOrtValue(memory, address, data.byteLength, dims, dims.length, code, out),
    )
    try {
      bind(value)
    } finally {
      this.#functions.ReleaseValue(value)
    }
  }

  /** Do something with what the last run made, by output; what `use` leaves in the map is released. */
  #withMade<T>(names: readonly string[], use: (values: Map<string, Pointer | null>) => T): T {
    this.#mustBeIdle()
    for (const name of names) {
      this.#streamOf('outputs', name)
      const state = this.#made.includes(name) ? (this.#hasRun ? null : 'no run came before') : 'it is bound to a tensor'
      if (state === null) continue
      const message = `Cannot take "${name}" of ${this.#session.title}: ${state}`
      throw new FfiError('usage', message, 'leave the output unbound and run first')
    }
    const { api, allocator } = this.#shared
    const count = new BigUint64Array(1)
    const list = created(api, this.#attempt('GetBoundOutputValues'), out =>
      this.#functions.GetBoundOutputValues(this.#binding, allocator, out, count),
    )
    const pointers = koffi().decode(list, 'void *', Number(count[0])) as (Pointer | null)[]
    // They are listed in the order in which the outputs were first bound.
    const values = new Map([...this.#outputs.keys()].map((name, i) => [name, pointers[i] ?? null]))
    try {
      return use(values)
    } finally {
      for (const value of values.values()) if (value !== null) this.#functions.ReleaseValue(value)
      this.#must('AllocatorFree', this.#functions.AllocatorFree(allocator, list))
    }
  }

  #streamOf(side: 'inputs' | 'outputs', name: string): StreamInfo {
    const info = this.#session[side].find(stream => stream.name === name)
    if (info) return info
    const listed = this.#session[side].map(stream => `${stream.name} ${described(stream)}`).join(', ')
    const message = `Cannot bind "${name}" of ${this.#session.title}: its ${side} are ${listed}`
    throw new FfiError('usage', message, 'check the name')
  }

  #keep(): void {
    this.#kept = [...this.#inputs, ...this.#outputs].flatMap(([name, tensor]) =>
      tensor === null ? [] : [{ name, data: tensor.data, bytes: tensor.data.byteLength }],
    )
  }

  /** A buffer that went to another thread is not ours to write to. */
  #mustBeWhole(): void {
    const kept = this.#kept
    for (let i = 0; i < kept.length; i++) {
      const { name, data, bytes } = kept[i]!
      if (data.byteLength === bytes) continue
      const state = `the buffer of "${name}" was transferred away`
      throw new FfiError('usage', `Cannot run ${this.#session.title}: ${state}`, 'copy the data instead')
    }
  }

  #mustBeIdle(): void {
    if (this.#closing || this.#running) throw this.#unready()
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

/** Refuses a tensor of another type than the stream's, or of a shape that does not fit, as FfiError `usage`. */
export function mustFit(
  info: StreamInfo,
  tensor: { readonly dtype: string; readonly shape: readonly number[] },
  title: string,
): void {
  const isFree = info.shape.length === 0
  const fits =
    isFree ||
    (tensor.shape.length === info.shape.length &&
      info.shape.every((n, axis) => typeof n === 'string' || n === tensor.shape[axis]))
  if (fits && tensor.dtype === info.dtype) return
  const message = `Cannot bind "${info.name}" of ${title} as ${described(tensor)}: it takes ${described(info)}`
  throw new FfiError('usage', message, 'check the shape and the type')
}
