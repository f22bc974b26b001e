/**
 * Says which of four shapes of HailoRT's C interface a version has.
 *
 * Structs grew between releases, and a caller that is wrong about a size corrupts memory in silence. So the library's
 * own version chooses the shape before any other type is declared, and a version that nobody has compared is refused.
 */
import { FfiError } from '../../errors.ts'

/** Of a library, driver or firmware. */
export interface Version {
  readonly major: number
  readonly minor: number
  readonly revision: number
}

/** A is 4.17 to 4.19, B is 4.20, C is 4.21 to 5.0, D is 5.1 and 5.2. */
export type ProfileName = 'A' | 'B' | 'C' | 'D'

/** Oldest first. */
export const profileNames: readonly ProfileName[] = ['A', 'B', 'C', 'D']

/** First and last minor of each major that `contracts/abi/hailort.json` was measured from. */
const tested: Readonly<Record<number, { first: number; last: number }>> = {
  4: { first: 17, last: 23 },
  5: { first: 0, last: 2 },
}

/** `4.23.0` */
export const versionText = ({ major, minor, revision }: Version): string => `${major}.${minor}.${revision}`

/** Order of two versions: negative when `a` is older. */
export const compareVersions = (a: Version, b: Version): number =>
  a.major - b.major || a.minor - b.minor || a.revision - b.revision

/**
 * A version from `4.23.0`.
 *
 * @throws FfiError usage
 */
export function parseVersion(text: string): Version {
  const match = /^(\d+)\.(\d+)\.(\d+)$/.exec(text)
  if (!match)
    throw new FfiError(
      'usage',
      `Cannot read "${text}" as a version of HailoRT: it is not three numbers`,
      'write it as 4.23.0',
    )
  return { major: Number(match[1]), minor: Number(match[2]), revision: Number(match[3]) }
}

/** Whether the interface of this version was measured. Revisions of one minor have one interface. */
export function isTested({ major, minor }: Version): boolean {
  const range = tested[major]
  return range !== undefined && minor >= range.first && minor <= range.last
}

/**
 * The shape of a version's interface.
 *
 * @param options.force take the nearest shape for a version that was never measured: what `HAILO_ABI=force` asks for
 * @throws FfiError `refused` for a version that was never measured
 */
export function profileOf(version: Version, options: { force?: boolean } = {}): ProfileName {
  if (!isTested(version) && !options.force) throw unknownVersion(version)
  const { major, minor } = version
  if (major >= 6 || (major === 5 && minor >= 1)) return 'D'
  if (major === 5 || (major === 4 && minor >= 21)) return 'C'
  return major === 4 && minor === 20 ? 'B' : 'A'
}

/** `4.17 to 4.23 and 5.0 to 5.2` */
export const testedVersions = (): string =>
  Object.entries(tested)
    .map(([major, { first, last }]) => `${major}.${first} to ${major}.${last}`)
    .join(' and ')

/** The refusal of a version that no table knows. @param why why the machine's own header did not tell the shape */
export function unknownVersion(version: Version, why?: string): FfiError {
  const told = why === undefined ? '' : `; its header does not tell it: ${why}`
  return new FfiError(
    'refused',
    `Cannot use HailoRT ${versionText(version)}: its interface is known for ${testedVersions()}${told}`,
    "install HailoRT's own header beside it, or name its folder: export HAILORT_INCLUDE=/path/to/include; " +
      'or install a known version; or take the risk of corrupted memory: export HAILO_ABI=force',
  )
}
