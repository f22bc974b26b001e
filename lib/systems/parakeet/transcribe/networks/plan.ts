/**
 * Predictor and joint as TensorRT plans, for a loop that makes no object per step.
 *
 * State and outputs lie in pinned memory of the plans, which is copied from array to array; the device is waited for in
 * every step, because the next one depends on what was decided.
 */
import type { BackendOptions } from '../../../../infer/options.ts'
import { openPlanLoop, type PlanLoop } from '../../../../infer/tensorrt/loop.ts'
import type { TdtNetworks } from '../../../../speech/tdt/loop.ts'
import type { ModelFolder } from '../../model/folder.ts'
import type { ModelMeta } from '../../model/meta.ts'
import { rowsOf, type ChunkNetworks, type HeardFrames } from '../networks.ts'

/** The hot path on TensorRT. */
export class PlanNetworks implements ChunkNetworks, TdtNetworks {
  readonly #predictor: PlanLoop
  readonly #jointPlan: PlanLoop
  readonly #token: Int32Array
  readonly #past: readonly [Float32Array, Float32Array]
  readonly #next: readonly [Float32Array, Float32Array]
  readonly #g: Float32Array
  readonly #frame: Float32Array
  readonly #jointG: Float32Array
  readonly #logits: Float32Array
  readonly #blank: number
  #rows: Float32Array = new Float32Array(0)
  readonly loop: { readonly sync: TdtNetworks }

  private constructor(predictor: PlanLoop, joint: PlanLoop, meta: ModelMeta) {
    this.#predictor = predictor
    this.#jointPlan = joint
    this.#blank = meta.tokenizer.blank_id
    this.#token = lowWords(predictor)
    this.#past = [predictor.input('h', Float32Array), predictor.input('c', Float32Array)]
    this.#next = [predictor.output('h_out', Float32Array), predictor.output('c_out', Float32Array)]
    this.#g = predictor.output('g', Float32Array)
    this.#frame = joint.input('encoder', Float32Array).subarray(0, meta.encoder.d_model)
    this.#jointG = joint.input('g', Float32Array)
    this.#logits = joint.output('logits', Float32Array).subarray(0, meta.joint.joint_vocab_size)
    this.loop = { sync: this }
  }

  /**
   * Open the plans of a folder.
   * @throws RunbookError blocked when a file, a library or the device is absent; usage when a plan is none of these
   */
  static async open(
    folder: ModelFolder,
    meta: ModelMeta,
    { tensorrt }: Pick<BackendOptions, 'tensorrt'> = {},
  ): Promise<PlanNetworks> {
    const { pred_hidden: hidden, pred_rnn_layers: layers } = meta.predictor
    const state = [layers, 1, hidden]
    const predictor = await openPlanLoop(folder.files.get('predictor')!, { y: [1, 1], h: state, c: state }, tensorrt)
    try {
      const shapes = { encoder: [1, 1, meta.encoder.d_model], g: [1, 1, hidden] }
      const joint = await openPlanLoop(folder.files.get('joint')!, shapes, tensorrt)
      try {
        return new PlanNetworks(predictor, joint, meta)
      } catch (thrown) {
        await joint[Symbol.asyncDispose]()
        throw thrown
      }
    } catch (thrown) {
      await predictor[Symbol.asyncDispose]()
      throw thrown
    }
  }

  reset(): Promise<void> {
    for (const state of this.#next) state.fill(0)
    this.predict(this.#blank)
    return Promise.resolve()
  }

  hear(frames: HeardFrames): Promise<void> {
    this.#rows = rowsOf(frames).data
    return Promise.resolve()
  }

  joint(frame: number): Float32Array {
    const width = this.#frame.length
    const start = frame * width
    for (let i = 0; i < width; i++) this.#frame[i] = this.#rows[start + i]!
    this.#jointPlan.run()
    return this.#logits
  }

  predict(token: number): void {
    this.#token[0] = token
    this.#past[0].set(this.#next[0])
    this.#past[1].set(this.#next[1])
    this.#predictor.run()
    this.#jointG.set(this.#g)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#jointPlan[Symbol.asyncDispose]()
    await this.#predictor[Symbol.asyncDispose]()
  }
}

/** Where the token goes: the low half of an int64, which is written without a BigInt; the high half stays 0. */
function lowWords(predictor: PlanLoop): Int32Array {
  if (predictor.dtypeOf('y') !== 'int64') return predictor.input('y', Int32Array)
  const wide = predictor.input('y', BigInt64Array)
  wide.fill(0n)
  return new Int32Array(wide.buffer, wide.byteOffset, 2)
}
