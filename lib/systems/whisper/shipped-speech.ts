/** Finds the recording that ships with Rungbook, for whoever has none at hand. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from '../../base/version.ts'

/** The first of the shipped recordings of one voice, absolute. */
export function shippedSpeech(): string {
  const folder = join(projectRoot, 'contracts/recordings/s1')
  const [name] = readdirSync(folder).toSorted()
  return join(folder, name!)
}
