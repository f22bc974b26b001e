/**
 * Counts the words that a Whisper gets wrong on a set of recordings with transcripts, beside what openai/whisper gets
 * wrong on the same ones.
 */
import { join } from 'node:path'
import { readJson } from '../../../host/files.ts'
import { decodeAudio } from '../../../signal/decode-audio.ts'
import { totalErrors, wordErrorRate, wordErrors, type WordErrors } from '../../../speech/word-error.ts'
import { whisperContract } from '../contract.ts'
import type { Whisper } from '../pipeline.ts'
import { greedy, listenPadded } from './goldens.ts'

interface Utterance {
  readonly id: string
  readonly lang: string
  readonly text: string
  readonly file: string
  readonly [model: string]: unknown
}

/** One recording: what was said, what was heard, and how many words are wrong, here and in the reference. */
export interface HeardUtterance extends WordErrors {
  readonly id: string
  readonly language: string
  readonly said: string
  readonly heard: string
  readonly reference: WordErrors
}

/** One language of the set. */
export interface LanguageErrors {
  readonly language: string
  readonly recordings: number
  readonly here: WordErrors
  readonly reference: WordErrors
  /** How much higher the error rate is here, in hundredths. */
  readonly points: number
}

/**
 * The recordings of a set that a model can be asked about, one window each, greedy, without times, as the reference was
 * asked.
 * @param folder the folder of the goldens, with `speech-set.json`
 * @throws RunbookError blocked when the set or a recording is absent
 */
export async function hearSet(whisper: Whisper, folder: string, signal?: AbortSignal): Promise<HeardUtterance[]> {
  const heard: HeardUtterance[] = []
  const { utterances } = readJson(join(folder, 'speech-set.json')) as { utterances: readonly Utterance[] }
  const { name } = whisper.manifest
  const { audio } = whisperContract()
  for (const utterance of utterances) {
    signal?.throwIfAborted()
    const reference = utterance[name] as WordErrors | undefined
    if (reference === undefined || !whisper.languages.includes(utterance.lang)) continue
    const { file } = utterance
    const path = file.startsWith('data/') ? join(folder, '../..', file.slice('data/'.length)) : join(folder, file)
    const { samples } = await decodeAudio(path, { sampleRate: audio.sampleRateHz, secondsMax: audio.windowSeconds })
    await listenPadded(whisper, samples)
    const { text } = await greedy(whisper, { language: utterance.lang, task: 'transcribe', timestamps: false })
    heard.push({
      id: utterance.id,
      language: utterance.lang,
      said: utterance.text,
      heard: text,
      ...wordErrors(utterance.text, text, utterance.lang),
      reference: { errors: reference.errors, words: reference.words },
    })
  }
  return heard
}

/** The errors of each language. */
export function byLanguage(heard: readonly HeardUtterance[]): LanguageErrors[] {
  return [...new Set(heard.map(({ language }) => language))].map(language => {
    const own = heard.filter(each => each.language === language)
    const here = totalErrors(own)
    const reference = totalErrors(own.map(each => each.reference))
    const points = 100 * (wordErrorRate(here) - wordErrorRate(reference))
    return { language, recordings: own.length, here, reference, points }
  })
}
