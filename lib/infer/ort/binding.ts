/**
 * Hot loops on ONNX Runtime: tensors that stay bound from run to run, and states that go round without a copy.
 *
 * `openOrtC(path).openBinding()` makes one. Its arrays are written by the caller before a run and read after it.
 */
import type { OrtBinding } from '../../../ffi/onnxruntime/binding.ts'
import { nativeTensor, type ElementType, type NativeTensor } from '../../../ffi/onnxruntime/elements.ts'
import type { OrtValue } from '../../../ffi/onnxruntime/value.ts'
import { inferError } from './errors.ts'

/** A tensor in memory that JavaScript and ONNX Runtime share; `data` is the same array as long as it is used. */
export type BoundTensor = NativeTensor
/** A tensor that ONNX Runtime made in a run: `read()` copies it, `release()` gives it back. */
export type MadeTensor = OrtValue

/**
 * A tensor of zeros that may be bound.
 *
 * @throws RunbookError usage for a shape that is not whole numbers of 0 or more, or too large for one array
 */
export function boundTensor(dtype: ElementType, shape: readonly number[]): BoundTensor {
  return translated('make a tensor', () => nativeTensor(dtype, shape))
}

/**
 * Tensors bound to the streams of one open model.
 *
 * @example Two bindings that hand a state back and forth:
 * ```ts
 * import { GraphBuilder } from './lib/onnx/builder.ts'
 * import { modelFile } from './lib/testing/infer/fixtures.ts'
 * import { openOrtC } from './lib/infer/ort/c-api.ts'
 *
 * const graph = new GraphBuilder({ name: 'double' })
 * const state = graph.input('state', 'float32', [1])
 * graph.node('Add', [state, state], { output: 'next' })
 * graph.output('next', 'float32', [1])
 * await using model = await openOrtC(modelFile(graph.build()))
 * const [a, b] = [boundTensor('float32', [1]), boundTensor('float32', [1])]
 * const [ping, pong] = [model.openBinding(), model.openBinding()]
 * ping.setInput('state', a)
 * ping.setOutput('next', b)
 * pong.setInput('state', b)
 * pong.setOutput('next', a)
 * a.data[0] = 1
 * for (let i = 0; i < 3; i++) {
 *   ping.runSync()
 *   pong.runSync()
 * }
 * assert.equal(a.data[0], 64)
 * ```
 *
 * @example A cache that grows, which is never copied:
 * ```ts
 * import { GraphBuilder } from './lib/onnx/builder.ts'
 * import { modelFile } from './lib/testing/infer/fixtures.ts'
 * import { openOrtC } from './lib/infer/ort/c-api.ts'
 *
 * const graph = new GraphBuilder({ name: 'cache' })
 * const [past, token] = [graph.input('past', 'float32', ['n']), graph.input('token', 'float32', [1])]
 * graph.node('Concat', [past, token], { output: 'present', attributes: { axis: 0 } })
 * graph.output('present', 'float32', ['m'])
 * await using model = await openOrtC(modelFile(graph.build()))
 * const [step, next] = [model.openBinding(), boundTensor('float32', [1])]
 * step.setInput('past', boundTensor('float32', [0]))
 * step.setInput('token', next)
 * step.setOutput('present')
 * for (const value of [3, 4, 5]) {
 *   next.data[0] = value
 *   step.runSync()
 *   step.feedBack({ present: 'past' })
 * }
 * const [present] = step.take('present')
 * assert.deepEqual([...present!.read()], [3, 4, 5])
 * present!.release()
 * ```
 */
export class Binding implements AsyncDisposable {
  readonly #binding: OrtBinding
  readonly #path: string

  /** Made by `OrtCBackend.openBinding`. */
  constructor(binding: OrtBinding, path: string) {
    this.#binding = binding
    this.#path = path
  }

  /**
   * Bind a tensor to an input, in place of what was bound.
   *
   * @throws RunbookError usage for an unknown name, another type, a shape that does not fit, after close, during a run
   */
  setInput(name: string, tensor: BoundTensor | MadeTensor): void {
    translated(this.#path, () => this.#binding.setInput(name, tensor))
  }

  /**
   * Bind a tensor to an output, in place of what was bound; without one, each run makes a new one (`take`, `feedBack`).
   *
   * @throws RunbookError as `setInput`
   */
  setOutput(name: string, tensor?: BoundTensor): void {
    translated(this.#path, () => this.#binding.setOutput(name, tensor))
  }

  /**
   * Run on this thread. Allocates nothing in JavaScript.
   *
   * @throws RunbookError fail when the model cannot be computed; usage after close and during a run
   */
  runSync(): void {
    try {
      this.#binding.runSync()
    } catch (thrown) {
      throw inferError(this.#path, thrown)
    }
  }

  /**
   * Run on a worker thread; the arrays are not to be touched until then.
   *
   * @throws RunbookError as `runSync`
   */
  async run(): Promise<void> {
    try {
      await this.#binding.run()
    } catch (thrown) {
      throw inferError(this.#path, thrown)
    }
  }

  /**
   * What the last run made for these outputs; each is the caller's to release.
   *
   * @throws RunbookError usage before a run, and for an output that has a tensor of its own
   */
  take(...names: readonly string[]): MadeTensor[] {
    return translated(this.#path, () => this.#binding.take(names))
  }

  /**
   * Bind what the last run made for outputs as inputs of the next run, without a copy.
   *
   * @param inputByOutput names of inputs by the names of the outputs: `{ present: 'past' }`
   * @throws RunbookError as `take`, and usage for an unknown input
   */
  feedBack(inputByOutput: Readonly<Record<string, string>>): void {
    translated(this.#path, () => this.#binding.feedBack(inputByOutput))
  }

  /** Waits for a run that is under way, then lets go. The model closes its bindings, too. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#binding.close()
  }
}

function translated<T>(path: string, job: () => T): T {
  try {
    return job()
  } catch (thrown) {
    throw inferError(path, thrown)
  }
}
