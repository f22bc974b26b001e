/**
 * Finds what a person names: a part of a ladder, or an earlier run.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { usageError } from '../base/errors.ts'

/**
 * The cases from `from` to `until`, both included, each given as a place (1 for the first) or as a tag.
 * @throws RunbookError usage when there is no such case, or when they stand the wrong way round
 */
export function sliceCases<T extends { readonly tag: string }>(
  cases: readonly T[],
  o: { from?: string | undefined; until?: string | undefined },
): T[] {
  const place = (word: string, flag: string) => {
    const index = /^\d+$/.test(word) ? Number(word) - 1 : cases.findIndex(rung => rung.tag === word)
    if (index >= 0 && index < cases.length) return index
    throw usageError(
      `Cannot use --${flag} ${word}: the ladder has cases 1 to ${cases.length}`,
      `give a number, or a tag such as ${cases[0]?.tag}`,
    )
  }
  const first = o.from === undefined ? 0 : place(o.from, 'from')
  const last = o.until === undefined ? cases.length - 1 : place(o.until, 'until')
  if (first > last) {
    throw usageError(
      `Cannot run from case ${first + 1} until case ${last + 1}: they stand the wrong way round`,
      'swap --from and --until',
    )
  }
  return cases.slice(first, last + 1)
}

/**
 * The folder of a run to resume, given as a path or as a name below `outDir`; null when `word` is undefined.
 * @throws RunbookError usage when there is none
 */
export function resumeFolder(word: string | undefined, outDir: string): string | null {
  if (word === undefined) return null
  const found = [word, join(outDir, word)].find(path => existsSync(join(path, 'report.json')))
  if (found) return found
  throw usageError(`Cannot resume "${word}": there is no such run`, `look for it: ls ${outDir}`)
}
