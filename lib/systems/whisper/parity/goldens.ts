/**
 * Compares a Whisper with what openai/whisper said of the same recordings.
 *
 * A golden case holds one recording, and for each model the answers of one window and of whole transcriptions with
 * several options. Tokens must be equal but where the reference itself hesitated between two of them.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { blockedError } from '../../../base/errors.ts'
import { readJson } from '../../../host/files.ts'
import { scaleToLoudest } from '../../../signal/mel/normalise.ts'
import { decodeWindow, type Decoded } from '../../../speech/whisper/decode.ts'
import { whisperContract } from '../contract.ts'
import { whisperFrontEnd } from '../features.ts'
import type { Segment, Transcript, Whisper } from '../pipeline.ts'
import { goldenSamples, type GoldenAudio } from './golden-audio.ts'

/** [token, log probability, the same without filters, runner-up, its log probability] */
type Step = readonly [number, number, number, number, number]
interface GoldenWindow {
  readonly tokens: readonly number[]
  readonly avg_logprob: number
  readonly no_speech_prob: number
  readonly steps: readonly Step[]
}
interface GoldenDecode {
  readonly prompt: readonly number[]
  readonly temperature: number
  readonly tokens: readonly number[]
  readonly avg_logprob: number
  readonly no_speech_prob: number
}
/** One segment of a transcription, as the reference wrote it. */
export interface GoldenSegment {
  readonly start: number
  readonly end: number
  readonly tokens: readonly number[]
  readonly words?: readonly { readonly word: string; readonly start: number; readonly end: number }[]
}
interface GoldenVariant {
  readonly options: Readonly<Record<string, unknown>>
  readonly same_result_as?: string
  readonly result?: { readonly language: string; readonly segments: readonly GoldenSegment[] }
  readonly decodes?: readonly GoldenDecode[]
}
interface GoldenModel {
  readonly encoder_pad30: { readonly samples: readonly (readonly [number, number, number])[] }
  readonly greedy_pad30_notimestamps: GoldenWindow
  readonly greedy_pad30_timestamps: GoldenWindow
  readonly transcribe: Readonly<Record<string, GoldenVariant>>
}
/** One case. */
export interface GoldenCase {
  readonly case: string
  readonly audio: GoldenAudio
  readonly models: Readonly<Record<string, GoldenModel>>
}

/** How one answer compares. Differences are the largest ones; NaN where there was nothing to compare. */
export interface Compared {
  readonly case: string
  readonly what: string
  readonly tokensEqual: boolean
  /** Of hidden states of the encoder. */
  readonly encoder: number
  /** Of log probabilities: of each token, or of the mean. */
  readonly logprob: number
  /** Of starts and ends of segments and words, in seconds. */
  readonly times: number
  /** Where tokens differ: what the reference said and what was said. */
  readonly note: string
}

/**
 * The cases of a folder that know a model.
 * @throws RunbookError blocked when the folder holds none
 */
export function readGoldens(folder: string, model: string): GoldenCase[] {
  const names = existsSync(folder) ? readdirSync(folder).filter(name => /^golden-.*\.json$/.test(name)) : []
  const cases = names
    .toSorted()
    .map(name => readJson(join(folder, name)) as GoldenCase)
    .filter(golden => golden.models?.[model] !== undefined && golden.audio !== undefined)
  if (cases.length > 0) return cases
  throw blockedError(`Cannot compare ${model} with goldens: "${folder}" holds none of it`, 'give --goldens FOLDER')
}

/**
 * The answers of one case: of one window, and of every variant of the transcription.
 * @throws RunbookError as `goldenSamples` and `Whisper.transcribe`
 */
export async function compareCase(whisper: Whisper, folder: string, golden: GoldenCase): Promise<Compared[]> {
  const model = golden.models[whisper.manifest.name]!
  const samples = await goldenSamples(folder, golden.audio)
  const compared = await compareWindow(whisper, golden.case, model, samples)
  for (const [name, variant] of Object.entries(model.transcribe)) {
    const result = variant.result ?? model.transcribe[variant.same_result_as!]!.result!
    const decodes: Decoded[] = []
    const transcript = await whisper.transcribe(samples, optionsOf(variant.options), {
      watch: { onDecoded: decoded => void decodes.push(decoded) },
    })
    compared.push({
      case: golden.case,
      ...compareTranscript(name, { transcript, decodes }, { result, decodes: variant.decodes }),
    })
  }
  return compared
}

/** What all answers have in common: how many are equal, and the largest differences. */
export function summaryOf(rows: readonly Compared[]): {
  readonly equal: number
  readonly encoder: number
  readonly logprob: number
  readonly times: number
} {
  const worst = (pick: (row: Compared) => number) => largest(rows.map(pick).filter(value => !Number.isNaN(value)))
  return {
    equal: rows.filter(({ tokensEqual }) => tokensEqual).length,
    encoder: worst(row => row.encoder),
    logprob: worst(row => row.logprob),
    times: worst(row => row.times),
  }
}

function optionsOf(o: GoldenVariant['options']): Parameters<Whisper['transcribe']>[1] {
  const { temperature } = o
  return {
    language: (o.language as string | undefined) ?? null,
    task: o.task === 'translate' ? 'translate' : 'transcribe',
    temperatures: Array.isArray(temperature) ? (temperature as number[]) : [temperature as number],
    words: o.word_timestamps === true,
    ...(o.initial_prompt === undefined ? {} : { prompt: o.initial_prompt as string }),
    ...(o.condition_on_previous_text === false ? { conditionOnPrevious: false } : {}),
    ...(o.suppress_tokens === null ? { suppress: [] } : {}),
  }
}

/** The recording padded with silence to one window: hidden states, and greedy answers with and without times. */
async function compareWindow(
  whisper: Whisper,
  name: string,
  golden: GoldenModel,
  samples: Float32Array,
): Promise<Compared[]> {
  const compared: Compared[] = []
  await listenPadded(whisper, samples)
  const { width } = whisper.manifest.dims
  const encoder = largest(
    golden.encoder_pad30.samples.map(([frame, at, want]) => whisper.network.hidden[frame * width + at]! - want),
  )
  for (const timestamps of [false, true]) {
    const want = timestamps ? golden.greedy_pad30_timestamps : golden.greedy_pad30_notimestamps
    const decoded = await greedy(whisper, { language: 'en', task: 'transcribe', timestamps })
    compared.push({
      case: name,
      encoder: timestamps ? Number.NaN : encoder,
      ...compareSteps(decoded, want, timestamps),
    })
  }
  return compared
}

/** Let the encoder hear a recording that is padded with silence to one window. */
export async function listenPadded(whisper: Whisper, samples: Float32Array): Promise<void> {
  const { audio, mel } = whisperContract()
  const window = audio.windowSeconds * audio.sampleRateHz
  const spectrogram = whisperFrontEnd(whisper.manifest.dims.mels).spectrogram(samples.subarray(0, window), {
    trailingZeros: Math.max(0, window - samples.length),
  })
  scaleToLoudest(spectrogram, mel)
  await whisper.network.listen(spectrogram.data)
}

/** The greedy answer about what the encoder heard last. */
export const greedy = (
  whisper: Whisper,
  asked: { readonly language: string; readonly task: 'transcribe' | 'translate'; readonly timestamps: boolean },
): Promise<Decoded> =>
  decodeWindow(whisper.network, whisper.tokenizer, {
    ...asked,
    temperature: 0,
    beamSize: 1,
    bestOf: 1,
    prompt: [],
    suppress: 'default',
    suppressBlank: true,
    maxInitialTimestamp: asked.timestamps
      ? Math.round(whisperContract().decoding.maxInitialTimestampS / 0.02)
      : undefined,
    random: Math.random,
  })

/** The reference's own hesitation: below this gap between two tokens either may be said. */
const closeCall = 0.05

function compareSteps(decoded: Decoded, want: GoldenWindow, timestamps: boolean): Omit<Compared, 'case' | 'encoder'> {
  const same = want.tokens.findIndex((token, i) => decoded.tokens[i] !== token)
  const length = same < 0 ? want.tokens.length : same
  const gap = same < 0 ? Infinity : want.steps[same]![1] - want.steps[same]![4]
  const isEqual = (same < 0 && decoded.tokens.length === want.tokens.length) || gap < closeCall
  const differences = want.steps.slice(0, length).map(([, logprob], i) => decoded.logProbabilities[i]! - logprob)
  if (same < 0) differences.push(decoded.avgLogprob - want.avg_logprob)
  differences.push(decoded.noSpeechProb - want.no_speech_prob)
  return {
    what: timestamps ? 'one window, with times' : 'one window',
    tokensEqual: isEqual,
    logprob: largest(differences),
    times: Number.NaN,
    note:
      same < 0 ? '' : `token ${same}: ${want.tokens[same]}, and here ${decoded.tokens[same]} (gap ${gap.toFixed(3)})`,
  }
}

/** A whole transcription beside the reference's: tokens, log probabilities of each answer, and times. */
export function compareTranscript(
  what: string,
  have: { transcript: Transcript; decodes: readonly Decoded[] },
  want: { result: NonNullable<GoldenVariant['result']>; decodes: readonly GoldenDecode[] | undefined },
): Omit<Compared, 'case'> {
  const decodes = want.decodes ?? []
  // What is drawn at random is another generator's: only which temperatures were tried can be equal there.
  const sampled = decodes.some(({ temperature }) => temperature > 0)
  const logprobs = decodes
    .filter(({ temperature }) => temperature === 0)
    .flatMap((decode, i) => {
      const own = have.decodes[i]
      return own ? [own.avgLogprob - decode.avg_logprob, own.noSpeechProb - decode.no_speech_prob] : [Infinity]
    })
  const note = sampled
    ? differenceOf(
        decodes.map(({ temperature }) => temperature),
        have.decodes.map(({ temperature }) => temperature),
      )
    : differenceOf(
        want.result.segments.flatMap(({ tokens }) => tokens),
        have.transcript.segments.flatMap(({ tokens }) => tokens),
      )
  const languageFits = want.result.language === have.transcript.language
  const times = sampled || note !== '' ? [] : timesApart(have.transcript.segments, want.result.segments)
  return {
    what,
    tokensEqual: note === '' && languageFits,
    encoder: Number.NaN,
    logprob: largest(logprobs),
    times: largest(times),
    note: languageFits ? note : `language ${want.result.language}, and here ${have.transcript.language}`,
  }
}

function differenceOf(want: readonly number[], have: readonly number[]): string {
  const at = want.findIndex((value, i) => have[i] !== value)
  if (at >= 0) return `${at}: ${want[at]}, and here ${have[at]}`
  return want.length === have.length ? '' : `${want.length} of them, and here ${have.length}`
}

function timesApart(have: readonly Segment[], want: readonly GoldenSegment[]): number[] {
  if (have.length !== want.length) return [Infinity]
  return want.flatMap((segment, i) => {
    const words = segment.words ?? []
    const own = have[i]!.words ?? []
    const pairs: [number, number][] = [
      [have[i]!.start, segment.start],
      [have[i]!.end, segment.end],
      ...words.flatMap((word, k): [number, number][] => [
        [own[k]?.start ?? Infinity, word.start],
        [own[k]?.end ?? Infinity, word.end],
      ]),
    ]
    return pairs.map(([a, b]) => a - b)
  })
}

const largest = (differences: readonly number[]): number =>
  differences.length === 0 ? Number.NaN : Math.max(...differences.map(Math.abs))
