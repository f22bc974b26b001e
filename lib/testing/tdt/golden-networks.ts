/**
 * Predictor and joint as NeMo exports them in one graph, for tests of decoding.
 */
import { openBackend } from '../../infer/open.ts'
import { float32, type FloatTensor, type Tensor } from '../../formats/tensors/tensor.ts'
import type { TdtNetworks } from '../../speech/tdt/loop.ts'

/** The networks, over encoder frames that are set piece by piece. */
export interface GoldenNetworks extends TdtNetworks, AsyncDisposable {
  /** Back to the beginning of a recording. */
  reset(): void
  /** The frames of the next chunk: [D, T], and which of them. */
  hear(encoder: FloatTensor, from?: number, to?: number): void
  /** The predictor's state after the tokens so far. */
  state(): readonly [Float32Array, Float32Array]
}

/** Open NeMo's `decoder_joint-*.onnx`. `blank` is what the predictor is fed first. */
export async function openGoldenNetworks(path: string, blank: number): Promise<GoldenNetworks> {
  const model = await openBackend(path)
  const states = model.inputs.filter(input => input.name.startsWith('input_states'))
  const zeros = () =>
    states.map(({ shape }) => {
      const dims = shape.map(n => (typeof n === 'number' ? n : 1))
      return float32(dims, new Float32Array(dims.reduce((a, b) => a * b)))
    })
  let [token, past, next] = [blank, zeros(), zeros()]
  let frames: FloatTensor = float32([0, 0], [])
  let first = 0
  const ask = (column: Float32Array): Float32Array => {
    const one = { dtype: 'int32', shape: [1, 1], data: Int32Array.of(token) } as const
    const results = model.inferSync!({
      encoder_outputs: float32([1, column.length, 1], column),
      targets: one,
      target_length: { dtype: 'int32', shape: [1], data: Int32Array.of(1) },
      ...Object.fromEntries(states.map(({ name }, i) => [name, past[i]!])),
    })
    next = ['output_states_1', 'output_states_2'].map(name => copy(results[name]!))
    return Float32Array.from(results.outputs!.data as Float32Array)
  }
  return {
    reset: () => void ([token, past, next] = [blank, zeros(), zeros()]),
    hear(encoder, from = 0) {
      frames = encoder
      first = from
    },
    joint(frame) {
      const [depth, count] = frames.shape as [number, number]
      const column = new Float32Array(depth)
      for (let d = 0; d < depth; d++) column[d] = frames.data[d * count + first + frame]!
      return ask(column)
    },
    predict(fed) {
      past = next
      token = fed
    },
    state() {
      ask(new Float32Array(frames.shape[0]!))
      return [next[0]!.data, next[1]!.data]
    },
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
  }
}

const copy = (tensor: Tensor): FloatTensor => float32(tensor.shape, Float32Array.from(tensor.data as Float32Array))
