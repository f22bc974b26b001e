/**
 * Knows a Whisper's tokens: text, languages, tasks and times.
 *
 * Behind the ordinary tokens of either vocabulary stand the special ones in one fixed order, so the size of the model's
 * vocabulary says which is which. Where the tokenizer's file names them, the names must agree.
 */
import { usageError } from '../../base/errors.ts'
import { BytePairs } from '../tokens/byte-pairs.ts'
import type { TokenFile } from '../tokens/read-tokens.ts'
import { languageNames } from './languages.ts'

/** Ids of the special tokens. */
export interface SpecialTokens {
  readonly endOfText: number
  readonly startOfTranscript: number
  /** Id of each language's token, by its code; `en` alone in an English model, which never uses it. */
  readonly languages: ReadonlyMap<string, number>
  readonly translate: number
  readonly transcribe: number
  readonly startOfLm: number
  readonly startOfPrevious: number
  readonly noSpeech: number
  readonly noTimestamps: number
  /** The token of 0.00 s; the next 1500 are 20 ms apart. */
  readonly firstTimestamp: number
}

/** Seconds from one timestamp token to the next. */
export const secondsPerTimestamp = 0.02
const timestampCount = 1501
/** Vocabulary of an English model. Larger ones are multilingual, and grow by one for each language after the 99th. */
const englishVocabulary = 51_864

/** A Whisper's tokenizer. */
export class WhisperTokenizer {
  readonly special: SpecialTokens
  readonly isMultilingual: boolean
  readonly #pairs: BytePairs

  /**
   * @param file the tokens of the model's own tokenizer file
   * @param vocabulary how many tokens the network knows
   * @throws RunbookError usage when the file is that of another model
   */
  constructor(file: TokenFile, vocabulary: number) {
    this.isMultilingual = vocabulary > englishVocabulary
    const ordinary = this.isMultilingual ? 50_257 : 50_256
    const languages = this.isMultilingual ? vocabulary - englishVocabulary + 98 : 99
    const known = languageNames.size
    const refuse = (state: string) =>
      usageError(
        `Cannot use the tokenizer "${file.path}": ${state}`,
        'give the tokenizer files of the same model as the weights',
      )
    if (file.ordinary.length !== ordinary || languages < 1 || languages > known) {
      throw refuse(`it has ${file.ordinary.length} ordinary tokens, and the network knows ${vocabulary} tokens in all`)
    }
    this.#pairs = new BytePairs(file.ordinary)
    this.special = specialTokens(ordinary, languages)
    for (const [name, id] of namesOf(this.special)) {
      const named = file.special.get(name)
      if (named === undefined || named === id) continue
      throw refuse(`"${name}" is token ${named} in it, and ${id} in the network`)
    }
    if (this.special.firstTimestamp + timestampCount !== vocabulary)
      throw refuse(`the network knows ${vocabulary} tokens`)
  }

  /** The ids of a text; text that looks like a special token stays text. */
  encode(text: string): number[] {
    return this.#pairs.encode(text)
  }

  /** The text of ids, without special tokens and times. */
  decode(ids: readonly number[]): string {
    return this.#pairs.decode(ids)
  }

  /** The bytes of ids that are text. */
  bytes(ids: readonly number[]): Uint8Array {
    return this.#pairs.bytes(ids)
  }

  isTimestamp(id: number): boolean {
    return id >= this.special.firstTimestamp
  }

  /**
   * The tokens that say what is asked for, from the start of the transcript on.
   * @param language a code that the model knows; an English model ignores it
   */
  sequence({ language, task }: { language: string; task: 'transcribe' | 'translate' }): number[] {
    const { startOfTranscript, languages, transcribe, translate } = this.special
    if (!this.isMultilingual) return [startOfTranscript]
    const code = languages.get(language)
    if (code === undefined) {
      throw usageError(`Cannot use the language "${language}": this model does not know it`, 'leave it out, or give en')
    }
    return [startOfTranscript, code, task === 'translate' ? translate : transcribe]
  }

  /** Tokens of text that is not spoken: brackets, notes of music, and a dash or quote that opens a word. */
  nonSpeech(): number[] {
    const ids = new Set([this.encode(' -')[0]!, this.encode(" '")[0]!])
    for (const symbol of [...symbols, ...music]) {
      for (const tokens of [this.encode(symbol), this.encode(` ${symbol}`)]) {
        if (tokens.length === 1 || music.includes(symbol)) ids.add(tokens[0]!)
      }
    }
    return [...ids].toSorted((a, b) => a - b)
  }
}

const symbols = [
  ...'"#()*+/:;<=>@[\\]^_`{|}~「」『』',
  ...'<< >> <<< >>> -- --- -( -[ (\' (" (( )) ((( ))) [[ ]] {{ }} ♪♪ ♪♪♪'.split(' '),
]
const music = [...'♩♪♫♬♭♮♯']

function specialTokens(endOfText: number, languageCount: number): SpecialTokens {
  const startOfTranscript = endOfText + 1
  const languages = new Map(
    [...languageNames.keys()].slice(0, languageCount).map((code, i) => [code, endOfText + 2 + i]),
  )
  const translate = endOfText + 2 + languageCount
  return {
    endOfText,
    startOfTranscript,
    languages,
    translate,
    transcribe: translate + 1,
    startOfLm: translate + 2,
    startOfPrevious: translate + 3,
    noSpeech: translate + 4,
    noTimestamps: translate + 5,
    firstTimestamp: translate + 6,
  }
}

/** The names that tokenizer files give to the special tokens. */
function* namesOf(special: SpecialTokens): Iterable<[string, number]> {
  yield ['<|endoftext|>', special.endOfText]
  yield ['<|startoftranscript|>', special.startOfTranscript]
  for (const [code, id] of special.languages) yield [`<|${code}|>`, id]
  yield ['<|translate|>', special.translate]
  yield ['<|transcribe|>', special.transcribe]
  yield ['<|startoflm|>', special.startOfLm]
  yield ['<|startofprev|>', special.startOfPrevious]
  yield ['<|nospeech|>', special.noSpeech]
  yield ['<|nocaptions|>', special.noSpeech]
  yield ['<|notimestamps|>', special.noTimestamps]
  yield ['<|0.00|>', special.firstTimestamp]
}
