/**
 * Gives tests a HailoRT that needs no device.
 *
 * Compiles the stand-in of `hailort/*.c` for one shape of the interface, and reaches its switches: what shall go wrong,
 * and what was not released. What the stand-in does not do: it checks no xxh3, and its arithmetic is that of uint8 and
 * of the first group.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Hailort } from '../hailort/library.ts'
import type { ProfileName } from '../hailort/abi/profiles.ts'
import { buildStandin } from './build.ts'

/** Which stand-in is compiled. */
export interface StandinOptions {
  readonly profile: ProfileName
  /** The version that it reports; the newest of the profile unless told. */
  readonly version?: readonly [major: number, minor: number, revision: number]
  readonly sanitize?: boolean
}

/** Sources of the stand-in. */
export const standinFolder: string = join(import.meta.dirname, 'hailort')

/**
 * Path of a `libhailort.so`. Two that differ in an option are two libraries, and may be open in one process.
 *
 * @throws FfiError as `buildStandin`
 */
export function hailortStandin({ profile, version, sanitize }: StandinOptions): string {
  const sources = readdirSync(standinFolder)
    .filter(name => name.endsWith('.c'))
    .toSorted()
    .map(name => join(standinFolder, name))
  const [major, minor, revision] = version ?? []
  return buildStandin(sources, {
    out: 'libhailort.so',
    sanitize,
    flags: ['-ffp-contract=off'],
    defines: {
      PROFILE: profile,
      _POSIX_C_SOURCE: '200809L',
      ...(version && { VERSION_MAJOR: major!, VERSION_MINOR: minor!, VERSION_REVISION: revision! }),
    },
  })
}

/** What may be ordered of a stand-in. An empty text takes it back; `faults.c` says what each means. */
export type Fault = 'DEVICES' | 'ARCH' | 'STATUS' | 'CRASH' | 'LATENCY_US' | 'HANG_AT' | 'REVERSE' | 'DRIVER_MISMATCH'

/** The switches of a stand-in, and its counts. */
export interface Standin {
  order(fault: Fault, value: string | number): void
  /** Take every order back. */
  reset(): void
  /**
   * Native objects that are not released: of a kind ("vdevice", "hef", "group", "input", "output", "device"), or all.
   */
  live(kind?: string): number
  /** How often a handle was used after its release. */
  misuses(): number
}

/**
 * The switches of an open stand-in.
 *
 * @throws Error for a library that is not a stand-in
 */
export function standinOf({ library: { handle } }: Hailort): Standin {
  const set = handle.func('void standin_set(const char *name, const char *value)')
  const live = handle.func('int64_t standin_live(const char *kind)')
  const misuses = handle.func('int64_t standin_misuses()')
  const faults: readonly Fault[] = [
    'DEVICES',
    'ARCH',
    'STATUS',
    'CRASH',
    'LATENCY_US',
    'HANG_AT',
    'REVERSE',
    'DRIVER_MISMATCH',
  ]
  return {
    order: (fault, value) => void set(fault, String(value)),
    reset: () => faults.forEach(fault => set(fault, '')),
    live: kind => Number(live(kind ?? null)),
    misuses: () => Number(misuses()),
  }
}
