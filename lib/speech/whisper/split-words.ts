/**
 * Cuts tokens into words: at spaces, or at every character where a language writes none.
 *
 * Source: split_to_word_tokens of openai/whisper, tokenizer.py.
 */
import type { WhisperTokenizer } from './tokenizer.ts'

/** Some tokens that are one word. */
export interface TokenWord {
  readonly word: string
  readonly tokens: readonly number[]
}

const withoutSpaces = new Set(['zh', 'ja', 'th', 'lo', 'my', 'yue'])
const replacement = '\ufffd'
const punctuation = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'

/** The words of tokens, in order; special tokens are words of their own. */
export function splitWords(tokenizer: WhisperTokenizer, tokens: readonly number[], language: string): TokenWord[] {
  const characters = splitCharacters(tokenizer, tokens)
  if (tokenizer.isMultilingual && withoutSpaces.has(language)) return characters
  const words: { word: string; tokens: number[] }[] = []
  for (const { word, tokens: own } of characters) {
    const isSpecial = own[0]! >= tokenizer.special.endOfText
    if (isSpecial || word.startsWith(' ') || punctuation.includes(word.trim()) || words.length === 0) {
      words.push({ word, tokens: [...own] })
    } else {
      const last = words.at(-1)!
      last.word += word
      last.tokens.push(...own)
    }
  }
  return words
}

/** Tokens joined until they spell whole characters. */
function splitCharacters(tokenizer: WhisperTokenizer, tokens: readonly number[]): TokenWord[] {
  const text = (ids: readonly number[]) =>
    ids.every(id => id >= tokenizer.special.endOfText) ? '<|special|>' : tokenizer.decode(ids)
  const full = text(tokens)
  const words: TokenWord[] = []
  let held: number[] = []
  let offset = 0
  for (const token of tokens) {
    held.push(token)
    const word = text(held)
    const odd = word.indexOf(replacement)
    // A character that the whole text shows as damaged will never be completed.
    if (odd >= 0 && full[offset + odd] !== replacement) continue
    words.push({ word, tokens: held })
    if (token < tokenizer.special.endOfText) offset += word.length
    held = []
  }
  return words
}
