/**
 * What a status of HailoRT is called in each version, why it comes, and what helps.
 *
 * One source for a call that fails and for a log that is read. Rows of advice are tried in order: the first that fits
 * the call and the status explains it.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { advice, type Advice } from './hailort-advice.ts'

interface StatusEntry {
  readonly since: string
  readonly names: Readonly<Record<string, string>>
}

let entries: readonly StatusEntry[] | undefined

/** Names that came with each version, oldest first; read once from `contracts/abi/hailort.json`. */
function statusEntries(): readonly StatusEntry[] {
  const path = join(import.meta.dirname, '../../contracts/abi/hailort.json')
  return (entries ??= (JSON.parse(readFileSync(path, 'utf8')) as { status: StatusEntry[] }).status)
}

/**
 * `HAILO_TIMEOUT` for 4, as a version calls it; undefined for a number that it does not have.
 *
 * @param version such as `4.23.0`; the newest that is known unless told. Names of a version that is older than all
 *   known ones are those of the oldest.
 */
export function hailortStatusName(status: number, version?: string): string | undefined {
  const held = statusEntries().filter(
    ({ since }) => version === undefined || since.localeCompare(version, 'en', { numeric: true }) <= 0,
  )
  return (held.length > 0 ? held : statusEntries().slice(0, 1)).findLast(({ names }) => names[status])?.names[status]
}

/**
 * What explains a failed call, if anything does.
 *
 * @param call name of the function; undefined where only the status is known, as in many logs
 * @param status its name in the library's version
 */
export const adviceFor = (call: string | undefined, status: string): Advice | undefined =>
  advice.find(
    ({ statuses, calls }) =>
      statuses.includes(status) && (calls === undefined || (call !== undefined && calls.test(call))),
  )
