/**
 * Runs the encoder over whole stretches of features, or over the chunks of a stream with its caches.
 */
import { float32, type FloatTensor, type Tensor } from '../../../formats/tensors/tensor.ts'
import type { Backend } from '../../../infer/backend.ts'
import { usageError } from '../../../base/errors.ts'
import type { StreamChunk } from '../../../models/tdt/schedule.ts'
import type { MelSpectrogram } from '../../../signal/mel/mel.ts'
import type { ModelMeta, StreamMeta } from '../model/meta.ts'
import type { HeardFrames } from './networks.ts'

const int64 = (value: number): Tensor => ({ dtype: 'int64', shape: [1], data: BigInt64Array.of(BigInt(value)) })
const kept = (tensor: Tensor): FloatTensor => float32(tensor.shape, Float32Array.from(tensor.data as Float32Array))

/**
 * Encode a stretch of features: all frames that its length makes.
 * @param validFrames frames of the features that count
 * @throws RunbookError as the backend does; usage when the encoder gives other lengths than frames
 */
export async function encode(encoder: Backend, mel: MelSpectrogram, validFrames: number): Promise<HeardFrames> {
  const results = await encoder.infer({
    audio_signal: float32([1, mel.bins, mel.frames], mel.data),
    length: int64(validFrames),
  })
  return { outputs: kept(results.outputs!), from: 0, count: countOf(results.encoded_lengths!, results.outputs!) }
}

/** Caches of a stream; those of the step before are fed to the next one. */
export class StreamingEncoder {
  readonly #backend: Backend
  readonly #shapes: readonly [readonly number[], readonly number[]]
  #channels: FloatTensor
  #times: FloatTensor
  #filled = 0

  constructor(backend: Backend, meta: ModelMeta, streaming: StreamMeta) {
    const { n_layers: layers, d_model: width } = meta.encoder
    this.#backend = backend
    this.#shapes = [
      [1, layers, streaming.cache_size, width],
      [1, layers, width, streaming.time_ctx],
    ]
    this.#channels = zeros(this.#shapes[0])
    this.#times = zeros(this.#shapes[1])
  }

  /** Frames of attention's cache that are filled. */
  get filled(): number {
    return this.#filled
  }

  /** Begin another stream. */
  reset(): void {
    this.#channels = zeros(this.#shapes[0])
    this.#times = zeros(this.#shapes[1])
    this.#filled = 0
  }

  /** Encode one chunk: `mel` holds its frames, those before it included. Only final frames count. */
  async step(mel: MelSpectrogram, chunk: StreamChunk): Promise<HeardFrames> {
    const results = await this.#backend.infer({
      audio_signal: float32([1, mel.bins, mel.frames], mel.data),
      length: int64(mel.frames),
      cache_last_channel: this.#channels,
      cache_last_time: this.#times,
      cache_last_channel_len: int64(this.#filled),
      drop_extra_pre_encoded: int64(chunk.dropExtra),
    })
    this.#channels = kept(results.cache_last_channel_next!)
    this.#times = kept(results.cache_last_time_next!)
    this.#filled = Number(results.cache_last_channel_next_len!.data[0])
    const count = countOf(results.encoded_lengths!, results.outputs!)
    return { outputs: kept(results.outputs!), from: 0, count: Math.min(count, chunk.keep) }
  }
}

const zeros = (shape: readonly number[]) => float32(shape, new Float32Array(shape.reduce((a, b) => a * b)))

function countOf(lengths: Tensor, outputs: Tensor): number {
  const count = Number(lengths.data[0])
  // CONTRACT: an encoder's stated length lies within the frames that it gives.
  // SOURCE: contracts/parakeet-tdt-0.6b-v3.contract.json#/encoder/out_len
  // WHY: decoding frames that are not there reads another item's numbers, and gives words nobody said.
  if (count >= 0 && count <= outputs.shape[2]!) return count
  throw usageError(
    `Cannot decode the encoder's ${outputs.shape[2]} frames: it says that ${count} count`,
    'export the encoder again',
  )
}
