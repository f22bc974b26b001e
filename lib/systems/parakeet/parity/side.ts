/**
 * One side of a comparison: the four components of a model folder, each asked by itself.
 */
import { blockedError } from '../../../base/errors.ts'
import { float32, type FloatTensor, type Tensor } from '../../../formats/tensors/tensor.ts'
import type { Backend, Results } from '../../../infer/backend.ts'
import { openBackend } from '../../../infer/open.ts'
import type { BackendOptions } from '../../../infer/options.ts'
import { readModelFolder, type Component } from '../model/folder.ts'
import { readMeta, type ModelMeta } from '../model/meta.ts'

/** A predictor's state. */
export interface PredictorState {
  readonly h: FloatTensor
  readonly c: FloatTensor
}

/** What a chunk of a stream is fed with. */
export interface StreamFeeds {
  readonly audio_signal: FloatTensor
  readonly length: number
  readonly cache_last_channel: FloatTensor
  readonly cache_last_time: FloatTensor
  readonly cache_last_channel_len: number
  /** Encoder frames to drop from the front. Undefined where the graph has it built in. */
  readonly drop: number | undefined
}

/** What a chunk of a stream gives. */
export interface StreamAnswer {
  readonly outputs: FloatTensor
  readonly encoded_length: number
  readonly cache_last_channel: FloatTensor
  readonly cache_last_time: FloatTensor
  readonly cache_last_channel_len: number
}

/** The components of a model, on some runtime. Answers are copies. */
export interface ParitySide extends AsyncDisposable {
  readonly name: string
  readonly device: string
  readonly meta: ModelMeta
  /** [1, bins, T] to [1, D, T'], and how many frames count. */
  encode(audio: FloatTensor, length: number): Promise<{ readonly outputs: FloatTensor; readonly length: number }>
  stream(feeds: StreamFeeds): Promise<StreamAnswer>
  predict(token: number, state: PredictorState): Promise<PredictorState & { readonly g: FloatTensor }>
  /** Rows [n, D] of the encoder with one output [1, 1, H] of the predictor, to logits [n, V]. */
  join(rows: FloatTensor, g: FloatTensor): Promise<FloatTensor>
}

/** The state before the first token. */
export function zeroState({ predictor: { pred_rnn_layers: layers, pred_hidden: hidden } }: ModelMeta): PredictorState {
  const zeros = () => float32([layers, 1, hidden], new Float32Array(layers * hidden))
  return { h: zeros(), c: zeros() }
}

const int64 = (shape: readonly number[], value: number): Tensor => ({
  dtype: 'int64',
  shape,
  data: BigInt64Array.of(BigInt(value)),
})
const copied = (results: Results, name: string): FloatTensor => {
  const tensor = results[name]!
  return float32(tensor.shape, Float32Array.from(tensor.data as Float32Array))
}
const counted = (results: Results, name: string) => Number(results[name]!.data[0])

/**
 * Open the components of a folder; each only when it is first asked.
 * @throws RunbookError blocked when a file or a runtime is absent, from the call that needs it
 */
export function openSide(path: string, options: BackendOptions & { readonly name: string }): ParitySide {
  const isPlan = options.backend === 'tensorrt'
  const folder = readModelFolder(path, { prefer: isPlan ? '.plan' : '.onnx' })
  const meta = readMeta(path)
  const opened = new Map<Component, Promise<Backend>>()
  const get = (component: Component): Promise<Backend> => {
    const file = folder.files.get(component)
    if (file === undefined || (isPlan && !file.endsWith('.plan')))
      throw blockedError(`Cannot compare "${component}" of "${path}": it is not there`, `ls ${path}`)
    if (!opened.has(component)) opened.set(component, openBackend(file, options))
    return opened.get(component)!
  }
  return {
    name: options.name,
    device: options.backend ?? 'auto',
    meta,
    async encode(audio, length) {
      const results = await (await get('encoder')).infer({ audio_signal: audio, length: int64([1], length) })
      return { outputs: copied(results, 'outputs'), length: counted(results, 'encoded_lengths') }
    },
    stream: async feeds => streamOn(await get('encoder_streaming'), feeds),
    async predict(token, { h, c }) {
      const results = await (await get('predictor')).infer({ y: int64([1, 1], token), h, c })
      return { g: copied(results, 'g'), h: copied(results, 'h_out'), c: copied(results, 'c_out') }
    },
    async join(rows, g) {
      const [count, depth] = rows.shape as [number, number]
      const encoder = float32([1, count, depth], rows.data)
      const { data } = copied(await (await get('joint')).infer({ encoder, g }), 'logits')
      return float32([count, data.length / count], data)
    },
    async [Symbol.asyncDispose]() {
      for (const model of opened.values()) await (await model)[Symbol.asyncDispose]()
    },
  }
}

async function streamOn(backend: Backend, feeds: StreamFeeds): Promise<StreamAnswer> {
  const results = await backend.infer({
    audio_signal: feeds.audio_signal,
    length: int64([1], feeds.length),
    cache_last_channel: feeds.cache_last_channel,
    cache_last_time: feeds.cache_last_time,
    cache_last_channel_len: int64([1], feeds.cache_last_channel_len),
    ...(feeds.drop !== undefined && { drop_extra_pre_encoded: int64([1], feeds.drop) }),
  })
  return {
    outputs: copied(results, 'outputs'),
    encoded_length: counted(results, 'encoded_lengths'),
    cache_last_channel: copied(results, 'cache_last_channel_next'),
    cache_last_time: copied(results, 'cache_last_time_next'),
    cache_last_channel_len: counted(results, 'cache_last_channel_next_len'),
  }
}
