/**
 * Says what the decoding rules ask of a network, whichever runtime computes it.
 */

/** A network that listens to one window at a time, and continues sequences of tokens about it. */
export interface WhisperNetwork {
  readonly vocabulary: number
  /** The longest sequence of tokens. */
  readonly textContext: number
  /** Frames of 10 ms in a window. */
  readonly windowFrames: number
  readonly mels: number
  /** Layer and head of each head of attention that follows the sound, for word times; empty when unknown. */
  readonly alignmentHeads: readonly (readonly [layer: number, head: number])[]
  /**
   * Listen to a window.
   * @param mel float32 [mels, windowFrames]
   */
  listen(mel: Float32Array): Promise<void>
  /** Forget all tokens: one empty sequence. */
  start(): void
  /**
   * Append tokens to each sequence.
   * @param tokens for each sequence as many as for the others
   * @returns logits behind the last token, [sequences][vocabulary]; a view until the next question
   */
  append(tokens: readonly (readonly number[])[]): Promise<Float32Array>
  /** Go on with these sequences: the new sequence i is what sequence `sources[i]` was. */
  choose(sources: readonly number[]): void
  /**
   * The logits behind every token of one sequence, and how each head attends to the sound at it.
   * @param heads layer and head of those that are wanted
   */
  attend(tokens: readonly number[], heads: WhisperNetwork['alignmentHeads']): Promise<Attention>
}

/** What `attend` answers; copies that stay. */
export interface Attention {
  /** float32 [tokens][vocabulary] */
  readonly logits: Float32Array
  /** For each head, float32 [tokens][frames of 20 ms]; every row sums to 1. */
  readonly weights: readonly Float32Array[]
  readonly frames: number
}
