/**
 * Says by which command and with which versions something was made, for the reports of this system.
 */
import { createRequire } from 'node:module'
import { shellWord } from '../../../base/text.ts'
import { runbookCommand } from '../../../host/typescript.ts'

/** The command of a runbook with the inputs that were given, as a person would type it. */
export function commandOf(runbook: string, inputs: Readonly<Record<string, unknown>>): string {
  const words = Object.entries(inputs).flatMap(([name, value]) => {
    const flag = `--${name.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`
    if (value === undefined || value === false) return []
    return value === true ? [flag] : [flag, shellWord(String(value))]
  })
  return [runbookCommand(`runbooks/${runbook}.ts`), ...words].join(' ')
}

/** Versions of what makes an export. */
export function versionsOf(): Record<string, string> {
  const require = createRequire(import.meta.url)
  const { version } = require('../../../../package.json') as { version: string }
  return { rungbook: version, node: process.versions.node }
}
