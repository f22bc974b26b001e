/**
 * Says at which slot a version of TensorRT has a method.
 *
 * TensorRT is C++ with a handful of C symbols. Its methods are reached by their place in a vtable, which is a fact of
 * the major version (`contracts/abi/tensorrt.json`). A version that the table does not know is refused: a wrong slot is
 * a wrong function.
 */
import { readFileSync } from 'node:fs'
import { FfiError } from '../../errors.ts'

/** As the library tells it. */
export interface TensorRtVersion {
  readonly major: number
  readonly minor: number
  readonly patch: number
}

/** Extents are int32 in 8.x (36 bytes in all) and int64 since 10.0 (72 bytes). */
export interface DimsLayout {
  readonly extent: 'int32' | 'int64'
  readonly bytes: number
}

interface MajorTable {
  readonly minorMin: number
  readonly minorMax: number | null
  /** The first patch of `minorMin` that the table describes; earlier ones are early accesses of another layout. */
  readonly patchMin?: number
  readonly minorVerified: number
  readonly dims: DimsLayout
  readonly setDimensionsTakes: 'value' | 'reference'
  readonly builderFlags: Readonly<Record<string, number>>
  readonly networkFlags: Readonly<Record<string, number>>
  readonly dataTypes: readonly string[]
  readonly slots: Readonly<Record<string, Readonly<Record<string, number>>>>
}

/** `contracts/abi/tensorrt.json`. */
export interface AbiTables {
  readonly objects: {
    readonly pure: readonly string[]
    readonly implOffset: number
    readonly deletingDestructorSlot: number
  }
  readonly exceptions: readonly {
    readonly major: number
    readonly minor: number
    readonly interface: string
    readonly fromSlot: number
    readonly because: string
  }[]
  readonly majors: Readonly<Record<string, MajorTable>>
}

/** What the bindings know of one version. */
export interface Abi extends Pick<
  MajorTable,
  'dims' | 'setDimensionsTakes' | 'builderFlags' | 'networkFlags' | 'dataTypes'
> {
  readonly version: TensorRtVersion
  /** False for a minor that is newer than the newest that was compared with its headers. */
  readonly isVerified: boolean
  /** Whether methods are virtual on the object itself, and not on the implementation that it points to. */
  isPure(type: string): boolean
  /**
   * The slot, or undefined where this major has no such method.
   *
   * @throws FfiError `refused` for a slot that moved in this very minor
   */
  slotOf(type: string, method: string): number | undefined
}

let tables: AbiTables | undefined

/** The tables as they stand in `contracts/abi/tensorrt.json`. */
export function abiTables(): AbiTables {
  return (tables ??= JSON.parse(
    readFileSync(new URL('../../../contracts/abi/tensorrt.json', import.meta.url), 'utf8'),
  ) as AbiTables)
}

/**
 * 10701 is TensorRT-RTX 1.7.1: TensorRT ended with 9xxx in its old way of writing, and began with 100000 in the new
 * one.
 */
const isRtx = (number: number) => number >= 10_000 && number < 100_000

/** `getInferLibVersion()` writes 8601 for 8.6.1, 101303 for 10.13.3 and, of TensorRT-RTX, 10701 for 1.7.1. */
export function versionFromNumber(number: number): TensorRtVersion {
  const radix = number >= 10_000 ? 10_000 : 1000
  return { major: Math.floor(number / radix), minor: Math.floor((number % radix) / 100), patch: number % 100 }
}

/** `10.13.3` */
export const versionText = ({ major, minor, patch }: TensorRtVersion): string => `${major}.${minor}.${patch}`

/**
 * The table of a library, by the number that it answers with.
 *
 * @throws FfiError `refused` for TensorRT-RTX and for an early access, which have methods elsewhere, and as `abiOf`
 *   does
 */
export function abiOfNumber(number: number): Abi {
  const version = versionFromNumber(number)
  if (isRtx(number))
    throw notCalled(
      `TensorRT-RTX ${versionText(version)}`,
      'it is a library of its own, and only TensorRT itself is called',
    )
  const { minorMin, patchMin = 0 } = abiTables().majors[version.major] ?? {}
  if (version.minor === minorMin && version.patch < patchMin) {
    const first = versionText({ ...version, patch: patchMin })
    throw notCalled(
      `TensorRT ${versionText(version)}`,
      `it is an early access, whose methods have other places than those of ${first}`,
    )
  }
  return abiOf(version)
}

const notCalled = (what: string, why: string) =>
  new FfiError(
    'refused',
    `Cannot use ${what}: ${why}`,
    `install a version that is known (${knownVersions()}), and set TENSORRT_LIB to its libnvinfer.so`,
  )

/**
 * The table of a version.
 *
 * @throws FfiError `refused` for a major or minor that no table describes
 */
export function abiOf(version: TensorRtVersion): Abi {
  const { majors, objects, exceptions } = abiTables()
  const table = majors[version.major]
  if (!table || version.minor < table.minorMin || (table.minorMax !== null && version.minor > table.minorMax)) {
    throw notCalled(`TensorRT ${versionText(version)}`, 'the places of its methods are not known')
  }
  const moved = exceptions.filter(({ major, minor }) => major === version.major && minor === version.minor)
  return {
    ...table,
    version,
    isVerified: version.minor <= table.minorVerified,
    isPure: type => objects.pure.includes(type),
    slotOf(type, method) {
      const slot = table.slots[type]?.[method]
      const exception = moved.find(
        ({ interface: name, fromSlot }) => name === type && slot !== undefined && slot >= fromSlot,
      )
      if (!exception) return slot
      throw new FfiError(
        'refused',
        `Cannot call ${type}.${method} of TensorRT ${versionText(version)}: ${exception.because}`,
        `use ${version.major}.${version.minor + 1} or ${version.major}.${version.minor - 1}`,
        { code: 'method-moved' },
      )
    },
  }
}

/** `8.6.1, 10.0 and later 10.x, 11.0 and later 11.x` */
export function knownVersions(): string {
  return Object.entries(abiTables().majors)
    .map(
      ([major, { minorMin, minorMax, patchMin }]) =>
        `${major}.${minorMin}${patchMin === undefined ? '' : `.${patchMin}`}` +
        (minorMax === minorMin ? '' : ` and later ${major}.x`),
    )
    .join(', ')
}
