/** Makes text safe to print, finds the word that was meant, and quotes words for a shell. */

/** Strings that a terminal acts on: CSI, OSC, DCS, SOS, PM and APC with their ends, and two-character escapes. */
const ansiSequence = new RegExp(
  [
    /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]/,
    /(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)/,
    /\x1b[ -/]*[0-~]/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'g',
)
const controls = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g
/** Marks that change the direction of the text around them, so that it reads as something else. */
const directions = /[\u202a-\u202e\u2066-\u2069]/g

/**
 * Text without terminal sequences, control characters and marks that turn its direction. Tabs and line ends stay;
 * `\r\n` and a lone `\r` become `\n`.
 *
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { plainText } from './lib/base/text.ts'
 *
 * assert.equal(plainText('\x1b[31mred\x1b[0m\r\n'), 'red\n')
 * ```
 */
export const plainText = (text: string): string =>
  text.replace(ansiSequence, '').replace(/\r\n?/g, '\n').replace(controls, '').replace(directions, '')

/** Text on one line: every run of line ends, tabs and spaces becomes one space. */
export const oneLine = (text: string): string => plainText(text).replace(/\s+/g, ' ').trim()

/**
 * A word as a POSIX shell needs it: quoted only when it must be.
 *
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { shellWord } from './lib/base/text.ts'
 *
 * assert.equal(shellWord('my model.onnx'), "'my model.onnx'")
 * ```
 */
export const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`

/**
 * The word nearest in spelling, or null when none is near enough to be meant.
 *
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { closest } from './lib/base/text.ts'
 *
 * assert.equal(closest('moddel', ['model', 'mix-wav']), 'model')
 * assert.equal(closest('banana', ['model', 'mix-wav']), null)
 * ```
 */
export function closest(word: string, words: readonly string[]): string | null {
  const ranked = words
    .map(candidate => ({ candidate, distance: editDistance(word, candidate) }))
    .toSorted((a, b) => a.distance - b.distance)
  const best = ranked[0]
  if (!best) return null
  const prefix = words.find(candidate => word.length >= 3 && candidate.startsWith(word))
  return best.distance <= Math.max(2, Math.floor(word.length / 3)) ? best.candidate : (prefix ?? null)
}

/** Levenshtein's distance: insertions, deletions and substitutions. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}
