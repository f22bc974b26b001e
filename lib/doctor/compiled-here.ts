/**
 * Finds the HEF that a runbook compiled here last, so that a device's command can name it.
 *
 * The newest run that holds one is taken; where it holds several, the one that the run itself proposes.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { shellWord } from '../base/text.ts'

/**
 * The path as the user would type it, or null.
 *
 * @param o.folder the folder of all runs
 * @param o.shown the same, as the user would type it
 * @param o.by which runbook compiles what is looked for
 */
export function compiledHef({ folder, shown, by }: { folder: string; shown: string; by: string }): string | null {
  for (const run of namesIn(folder).toReversed()) {
    const report = reportOf(join(folder, run))
    if (run === 'latest' || report?.runbook !== by) continue
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
