/**
 * What the service asks of an open model, whichever network and runtime answers.
 */

/** A word with its times in seconds of the recording. */
export interface TimedWord {
  readonly word: string
  readonly start: number
  readonly end: number
}

/** A stretch of speech, times in seconds of the recording. */
export interface TranscribedSegment {
  readonly id: number
  /** The first frame of its window, in frames of 10 ms. */
  readonly seek: number
  readonly start: number
  readonly end: number
  readonly text: string
  readonly tokens: readonly number[]
  /** Each token's text with its natural log probability, special tokens left out. */
  readonly pieces: readonly { readonly text: string; readonly logprob: number }[]
  readonly temperature: number
  readonly avgLogprob: number
  readonly compressionRatio: number
  readonly noSpeechProb: number
  readonly words?: readonly TimedWord[]
}

/** A whole recording. */
export interface Transcription {
  /** The code of the language that was given or heard. */
  readonly language: string
  /** Seconds of the recording. */
  readonly duration: number
  readonly segments: readonly TranscribedSegment[]
}

/** How one recording is transcribed. */
export interface TranscriberOptions {
  readonly task: 'transcribe' | 'translate'
  /** A language code; null to hear which. */
  readonly language: string | null
  readonly prompt: string | undefined
  /** Tried in this order until an answer is good enough. */
  readonly temperatures: readonly number[]
  readonly beamSize: number
  readonly words: boolean
  readonly signal?: AbortSignal
  readonly onSegment?: (segment: TranscribedSegment) => void
}

/** An open model. One recording at a time. */
export interface Transcriber extends AsyncDisposable {
  /** What answers: `tiny.en, float32, cpu (ONNX Runtime 1.30.0)`. */
  readonly title: string
  /** Languages that may be asked for; only `en` for an English model. */
  readonly languages: readonly string[]
  /** Whether other languages can be turned into English. */
  readonly canTranslate: boolean
  /**
   * @param samples mono at 16 kHz, in −1…1
   * @throws the signal's reason once it is aborted
   */
  transcribe(samples: Float32Array, options: TranscriberOptions): Promise<Transcription>
}
