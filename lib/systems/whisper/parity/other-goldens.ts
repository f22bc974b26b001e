/**
 * Compares a Whisper with two more sets of goldens: openai/whisper's languages, translations and words of other
 * languages than English, and faster-whisper's greedy transcriptions.
 */
import { join } from 'node:path'
import { readJson } from '../../../host/files.ts'
import { decodeAudio } from '../../../signal/decode-audio.ts'
import { detectLanguage } from '../../../speech/whisper/decode.ts'
import { whisperContract } from '../contract.ts'
import type { PipelineOptions, Whisper } from '../pipeline.ts'
import {
  compareTranscript,
  greedy,
  listenPadded,
  type Compared,
  type GoldenCase,
  type GoldenSegment,
} from './goldens.ts'
import { goldenSamples } from './golden-audio.ts'

interface GoldenResult {
  readonly language: string
  readonly segments: readonly GoldenSegment[]
}
interface LanguageGoldens {
  readonly model: string
  readonly language_detection: readonly {
    readonly file: string
    readonly top5: readonly (readonly [string, number])[]
  }[]
  readonly translate: readonly {
    readonly file: string
    readonly language: string
    readonly decode_notimestamps: { readonly tokens: readonly number[]; readonly avg_logprob: number }
    readonly transcribe_t0: GoldenResult
  }[]
  readonly transcribe_multilingual: readonly {
    readonly file: string
    readonly language: string
    readonly words_t0: GoldenResult
  }[]
}
interface FasterGoldens {
  readonly cases: Readonly<
    Record<string, { readonly models: Readonly<Record<string, { readonly vad_off: Pick<GoldenResult, 'segments'> }>> }>
  >
}

const nothing = { encoder: Number.NaN, logprob: Number.NaN, times: Number.NaN, note: '' }

/**
 * Detected languages with their probabilities, translations into English, and words with their times.
 * @param folder the folder of the goldens; nothing is compared where it has none of this model
 * @throws RunbookError blocked when a recording is absent; as `Whisper.transcribe`
 */
export async function compareLanguages(whisper: Whisper, folder: string): Promise<Compared[]> {
  const goldens = readJson(join(folder, 'golden-base-languages.json')) as LanguageGoldens
  if (goldens.model !== whisper.manifest.name) return []
  const { audio } = whisperContract()
  const heard = async (file: string) =>
    (await decodeAudio(join(folder, file), { sampleRate: audio.sampleRateHz, secondsMax: 600 })).samples
  const compared: Compared[] = []
  for (const { file, top5 } of goldens.language_detection) {
    await listenPadded(whisper, await heard(file))
    const found = await detectLanguage(whisper.network, whisper.tokenizer)
    compared.push({ case: file, what: 'language', ...compareDetected(found, top5) })
  }
  for (const { file, language, decode_notimestamps: want, transcribe_t0: result } of goldens.translate) {
    const samples = await heard(file)
    await listenPadded(whisper, samples)
    const { tokens, avgLogprob } = await greedy(whisper, { language, task: 'translate', timestamps: false })
    const isEqual = tokens.join() === want.tokens.join()
    const logprob = Math.abs(avgLogprob - want.avg_logprob)
    const note = isEqual ? '' : `${want.tokens.join(' ')}, and here ${tokens.join(' ')}`
    compared.push({ case: file, what: 'translation of one window', ...nothing, tokensEqual: isEqual, logprob, note })
    compared.push(
      await compareWhole(
        whisper,
        { case: file, what: 'translation' },
        samples,
        { language, task: 'translate' },
        result,
      ),
    )
  }
  for (const { file, language, words_t0: result } of goldens.transcribe_multilingual) {
    const asked = { language, words: true }
    compared.push(await compareWhole(whisper, { case: file, what: 'words' }, await heard(file), asked, result))
  }
  return compared
}

/**
 * Greedy transcriptions of whole recordings, beside those of faster-whisper without voice activity detection.
 * @param cases the cases whose recordings are known by name
 * @throws RunbookError as `goldenSamples` and `Whisper.transcribe`
 */
export async function compareFasterWhisper(
  whisper: Whisper,
  folder: string,
  cases: readonly GoldenCase[],
): Promise<Compared[]> {
  const goldens = readJson(join(folder, 'golden-faster-whisper.json')) as FasterGoldens
  const compared: Compared[] = []
  for (const { case: name, audio } of cases) {
    const want = goldens.cases[name]?.models[whisper.manifest.name]?.vad_off
    if (want === undefined) continue
    const result = { language: 'en', segments: want.segments }
    const samples = await goldenSamples(folder, audio)
    const told = { case: name, what: 'faster-whisper' }
    compared.push(await compareWhole(whisper, told, samples, { language: 'en' }, result))
  }
  return compared
}

async function compareWhole(
  whisper: Whisper,
  told: { readonly case: string; readonly what: string },
  samples: Float32Array,
  asked: PipelineOptions,
  result: GoldenResult,
): Promise<Compared> {
  const transcript = await whisper.transcribe(samples, { ...asked, temperatures: [0] })
  const have = { transcript, decodes: [] }
  return { ...told, ...compareTranscript(told.what, have, { result, decodes: undefined }) }
}

/** Two languages that are nearly as likely may change places; their probabilities are compared by name. */
function compareDetected(
  found: Awaited<ReturnType<typeof detectLanguage>>,
  top5: readonly (readonly [string, number])[],
): Omit<Compared, 'case' | 'what'> {
  const probability = new Map(found.map(each => [each.language, each.probability]))
  const apart = Math.max(...top5.map(([language, want]) => Math.abs((probability.get(language) ?? NaN) - want)))
  const isEqual = found[0]?.language === top5[0]![0] && apart < 1e-3
  const note = isEqual ? '' : `${top5[0]![0]}, and here ${found[0]?.language}, ${apart} apart`
  return { ...nothing, tokensEqual: isEqual, note }
}
