/** Writes the command that runs a runbook again with some inputs changed. Inputs at their default are left out. */
import { shellWord } from '../../base/text.ts'
import { flagFromName } from './argv.ts'
import { runbookCommand } from '../../host/typescript.ts'
import type { Inputs } from './inputs.ts'

/** A runbook's command from values and changes, by input name; an undefined or null value leaves the flag out. */
export function commandWith(
  runbook: string,
  o: { declared: Inputs; values: Readonly<Record<string, unknown>>; change: Readonly<Record<string, unknown>> },
): string {
  const all: Record<string, unknown> = { ...o.values, ...o.change }
  const flags = Object.entries(o.declared).flatMap(([name, { flag, fallback }]) => {
    const value = all[name]
    if (value === undefined || value === null || value === fallback) return []
    const dashed = flag ?? flagFromName(name)
    if (typeof value === 'boolean') return [value ? `--${dashed}` : `--no-${dashed}`]
    return [`--${dashed} ${shellWord(String(value))}`]
  })
  return [runbookCommand(runbook), ...flags].join(' ')
}
