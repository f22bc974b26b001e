/**
 * A tensor that ONNX Runtime made: an output whose shape is known only after a run.
 *
 * It can be bound as an input of the next run, of this session or of another one, and is not copied on its way.
 */
import { FfiError } from '../errors.ts'
import { koffi } from '../load.ts'
import { checkStatus, created, type OrtApi } from './api.ts'
import { described, elements, type ElementArray, type ElementType } from './elements.ts'
import { tensorInfo } from './tensor-info.ts'
import type { Out, Pointer } from './table.ts'

/** A tensor in the library's own memory. Release it: nothing else does before the process ends. */
export class OrtValue {
  readonly dtype: ElementType
  readonly shape: readonly number[]
  readonly #api: OrtApi
  readonly #act: string
  #pointer: Pointer | null

  /**
   * Takes the native value over, and releases it when its type is not carried here.
   *
   * @param o.act what is being done, to follow "Cannot" in an error
   * @throws FfiError `refused` for elements that are not numbers
   */
  constructor(o: { api: OrtApi; pointer: Pointer; act: string }) {
    this.#api = o.api
    this.#pointer = o.pointer
    this.#act = o.act
    const { functions } = o.api
    let info: Pointer | null = null
    try {
      info = created(o.api, { call: 'GetTensorTypeAndShape', act: o.act }, out =>
        functions.GetTensorTypeAndShape(o.pointer, out),
      )
      const { dtype, shape } = tensorInfo(o.api, info, o.act)
      this.dtype = dtype
      this.shape = shape as readonly number[]
    } catch (thrown) {
      this.release()
      throw thrown
    } finally {
      if (info !== null) functions.ReleaseTensorTypeAndShapeInfo(info)
    }
  }

  /**
   * Address of the native value.
   *
   * @throws FfiError `usage` after `release`
   */
  get pointer(): Pointer {
    if (this.#pointer !== null) return this.#pointer
    throw new FfiError('usage', `Cannot ${this.#act}: the value was released`, 'take it again after the next run')
  }

  /** How many numbers it holds. */
  get size(): number {
    return this.shape.reduce((product, n) => product * n, 1)
  }

  /**
   * The numbers, copied.
   *
   * @throws FfiError `usage` after `release`
   */
  read(): ElementArray {
    const target = new elements[this.dtype].array(this.size)
    this.readInto(target)
    return target
  }

  /**
   * Copy the numbers into an array of the same type and size.
   *
   * @throws FfiError `usage` when the array does not fit, and after `release`
   */
  readInto(target: ElementArray): void {
    if (!(target instanceof elements[this.dtype].array) || target.length !== this.size) {
      const state = `${target.constructor.name} of ${target.length} does not hold ${described(this)}`
      throw new FfiError('usage', `Cannot ${this.#act}: ${state}`, 'give an array of its type and size')
    }
    const { pointer } = this
    if (target.byteLength === 0) return
    const { functions } = this.#api
    const from: Out = [null]
    const attempt = { call: 'GetTensorMutableData', act: this.#act }
    checkStatus(functions, functions.GetTensorMutableData(pointer, from), attempt)
    // A view of the library's memory, which is let go of before that memory can be.
    const bytes = new Uint8Array(koffi().view(from[0], target.byteLength))
    new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(bytes)
  }

  /** Give the memory back, once every binding that it is bound to has let go of it. May be called twice. */
  release(): void {
    if (this.#pointer === null) return
    this.#api.functions.ReleaseValue(this.#pointer)
    this.#pointer = null
  }
}
