/**
 * What was said, with its times and how sure the decoder was.
 */
import { ConfidenceRecorder } from '../../../speech/tdt/confidence.ts'
import { GreedyTdt } from '../../../speech/tdt/greedy.ts'
import { spansOf, type Span } from '../../../speech/tdt/timestamps.ts'
import type { Pieces } from '../../../speech/pieces.ts'
import type { ParakeetContract } from '../contract/read.ts'
import { rulesOf, type ModelMeta } from '../model/meta.ts'

/** A stretch of speech. */
export interface Heard {
  readonly text: string
  readonly startS: number
  readonly endS: number
  readonly confidence: number
}

/** A transcript. `tokens`, `timestamps` (frames) and `durations` (frames) are the decoder's own. */
export interface Transcript {
  readonly text: string
  readonly words: readonly Heard[]
  readonly segments: readonly Heard[]
  readonly tokens: readonly number[]
  readonly timestamps: readonly number[]
  readonly durations: readonly number[]
  readonly score: number
}

/** A decoder that keeps confidences, for one recording. */
export class TranscriptDecoder {
  readonly greedy: GreedyTdt
  readonly #confidence: ConfidenceRecorder
  readonly #pieces: Pieces
  readonly #frameS: number

  constructor(meta: ModelMeta, pieces: Pieces, { decode }: ParakeetContract) {
    const { confidence: c } = decode
    const rules = rulesOf(meta)
    this.#confidence = new ConfidenceRecorder(rules, {
      method: { name: c.name, entropyType: c.entropy_type, alpha: c.alpha, norm: c.entropy_norm },
      aggregation: c.aggregation,
      excludeBlank: c.exclude_blank,
      includeDuration: false,
    })
    this.greedy = new GreedyTdt(rules, { observer: this.#confidence.observe })
    this.#pieces = pieces
    this.#frameS = meta.timebase.encoder_frame_shift_ms / 1000
  }

  /** What was said so far. */
  transcript(): Transcript {
    const [tokens, timestamps, durations] = [this.greedy.tokens, this.greedy.timestamps, this.greedy.durations].map(
      list => list.toArray(),
    ) as [number[], number[], number[]]
    const spans = spansOf(this.#pieces, { tokens, timestamps, durations })
    const heard = (list: readonly Span[]) => {
      const confidences = this.#confidence.spans(list)
      return list.map(({ text, start, end }, i) => ({
        text,
        startS: start * this.#frameS,
        endS: end * this.#frameS,
        confidence: confidences[i]!,
      }))
    }
    return {
      text: spans.text,
      words: heard(spans.words),
      segments: heard(spans.segments),
      tokens,
      timestamps,
      durations,
      score: this.greedy.score,
    }
  }
}
