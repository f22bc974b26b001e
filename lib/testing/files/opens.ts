/**
 * Counts how often this process opens a file, by any of the ways that `node:fs` has.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { resolve } from 'node:path'

const ways = ['open', 'openSync', 'readFile', 'readFileSync', 'createReadStream', 'copyFile', 'copyFileSync'] as const

/** The opens of each file since it was asked for; disposing of it puts the functions back. */
export interface Opens extends Disposable {
  of(path: string): number
}

/** Count from now on. A call inside another one (`readFileSync` opens too) is not counted twice. */
export function countOpens(): Opens {
  const counts = new Map<string, number>()
  let depth = 0
  const undo: (() => void)[] = []
  const counted = (holder: Record<string, unknown>, way: string): void => {
    const real = holder[way] as (...words: unknown[]) => unknown
    undo.push(() => (holder[way] = real))
    holder[way] = function (this: unknown, ...words: unknown[]) {
      const [path] = words
      if (depth === 0 && typeof path === 'string') counts.set(resolve(path), (counts.get(resolve(path)) ?? 0) + 1)
      depth++
      try {
        return real.apply(this, words)
      } finally {
        depth--
      }
    }
  }
  for (const way of ways) counted(fs as unknown as Record<string, unknown>, way)
  for (const way of ['open', 'readFile', 'copyFile']) counted(fs.promises as unknown as Record<string, unknown>, way)
  syncBuiltinESMExports()
  return {
    of: path => counts.get(resolve(path)) ?? 0,
    [Symbol.dispose]() {
      for (const put of undo) put()
      syncBuiltinESMExports()
    },
  }
}
