/**
 * Which HEF has a sweep compiled here, that a device could run?
 *
 * The newest run of the sweep that holds one is asked; where it holds several, the one that it proposes itself.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { shellWord } from '../base/text.ts'

/**
 * The path as the user would type it, or null. @param o.folder the folder of all runs. @param o.shown the same, as the
 * user would type it
 */
export function compiledHef({ folder, shown }: { folder: string; shown: string }): string | null {
  for (const run of namesIn(folder).toReversed()) {
    const report = reportOf(join(folder, run))
    if (run === 'latest' || report?.runbook !== 'monolithic-sweep') continue
    const hefs = namesIn(join(folder, run)).flatMap(tag =>
      namesIn(join(folder, run, tag))
        .filter(name => name.endsWith('.hef'))
        .map(name => join(run, tag, name)),
    )
    const [first] = hefs
    if (first === undefined) continue
    return shellWord(join(shown, hefs.find(hef => report.next?.includes(hef)) ?? first))
  }
  return null
}

/** In order; a file has none, and neither has what is not there. */
function namesIn(folder: string): string[] {
  try {
    return existsSync(folder) ? readdirSync(folder).toSorted() : []
  } catch {
    return []
  }
}

function reportOf(folder: string): { runbook?: string; next?: string | null } | null {
  try {
    return JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) as { runbook?: string; next?: string | null }
  } catch {
    return null
  }
}
