/**
 * Transcribes sound as it arrives: chunks go through the encoder with its caches, and words appear as they are final.
 *
 * Features of a model that normalises over the recording are normalised over what was heard so far: the whole is not
 * known yet.
 */
import { usageError } from '../../../base/errors.ts'
import { nextChunk, type StreamChunk, type StreamSchedule } from '../../../models/tdt/schedule.ts'
import type { MelSpectrogram } from '../../../signal/mel/mel.ts'
import { NemoMelStream } from '../../../signal/mel/nemo.ts'
import type { ParakeetContract } from '../contract/read.ts'
import { scheduleOf } from '../model/meta.ts'
import { StreamingEncoder } from './encoders.ts'
import type { OpenModel } from './model.ts'
import { decodeHeard } from './networks.ts'
import { RunningFeatures } from './running-features.ts'
import { TranscriptDecoder, type Transcript } from './transcript.ts'

/** What a chunk added. */
export interface StreamUpdate {
  readonly chunk: StreamChunk
  /** Encoder frames that became final. */
  readonly frames: number
  readonly newTokens: readonly number[]
  readonly text: string
  readonly latencyMs: number
}

/** One stream. Open the model with `streaming: true`. */
export class TranscriptStream {
  readonly #model: OpenModel
  readonly #schedule: StreamSchedule
  readonly #encoder: StreamingEncoder
  readonly #decoder: TranscriptDecoder
  readonly #mel: NemoMelStream
  readonly #features: RunningFeatures
  #at = { step: 0, frame: 0 }
  #isEnded = false

  private constructor(model: OpenModel, contract: ParakeetContract) {
    const { streaming } = model.meta
    if (streaming === null)
      throw usageError(
        `Cannot stream with "${model.folder.path}": it states no schedule`,
        'export it with this version',
      )
    this.#model = model
    this.#schedule = scheduleOf(streaming, model.meta)
    this.#encoder = new StreamingEncoder(model.encoder, model.meta, streaming)
    this.#decoder = new TranscriptDecoder(model.meta, model.pieces, contract)
    this.#mel = new NemoMelStream(model.mel)
    this.#features = new RunningFeatures(model.mel.options)
  }

  /**
   * Begin a stream.
   *
   * @throws RunbookError usage when the model states no schedule
   */
  static async begin(model: OpenModel, contract: ParakeetContract): Promise<TranscriptStream> {
    const stream = new TranscriptStream(model, contract)
    await model.networks.reset()
    return stream
  }

  /** Hear samples at the model's rate; an update for each chunk that they complete. */
  push(samples: Float32Array): Promise<StreamUpdate[]> {
    return this.#hear(this.#mel.push(samples))
  }

  /** The last chunks, as if silence followed. */
  end(): Promise<StreamUpdate[]> {
    this.#isEnded = true
    return this.#hear(this.#mel.end())
  }

  /** What was said so far. */
  transcript(): Transcript {
    return this.#decoder.transcript()
  }

  async #hear(mel: MelSpectrogram): Promise<StreamUpdate[]> {
    this.#features.push(mel)
    const updates: StreamUpdate[] = []
    for (;;) {
      const next = nextChunk(this.#schedule, this.#at, { available: this.#features.frames, isEnded: this.#isEnded })
      if (next === null) return updates
      updates.push(await this.#decode(next.chunk))
      this.#at = { step: this.#at.step + 1, frame: next.frame }
    }
  }

  async #decode(chunk: StreamChunk): Promise<StreamUpdate> {
    const startedMs = performance.now()
    const { greedy } = this.#decoder
    const before = greedy.tokens.length
    const heard = await this.#encoder.step(this.#features.take(chunk), chunk)
    await decodeHeard(greedy, this.#model.networks, heard)
    this.#features.forget(chunk.from)
    return {
      chunk,
      frames: heard.count,
      newTokens: greedy.tokens.toArray().slice(before),
      text: this.transcript().text,
      latencyMs: performance.now() - startedMs,
    }
  }
}
