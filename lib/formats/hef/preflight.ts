/**
 * Judges whether HailoRT will take a HEF on a device, refuse it, or crash.
 *
 * Asked before the library opens the file, because the library answers some of these with a crash and others with a
 * number. What it can know only with the device at work (memory, clock, other processes) is left out. What surely fails
 * is an error; where it may work, or nobody knows, there is a warning. Rules: `hef.cpp`, `hef_internal.hpp` and
 * `device_internal.cpp` of HailoRT 4.17 to 5.2, and `pcie_common.h` of its drivers, which lists the boards they serve;
 * the crashes were seen with 4.23.0.
 */
import { RunbookError, usageError } from '../../base/errors.ts'
import {
  atLeast,
  deviceArchs,
  devicesFor,
  isHailo8,
  isKnownArch,
  versionIn,
  type DeviceArch,
  type LibraryVersion,
} from './arch.ts'
import { hefExtensions, type Hef } from './types.ts'

/** Where it shall run. What is null or absent is not judged. */
export interface HefTarget {
  /** As HailoRT names it: `hailo8l`, `HAILO8L` or `HAILO_ARCH_HAILO8L`. */
  readonly arch?: string | null
  /** As HailoRT reports it: `4.23.0`. */
  readonly libraryVersion?: string | null
}

/** `message` is the state of a sentence: "it was compiled for hailo8, and the device is hailo8l". */
export interface HefProblem {
  readonly level: 'error' | 'warning'
  readonly message: string
  readonly hint: string
}

type Problems = readonly HefProblem[]
const error = (message: string, hint: string): HefProblem => ({ level: 'error', message, hint })
const warning = (message: string, hint: string): HefProblem => ({ level: 'warning', message, hint })

/**
 * What stands against running a HEF on a device with a library, errors first; empty when nothing does.
 *
 * @throws RunbookError usage when `libraryVersion` holds no version
 */
export function preflight(hef: Hef, target: HefTarget): Problems {
  const library = target.libraryVersion == null ? null : versionIn(target.libraryVersion)
  if (target.libraryVersion != null && library === null) {
    throw usageError(
      `Cannot judge a HEF for HailoRT "${target.libraryVersion}": that is no version`,
      'give it as 4.23.0',
    )
  }
  const arch = target.arch ?? null
  const found = [
    ...damage(hef),
    // Before what is amiss inside: a library of another series is exchanged, and the file may be sound for it.
    ...archProblems(hef, arch, library),
    ...(library === null ? [] : libraryProblems(hef, library, arch)),
    ...hazards(hef, library),
    ...emptyStreams(hef),
  ]
  return found.toSorted((a, b) => Number(b.level === 'error') - Number(a.level === 'error'))
}

/** More reasons than that help nobody. */
const reasonsMax = 4

/**
 * The warnings of `preflight`.
 *
 * @throws RunbookError usage when it finds an error, with the first four of them in the message
 */
export function requireRunnable(hef: Hef, target: HefTarget): Problems {
  const problems = preflight(hef, target)
  const errors = problems.filter(({ level }) => level === 'error')
  const [first] = errors
  if (first === undefined) return problems
  const reasons = errors.slice(0, reasonsMax).map(({ message }) => message)
  const more = errors.length > reasonsMax ? `; and ${errors.length - reasonsMax} more` : ''
  throw new RunbookError('usage', `Cannot run "${hef.path}": ${reasons.join('; and ')}${more}`, first.hint)
}

const copyAgain = "copy or download it again, and compare its sha256sum with the original's"
const damage = ({ integrity }: Hef): Problems =>
  integrity.state === 'intact' ? [] : [error(integrity.message, copyAgain)]

const recompile = 'compile the model again with the Dataflow Compiler that goes with this HailoRT'

/** With no library told, an error is what every library minds that runs this architecture; else a warning. */
function hazards(hef: Hef, library: LibraryVersion | null): Problems {
  const majors = library === null ? majorsFor(hef.hwArch) : [library.major >= 5 ? 5 : 4]
  return hef.hazards.flatMap(({ effect, libraries, message }) => {
    const minding = majors.filter(major => (libraries as readonly number[]).includes(major))
    if (minding.length === 0) return []
    const who = libraries.length === 2 ? 'HailoRT' : `HailoRT ${libraries[0]}`
    const state = `${message}, ${effect === 'crash' ? `of which ${who} crashes` : `which ${who} refuses`}`
    return [minding.length === majors.length ? error(state, recompile) : warning(state, recompile)]
  })
}

/** Series of HailoRT that run an architecture on some device; both where nobody here knows it. */
function majorsFor(hwArch: number): number[] {
  const serves = (major: number, minor: number) => devicesFor(hwArch, { major, minor, revision: 0 }).length > 0
  const found = [...(serves(4, 23) ? [4] : []), ...(serves(5, 2) ? [5] : [])]
  return found.length === 0 ? [4, 5] : found
}

/** A frame of such a stream holds no value: there is nothing to write or to read. */
function emptyStreams(hef: Hef): Problems {
  const streams = hef.groups.flatMap(({ inputs, outputs }) => [...inputs, ...outputs])
  return streams
    .filter(({ shape }) => shape.height * shape.width * shape.features === 0)
    .map(({ name, direction, shape, nms }) => {
      const { height, width, features } = shape
      const size =
        nms === null
          ? `the size ${height}x${width}x${features} (height, width, features)`
          : `${nms.classes} classes of ${nms.maxBoxesPerClass} boxes`
      return error(`its ${direction} "${name}" has ${size}, and none of these may be zero`, recompile)
    })
}

const archAliases: Readonly<Record<string, DeviceArch>> = { mars: 'hailo12l', pluto: 'hailo15l' }

/** The architecture that a device gives of itself, whatever its spelling; null for one that nobody knows. */
export function deviceArchOf(text: string): DeviceArch | null {
  const name = text
    .toLowerCase()
    .replace(/^hailo_arch_/, '')
    .replace(/^hailo-/, 'hailo')
  return deviceArchs.find(arch => arch === name) ?? archAliases[name] ?? null
}

function archProblems(hef: Hef, given: string | null, library: LibraryVersion | null): Problems {
  if (given === null) return []
  const arch = deviceArchOf(given)
  if (arch === null) {
    return [
      warning(`nobody here knows the device "${given}": whether it runs ${hef.arch} is open`, 'let HailoRT decide'),
    ]
  }
  const runs = devicesFor(hef.hwArch, library)
  const again = `compile it again with --hw-arch ${arch}`
  if (!runs.includes(arch)) {
    const needed = serving(hef.hwArch, arch)
    if (needed !== undefined && library !== null) {
      const message = `HailoRT ${versionText(library)} does not run ${hef.arch} on ${arch}, and HailoRT ${needed} does`
      return [error(message, `install HailoRT ${needed} with its driver, or ${again}`)]
    }
    // An 8L reports a board name that says Hailo-8, which is how most of these mistakes begin.
    const mistaken = arch === 'hailo8l' ? ' (its board name may say Hailo-8: the architecture is what counts)' : ''
    return [error(`it was compiled for ${hef.arch}, and the device is ${arch}${mistaken}`, again)]
  }
  const isSmaller = (hef.hwArch === 3 && arch === 'hailo8') || (hef.hwArch === 4 && arch !== 'hailo15m')
  return isSmaller ? [warning(`it was compiled for ${hef.arch} and runs slower than it could on a ${arch}`, again)] : []
}

/** The newest HailoRT, as one says it, that runs such a HEF on this device, or on any. */
function serving(hwArch: number, arch: DeviceArch | null): string | undefined {
  const runs = (major: number, minor: number) => {
    const devices = devicesFor(hwArch, { major, minor, revision: 0 })
    return arch === null ? devices.length > 0 : devices.includes(arch)
  }
  return runs(5, 2) ? '5' : runs(4, 23) ? '4' : runs(4, 21) ? '4.21' : undefined
}

const versionText = ({ major, minor, revision }: LibraryVersion) => `${major}.${minor}.${revision}`

const earlier = 'compile it with an earlier Dataflow Compiler'

/** The first library that reads each version of the header. */
const firstReader = [
  [4, 17],
  [4, 17],
  [4, 20],
  [4, 21],
] as const

/** The first library that knows an extension, by its number; 7 and 8 are known to none as a requirement. */
function firstWithExtension(index: number): readonly [major: number, minor: number, revision: number] | null {
  if (index <= 29) return index === 7 || index === 8 ? null : [4, 17, 0]
  if (index <= 32) return [4, 21, 0]
  if (index === 35) return [5, 0, 0]
  return index <= 34 ? [5, 0, 1] : null
}

function libraryProblems(hef: Hef, library: LibraryVersion, arch: string | null): Problems {
  const name = `HailoRT ${versionText(library)}`
  const found: HefProblem[] = [...nowhereProblems(hef, library, arch)]
  const [major, minor] = firstReader[hef.header.version]
  if (!atLeast(library, major, minor)) {
    const message = `its header has version ${hef.header.version}, which ${name} does not read`
    found.push(error(message, `install HailoRT ${major}.${minor} or later, or ${earlier}`))
  }
  const unknown = hef.extensions.filter(({ index }) => {
    const first = firstWithExtension(index)
    return first === null || !atLeast(library, ...first)
  })
  if (unknown.length > 0) {
    const list = unknown.map(({ index, name }) => name || `number ${index}`).join(', ')
    found.push(error(`it needs what ${name} does not have: ${list}`, `install a later HailoRT, or ${earlier}`))
  }
  const isOutdated = !hef.extensions.some(({ index }) => index === hefExtensions.periphInLibrary)
  if (isOutdated && atLeast(library, 4, 21)) {
    found.push(error(`it is too old for ${name}: it lacks PERIPH_CALCULATION_IN_HAILORT`, recompile))
  }
  return [...found, ...sdkProblems(hef, library, arch)]
}

/** The first library whose numbers of architectures are not known here. */
const firstUnknown = [5, 3] as const

/**
 * What the library runs on no device at all. HailoRT 4 does not even open a HEF for an architecture that it does not
 * know.
 */
function nowhereProblems(hef: Hef, library: LibraryVersion, arch: string | null): Problems {
  // With a device that is known here, the architecture has been judged.
  if ((arch !== null && deviceArchOf(arch) !== null) || devicesFor(hef.hwArch, library).length > 0) return []
  const message = `it was compiled for ${hef.arch}, which HailoRT ${versionText(library)} runs on no device`
  if (!isKnownArch(hef.hwArch)) {
    return atLeast(library, ...firstUnknown)
      ? []
      : [error(message, 'compile it again with --hw-arch for this device, or install a later HailoRT')]
  }
  return arch === null ? [error(message, `install HailoRT ${serving(hef.hwArch, null)} with its driver`)] : []
}

/** Compilers 3.27 to 3.33 went out with HailoRT 4.17 to 4.23; from 5.0 on both have one number. */
function libraryOfSdk({ major, minor }: LibraryVersion): readonly [major: number, minor: number] | null {
  if (major === 3) return minor >= 27 ? [4, minor - 10] : null
  return major >= 5 ? [major, minor] : null
}

function sdkProblems(
  { sdk, sdkVersion, hwArch, extensions }: Hef,
  library: LibraryVersion,
  arch: string | null,
): Problems {
  const here = versionText(library)
  if (isHailo8(hwArch) && library.major >= 5) return [familyProblem(library, arch)]
  const isStrict = extensions.some(({ index }) => index === hefExtensions.strictVersion) && library.major >= 5
  const goesWith = sdk === null ? null : libraryOfSdk(sdk)
  if (sdk === null || goesWith === null) {
    if (!isStrict) return []
    const said = sdkVersion === '' ? 'names no version of its compiler' : `was compiled with "${sdkVersion}"`
    return [error(`it wants the HailoRT of its compiler exactly, and ${said}, and the library is ${here}`, recompile)]
  }
  const compiler = `it was compiled with Dataflow Compiler ${versionText(sdk)}`
  const wanted = `HailoRT ${goesWith.join('.')}`
  if (isStrict && (sdk.major !== library.major || sdk.minor !== library.minor)) {
    return [error(`${compiler} and wants ${wanted} exactly, and the library is ${here}`, `install ${wanted}`)]
  }
  if (atLeast(library, ...goesWith)) return []
  return [
    warning(
      `${compiler}, which goes with ${wanted}, and the library is ${here}`,
      `install ${wanted} or later if it is refused`,
    ),
  ]
}

/**
 * A library works with the driver of its own version alone, and from 5.0.1 on that driver lists no Hailo-8. A device
 * that gave its architecture is there nevertheless.
 */
function familyProblem(library: LibraryVersion, arch: string | null): HefProblem {
  const here = versionText(library)
  const install = 'on a Hailo-8 board install HailoRT 4 with its driver'
  if (arch === null && atLeast(library, 5, 0, 1)) {
    return error(`it is for the Hailo-8 family, which the driver of HailoRT ${here} does not serve`, install)
  }
  return warning(`it is for the Hailo-8 family, and HailoRT ${here} is made for Hailo-10H and Hailo-15`, install)
}
