/**
 * Predictor and joint bound to ONNX Runtime, for a loop that makes no object per step.
 *
 * Two bindings hand the predictor's state back and forth without a copy, the joint reads the predictor's output where
 * it lies, and the encoder's share of the joint is computed for a whole chunk at once.
 */
import { boundTensor, type Binding, type BoundTensor } from '../../../../infer/ort/binding.ts'
import { openOrtC, type OrtCBackend } from '../../../../infer/ort/c-api.ts'
import type { TdtNetworks } from '../../../../speech/tdt/loop.ts'
import type { ModelFolder } from '../../model/folder.ts'
import type { ModelMeta } from '../../model/meta.ts'
import { rowsOf, type ChunkNetworks, type HeardFrames } from '../networks.ts'

/** The hot path on ONNX Runtime. */
export class BoundNetworks implements ChunkNetworks, TdtNetworks {
  readonly #models: readonly OrtCBackend[]
  readonly #projection: OrtCBackend
  readonly #predict: readonly [Binding, Binding]
  readonly #joint: Binding
  readonly #tokenLow: Int32Array
  readonly #states: readonly BoundTensor[]
  readonly #projected: Float32Array
  readonly #rows: readonly Float32Array[]
  readonly #blank: number
  readonly #width: number
  #frames = new Float32Array(0)
  #count = 0
  #turn = 0
  #first = -1
  readonly loop: { readonly sync: TdtNetworks }

  private constructor(o: {
    models: readonly [OrtCBackend, OrtCBackend, OrtCBackend]
    meta: ModelMeta
    lookahead: number
  }) {
    const { pred_hidden: hidden, pred_rnn_layers: layers } = o.meta.predictor
    const [predictor, joint, projection] = o.models
    const outputs = o.meta.joint.joint_vocab_size
    this.#models = o.models
    this.#projection = projection
    this.#blank = o.meta.tokenizer.blank_id
    this.#width = o.meta.joint.joint_hidden
    const token = boundTensor('int64', [1, 1])
    this.#tokenLow = new Int32Array(token.data.buffer, token.data.byteOffset, 2)
    const g = boundTensor('float32', [1, 1, hidden])
    this.#states = Array.from({ length: 4 }, () => boundTensor('float32', [layers, 1, hidden]))
    const [h0, c0, h1, c1] = this.#states as [BoundTensor, BoundTensor, BoundTensor, BoundTensor]
    const bind = (h: BoundTensor, c: BoundTensor, nextH: BoundTensor, nextC: BoundTensor) => {
      const binding = predictor.openBinding()
      binding.setInput('y', token)
      binding.setInput('h', h)
      binding.setInput('c', c)
      binding.setOutput('g', g)
      binding.setOutput('h_out', nextH)
      binding.setOutput('c_out', nextC)
      return binding
    }
    this.#predict = [bind(h0, c0, h1, c1), bind(h1, c1, h0, c0)]
    const projected = boundTensor('float32', [o.lookahead, this.#width])
    const logits = boundTensor('float32', [o.lookahead, outputs])
    this.#joint = joint.openBinding()
    this.#joint.setInput('projected', projected)
    this.#joint.setInput('g', g)
    this.#joint.setOutput('logits', logits)
    this.#projected = projected.data as Float32Array
    this.#rows = Array.from({ length: o.lookahead }, (_, i) =>
      (logits.data as Float32Array).subarray(i * outputs, (i + 1) * outputs),
    )
    this.loop = { sync: this }
  }

  /**
   * Open the networks of a folder that was exported here.
   * @param lookahead how many frames the joint is asked about at once; those behind a token are asked again
   * @throws RunbookError blocked when a file or the library is absent; usage when a file is no such graph
   */
  static async open(
    folder: ModelFolder,
    meta: ModelMeta,
    { threads = 1, lookahead = 1 }: { threads?: number; lookahead?: number } = {},
  ): Promise<BoundNetworks> {
    const paths = (['predictor', 'joint_step', 'projection'] as const).map(name => folder.files.get(name)!)
    const models: OrtCBackend[] = []
    try {
      for (const path of paths) models.push(await openOrtC(path, { threads }))
      const [predictor, joint, projection] = models as [OrtCBackend, OrtCBackend, OrtCBackend]
      return new BoundNetworks({ models: [predictor, joint, projection], meta, lookahead })
    } catch (thrown) {
      for (const model of models) await model[Symbol.asyncDispose]()
      throw thrown
    }
  }

  reset(): Promise<void> {
    for (const state of this.#states) (state.data as Float32Array).fill(0)
    this.#turn = 0
    this.predict(this.#blank)
    return Promise.resolve()
  }

  async hear(frames: HeardFrames): Promise<void> {
    this.#count = frames.count
    this.#first = -1
    if (frames.count === 0) return
    const { projected } = await this.#projection.infer({ encoder: rowsOf(frames) })
    this.#frames = Float32Array.from(projected!.data as Float32Array)
  }

  joint(frame: number): Float32Array {
    const block = this.#rows.length
    const cached = frame - this.#first
    if (this.#first >= 0 && cached >= 0 && cached < block) return this.#rows[cached]!
    const from = Math.min(frame, Math.max(0, this.#count - block))
    const start = from * this.#width
    const end = Math.min(this.#frames.length, start + block * this.#width)
    for (let i = start; i < end; i++) this.#projected[i - start] = this.#frames[i]!
    this.#joint.runSync()
    this.#first = block > 1 ? from : -1
    return this.#rows[frame - from]!
  }

  predict(token: number): void {
    this.#tokenLow[0] = token
    this.#predict[this.#turn as 0 | 1].runSync()
    this.#turn = 1 - this.#turn
    this.#first = -1
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const model of this.#models) await model[Symbol.asyncDispose]()
  }
}
