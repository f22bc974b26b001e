/**
 * Opens an exported Whisper once, and transcribes one recording after another.
 *
 * @example
 * ```ts
 * await assert.rejects(async () => {
 *   await using whisper = await openWhisper('no/such/folder')
 *   await whisper.transcribe(new Float32Array(16_000), { language: 'en' })
 * }, { exit: 'blocked' })
 * ```
 */
import { join } from 'node:path'
import { usageError } from '../../base/errors.ts'
import { seededRandom } from '../../base/random.ts'
import type { OrtCOptions } from '../../infer/ort/options.ts'
import { detectLanguage, type Decoded } from '../../speech/whisper/decode.ts'
import { languageNames } from '../../speech/whisper/languages.ts'
import { WhisperTokenizer } from '../../speech/whisper/tokenizer.ts'
import { transcribe, type Features, type Segment, type TranscribeOptions } from '../../speech/whisper/transcribe.ts'
import type { Word } from '../../speech/whisper/words.ts'
import { readTokens } from '../../speech/tokens/read-tokens.ts'
import { whisperContract } from './contract.ts'
import { featuresOf } from './features.ts'
import { readManifest } from './manifest.ts'
import { openCachedNetwork, type CachedNetwork } from './network/cached.ts'
import { OpenedWhisper } from './network/opened.ts'

export type { Segment, Word }

/** How a recording is transcribed. What is left out is as openai/whisper has it, by the contract. */
export interface PipelineOptions {
  /** A code or an English name; null or left out to detect it. */
  readonly language?: string | null | undefined
  /** `translate` says it in English. */
  readonly task?: 'transcribe' | 'translate'
  /** What the recording is about, or words that it may hold. */
  readonly prompt?: string | undefined
  /** The first temperature, 0 to 1; where its answer is not good enough, higher ones are tried, 0.2 apart. */
  readonly temperature?: number
  /** Exactly these temperatures, in place of `temperature`. */
  readonly temperatures?: readonly number[]
  /** Hypotheses of a beam at temperature 0; 1 for greedy. */
  readonly beamSize?: number
  /** Samples drawn above temperature 0. */
  readonly bestOf?: number
  /** Whether words get times. */
  readonly words?: boolean
  /** Whether segments get times; without them each window is one segment. */
  readonly timestamps?: boolean
  readonly conditionOnPrevious?: boolean
  readonly compressionRatioThreshold?: number | null
  readonly logprobThreshold?: number | null
  readonly noSpeechThreshold?: number | null
  /** Tokens that are never said, beside the special ones; those that are not spoken unless given. */
  readonly suppress?: 'default' | readonly number[]
  /** Of the numbers that are drawn above temperature 0; 0 unless given. */
  readonly seed?: number
}

/** What the pipeline tells as it goes. */
export interface PipelineWatcher {
  onSegment?(segment: Segment): void
  /** Every answer of the network, those that were tried again as well. */
  onDecoded?(decoded: Decoded): void
  /** Seconds of the recording that are done, and all of them. */
  onProgress?(done: number, total: number): void
}

/** What was said. */
export interface Transcript {
  readonly text: string
  /** In order; ends are the model's own and may lie behind the end of the recording. */
  readonly segments: readonly Segment[]
  /** Of all segments; undefined unless they were asked for. */
  readonly words: readonly Word[] | undefined
  /** The code of the language, given or detected. */
  readonly language: string
  /** Its English name in lower case. */
  readonly languageName: string
  /** The likeliest languages, where one was detected. */
  readonly languages: readonly { readonly language: string; readonly probability: number }[] | undefined
  /** Length of the recording in seconds. */
  readonly duration: number
}

/** How a model is opened. */
export interface OpenOptions {
  /** Threads inside one operator; the library's choice unless given. */
  readonly threads?: number | undefined
  readonly ort?: OrtCOptions
}

/**
 * Open a folder that `runbooks/whisper-export.ts` wrote.
 * @throws RunbookError blocked when the folder, a file or the runtime is absent; usage when files do not fit together
 */
export async function openWhisper(folder: string, { threads, ort = {} }: OpenOptions = {}): Promise<Whisper> {
  const manifest = readManifest(folder)
  const tokenizer = new WhisperTokenizer(readTokens(folder), manifest.dims.vocabulary)
  const network = await openCachedNetwork({
    encoder: join(folder, manifest.encoder.path),
    decoder: join(folder, manifest.decoder.path),
    dims: manifest.dims,
    alignmentHeads: manifest.alignmentHeads,
    ort: { ...ort, ...(threads === undefined ? {} : { threads }) },
  })
  return new Whisper(manifest, tokenizer, network)
}

/** A Whisper that is open, with a decoder that keeps what it has seen. */
export class Whisper extends OpenedWhisper<CachedNetwork> {
  /**
   * Transcribe mono samples at 16 kHz, in -1…1.
   * @throws RunbookError usage for a recording that is too short or not of numbers, an unknown language, or options out
   *   of range; the signal's reason when it is aborted
   */
  async transcribe(
    samples: Float32Array,
    options: PipelineOptions = {},
    { signal, watch = {} }: { signal?: AbortSignal | undefined; watch?: PipelineWatcher } = {},
  ): Promise<Transcript> {
    const asked = settled(options)
    const given = options.language ? this.languageOf(options.language) : undefined
    return this.turns.take(async () => {
      signal?.throwIfAborted()
      const features = featuresOf(this.front, samples)
      const languages = given === undefined ? await this.#detect(features) : undefined
      const language = given ?? languages![0]!.language
      const duration = samples.length / whisperContract().audio.sampleRateHz
      const segments = await transcribe(
        this,
        features,
        { ...asked, language, signal },
        {
          ...(watch.onSegment && { onSegment: watch.onSegment }),
          ...(watch.onDecoded && { onDecoded: watch.onDecoded }),
          onProgress: frames => watch.onProgress?.(Math.min(duration, frames / 100), duration),
        },
      )
      return {
        text: this.tokenizer.decode(segments.flatMap(({ tokens }) => tokens)).trim(),
        segments,
        words: options.words ? segments.flatMap(({ words = [] }) => words) : undefined,
        language,
        languageName: languageNames.get(language)!,
        languages: languages?.slice(0, 5),
        duration,
      }
    })
  }

  /** As the reference does: on the first window, with the silence behind the recording as it sounds. */
  async #detect({ data, frames }: Features) {
    if (!this.tokenizer.isMultilingual) return [{ language: 'en', probability: 1 }]
    const { mels, windowFrames } = this.network
    const window = new Float32Array(mels * windowFrames)
    for (let bin = 0; bin < mels; bin++) {
      window.set(data.subarray(bin * frames, bin * frames + windowFrames), bin * windowFrames)
    }
    await this.network.listen(window)
    return detectLanguage(this.network, this.tokenizer)
  }
}

const step = 0.2

/**
 * The options with the contract's values where none are given.
 *
 * @throws RunbookError usage for one out of range
 */
function settled(o: PipelineOptions): Omit<TranscribeOptions, 'language'> {
  const { decoding } = whisperContract()
  const { temperature = 0, beamSize = 1, bestOf = 1 } = o
  const inRange = (name: string, value: number, [least, most]: readonly [number, number], whole = false) => {
    if (value >= least && value <= most && (!whole || Number.isInteger(value))) return
    throw usageError(
      `Cannot transcribe with ${name} ${value}: it must be ${least} to ${most}`,
      `give --${name} ${least}`,
    )
  }
  inRange('temperature', temperature, [0, 1])
  inRange('beam-size', beamSize, [1, 16], true)
  inRange('best-of', bestOf, [1, 16], true)
  for (const each of o.temperatures ?? []) inRange('temperature', each, [0, 1])
  const ladder = temperature === 0 ? decoding.temperatures : climbing(temperature)
  return {
    task: o.task ?? 'transcribe',
    beamSize,
    bestOf,
    temperatures: o.temperatures?.length ? o.temperatures : ladder,
    compressionRatioThreshold: pick(o.compressionRatioThreshold, decoding.compressionRatioThreshold),
    logprobThreshold: pick(o.logprobThreshold, decoding.logprobThreshold),
    noSpeechThreshold: pick(o.noSpeechThreshold, decoding.noSpeechThreshold),
    conditionOnPrevious: o.conditionOnPrevious ?? true,
    initialPrompt: o.prompt || undefined,
    words: o.words ?? false,
    timestamps: o.timestamps ?? true,
    suppress: o.suppress ?? 'default',
    suppressBlank: true,
    maxInitialTimestamp: Math.round(decoding.maxInitialTimestampS / 0.02),
    random: seededRandom(o.seed ?? 0).next,
  }
}

const pick = (given: number | null | undefined, usual: number) => (given === undefined ? usual : given)

/** From a temperature up to 1, as the reference's command line climbs. */
function climbing(from: number): number[] {
  const count = Math.floor((1 - from) / step + 1e-6) + 1
  return Array.from({ length: count }, (_, i) => Math.min(1, from + i * step))
}
