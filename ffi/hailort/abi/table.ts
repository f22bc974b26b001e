/**
 * Says what names and numbers of HailoRT's interface mean in one version.
 *
 * Reads `contracts/abi/hailort.json`, in which an entry holds from one version until the next entry. What the bindings
 * declare to koffi is in `structs.ts`; a test holds the two against each other.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hailortStatusName } from '../../../lib/contract/hailort-status.ts'
import { compareVersions, parseVersion, versionText, type ProfileName, type Version } from './profiles.ts'

/** A struct as a compiler lays it out, in bytes. */
export interface Layout {
  readonly size: number
  readonly fields: readonly (readonly [name: string, offset: number, size: number, type: string])[]
}

interface AbiTable {
  readonly versions: Readonly<Record<string, ProfileName>>
  readonly structs: Readonly<Record<string, readonly (Layout & { readonly since: string })[]>>
  readonly status: readonly { readonly since: string; readonly names: Readonly<Record<string, string>> }[]
  readonly enums: Readonly<
    Record<string, readonly { readonly since: string; readonly values: Readonly<Record<string, number>> }[]>
  >
}

/** Where the measured table lies. */
export const abiTablePath: string = join(import.meta.dirname, '../../../contracts/abi/hailort.json')

let table: AbiTable | undefined

/** The whole table, read once. */
export function abiTable(): AbiTable {
  return (table ??= JSON.parse(readFileSync(abiTablePath, 'utf8')) as AbiTable)
}

/** Entries that hold in a version, oldest first; for one that is older than all, the first entry. */
function inForce<Entry extends { readonly since: string }>(
  entries: readonly Entry[],
  version: Version,
): readonly Entry[] {
  const held = entries.filter(({ since }) => compareVersions(parseVersion(since), version) <= 0)
  return held.length > 0 ? held : entries.slice(0, 1)
}

/** How a struct lies in memory in a version; undefined for a struct that the table does not have. */
export const layoutOf = (struct: string, version: Version): Layout | undefined =>
  inForce(abiTable().structs[struct] ?? [], version).at(-1)

/**
 * Names and values of an enum in a version.
 *
 * @throws Error for an enum that the table does not have
 */
export function enumOf(name: string, version: Version): Readonly<Record<string, number>> {
  const entry = inForce(abiTable().enums[name] ?? [], version).at(-1)
  if (!entry) throw new Error(`contracts/abi/hailort.json has no enum ${name}`)
  return entry.values
}

/** The name of an enum's value, without the prefix that all its names share; the number itself when it has none. */
export function enumName(name: string, value: number, version: Version): string {
  const values = enumOf(name, version)
  const found = Object.entries(values).find(([, number]) => number === value)?.[0]
  return found?.replace(/^HAILO_(ARCH|FORMAT_ORDER|FORMAT_TYPE|STREAM_INTERFACE)_/, '') ?? String(value)
}

/** `HAILO_TIMEOUT` for 4, as this version calls it; undefined for a number that it does not have. */
export const statusName = (status: number, version: Version): string | undefined =>
  hailortStatusName(status, versionText(version))
