/** Says which version of Rungbook this is, and where its root lies. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The root of the project, absolute: the folder of `package.json`. */
export const projectRoot = join(import.meta.dirname, '../..')

/** The version of Rungbook, such as `0.1.0`. */
export function projectVersion(): string {
  return (JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as { version: string }).version
}
