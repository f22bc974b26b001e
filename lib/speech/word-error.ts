/**
 * Counts the words that a transcript gets wrong.
 *
 * Texts are brought to plain words first: lower case, no punctuation, no accents where a language is written without
 * them by many, English contractions in full and numbers as digits. The distance is Levenshtein's, over words.
 */

/** Errors of a transcript against what was said. */
export interface WordErrors {
  readonly errors: number
  /** Words that were said. */
  readonly words: number
}

const contractions: readonly (readonly [RegExp, string])[] = [
  [/\bwon't\b/g, 'will not'],
  [/\bcan't\b/g, 'can not'],
  [/\blet's\b/g, 'let us'],
  [/n't\b/g, ' not'],
  [/'re\b/g, ' are'],
  [/'ll\b/g, ' will'],
  [/'ve\b/g, ' have'],
  [/'m\b/g, ' am'],
  [/'d\b/g, ' would'],
  [/'s\b/g, " 's"],
]
const digits = 'zero one two three four five six seven eight nine ten eleven twelve'.split(' ')

/**
 * The plain words of a text.
 * @param language a code; English is treated more closely than others
 */
export function plainWords(text: string, language = 'en'): string[] {
  let plain = text
    .toLowerCase()
    .normalize('NFKC')
    .replaceAll(/[<[(][^\])>]*[\])>]/g, ' ')
    .replaceAll(/[’‘`]/g, "'")
  if (language === 'en') for (const [form, full] of contractions) plain = plain.replaceAll(form, full)
  const bare = plain.replaceAll('ё', 'е').normalize('NFD').replaceAll(/\p{M}/gu, '').normalize('NFC')
  const words = bare.match(/[\p{L}\p{N}]+/gu) ?? []
  if (language !== 'en') return words
  return words.map(word => {
    const digit = digits.indexOf(word)
    return digit < 0 ? word : String(digit)
  })
}

/** Errors of `heard` against `said`: substitutions, insertions and deletions. */
export function wordErrors(said: string, heard: string, language = 'en'): WordErrors {
  const want = plainWords(said, language)
  const have = plainWords(heard, language)
  let row = Array.from({ length: have.length + 1 }, (_, i) => i)
  for (const [i, word] of want.entries()) {
    const next = [i + 1]
    for (const [j, other] of have.entries()) {
      next.push(Math.min(row[j]! + (word === other ? 0 : 1), row[j + 1]! + 1, next[j]! + 1))
    }
    row = next
  }
  return { errors: row.at(-1)!, words: want.length }
}

/** The errors of several recordings together. */
export const totalErrors = (counts: readonly WordErrors[]): WordErrors => ({
  errors: counts.reduce((sum, { errors }) => sum + errors, 0),
  words: counts.reduce((sum, { words }) => sum + words, 0),
})

/** Errors per word, from 0; NaN when nothing was said. */
export const wordErrorRate = ({ errors, words }: WordErrors): number => errors / words
