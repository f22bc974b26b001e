/**
 * Runs a model again and again on buffers of its own.
 *
 * A slot makes one buffer for each input and output and binds them once (`binding.ts`). An output whose shape the model
 * leaves open gets its buffer after the first run, which tells the shape, and another one when a later run gives
 * another shape.
 */
import { FfiError } from '../errors.ts'
import { OrtBinding, type BindingOwner } from './binding.ts'
import { described, nativeTensor, type NativeTensor } from './elements.ts'
import type { SessionFacts, StreamInfo } from './tensor-info.ts'

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
  /** Fixed after open; an output of open shape is added by the first run, and replaced when its shape changes. */
  readonly outputs: Readonly<Record<string, NativeTensor>>
  readonly #binding: OrtBinding
  readonly #settled: Record<string, NativeTensor> = {}
  /** Outputs of open shape. */
  readonly #open: readonly string[]
  #isSettled = false

  /** Made by `OrtSession.openSlot`, and closed by it when this throws. */
  constructor(owner: BindingOwner, options: SlotOptions) {
    const { session } = owner
    checkNames(session, options)
    const { shapes = {}, share = {} } = options
    const inputs = session.inputs.map(
      info => [info.name, tensorFor(info, shapes[info.name], share[info.name], session.title)] as const,
    )
    this.inputs = Object.fromEntries(inputs)
    this.outputs = this.#settled
    this.#open = session.outputs.filter(info => !isFixed(info) && !share[info.name]).map(({ name }) => name)
    const outputs = session.outputs.map(info => {
      const isOpen = this.#open.includes(info.name)
      return [info.name, isOpen ? undefined : tensorFor(info, undefined, share[info.name], session.title)] as const
    })
    this.#binding = new OrtBinding(owner)
    try {
      for (const [name, tensor] of inputs) this.#binding.setInput(name, tensor)
      for (const [name, tensor] of outputs) {
        this.#binding.setOutput(name, tensor)
        if (tensor) this.#settled[name] = tensor
      }
    } catch (thrown) {
      void this.#binding.close()
      throw thrown
    }
  }

  /**
   * Run on this thread: read the inputs' arrays, write the outputs'. Nothing is allocated once the outputs are known.
   *
   * @throws FfiError `status` in the library's words; `usage` after close, while a run is under way, and when a buffer
   *   was given away
   */
  run(): void {
    try {
      this.#binding.runSync()
    } catch (thrown) {
      if (!this.#unsettle(thrown)) throw thrown
      this.#binding.runSync()
    }
    this.#settle()
  }

  /**
   * Run on a worker thread; the arrays are not to be touched until then.
   *
   * @throws FfiError as `run`
   */
  async runAsync(): Promise<void> {
    await this.#binding.run().catch((thrown: unknown) => {
      if (!this.#unsettle(thrown)) throw thrown
      return this.#binding.run()
    })
    this.#settle()
  }

  /**
   * Waits for a run that is under way, then lets go of everything native. The arrays stay readable. May be called
   * twice.
   */
  close(): Promise<void> {
    return this.#binding.close()
  }

  /**
   * After a run that failed: leave the outputs of open shape to the library again, in case one of them has another
   * shape now. Says whether it is worth another try.
   */
  #unsettle(thrown: unknown): boolean {
    const isWorthIt = thrown instanceof FfiError && thrown.kind === 'status' && this.#open.length > 0 && this.#isSettled
    if (!isWorthIt) return false
    for (const name of this.#open) this.#binding.setOutput(name)
    this.#isSettled = false
    return true
  }

  /** After the first run: read the shapes that it gave, and bind buffers of those shapes with what it gave in them. */
  #settle(): void {
    if (this.#isSettled) return
    if (this.#open.length > 0) {
      const values = this.#binding.take(this.#open)
      try {
        for (const [i, name] of this.#open.entries()) {
          const { dtype, shape } = values[i]!
          const tensor = nativeTensor(dtype, shape)
          values[i]!.readInto(tensor.data)
          this.#binding.setOutput(name, tensor)
          this.#settled[name] = tensor
        }
      } finally {
        for (const value of values) value.release()
      }
    }
    this.#isSettled = true
  }
}

/**
 * Whether the model says the shape. The library shows a stream of unknown rank as one of rank 0, so rank 0 waits for a
 * run as well.
 */
const isFixed = (info: StreamInfo) => info.shape.length > 0 && info.shape.every(n => typeof n === 'number')

const listed = (streams: readonly StreamInfo[]) =>
  streams.map(stream => `${stream.name} ${described(stream)}`).join(', ')

function checkNames(session: SessionFacts, { shapes = {}, share = {} }: SlotOptions): void {
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
