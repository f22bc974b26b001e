/**
 * Every leaf of a contract with the source that covers it, for re-reading and for the document of sources.
 */
import { join } from 'node:path'
import type { Source } from '../../../contract/contract.ts'
import { readJson } from '../../../host/files.ts'
import { contractName, type ParakeetVersion } from './read.ts'

/** One value of a contract. */
export interface Leaf {
  readonly pointer: string
  readonly value: unknown
  readonly source: Source
}

type Table = Readonly<Record<string, unknown>>
const marks = new Set(['contract', 'version', 'about', 'required', 'sources'])

/**
 * The leaves of a version's contract, in its order. Lists are one leaf where one source covers them whole.
 *
 * @example
 * ```ts
 * const durations = contractLeaves('v3').find(({ pointer }) => pointer === '/decode/duration_values')
 * assert.deepEqual(durations?.value, [0, 1, 2, 3, 4])
 * ```
 */
export function contractLeaves(version: ParakeetVersion): Leaf[] {
  const path = join(import.meta.dirname, '../../../../contracts', `${contractName(version)}.contract.json`)
  const whole = readJson(path) as Table
  const sources = whole.sources as Readonly<Record<string, Source>>
  return Object.entries(whole).flatMap(([key, value]) => (marks.has(key) ? [] : leavesOf(value, `/${key}`, sources)))
}

function leavesOf(value: unknown, pointer: string, sources: Readonly<Record<string, Source>>): Leaf[] {
  const source = sources[pointer] ?? sources[`${pointer.slice(0, pointer.lastIndexOf('/'))}/*`]
  if (source !== undefined) return [{ pointer, value, source }]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, child]) => leavesOf(child, `${pointer}/${key}`, sources))
}
