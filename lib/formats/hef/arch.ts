/**
 * Says which devices a HEF runs on, and what its numbers for architectures and formats mean.
 *
 * Names are those of HailoRT and of the compiler's --hw-arch, in lower case. Tables: `device_internal.cpp`,
 * `hailort_defaults.cpp` and `hef.proto` of HailoRT 4.17 to 5.2.
 */

/** What a device calls itself, in the order of HailoRT's enumeration (`hailo_device_architecture_t`). */
export const deviceArchs = [
  'hailo8_a0',
  'hailo8',
  'hailo8l',
  'hailo15h',
  'hailo15l',
  'hailo15m',
  'hailo10h',
  'hailo12l',
] as const
/** An architecture of a device, as HailoRT names it in lower case. */
export type DeviceArch = (typeof deviceArchs)[number]

/** A version of the HailoRT library, as it reports it. */
export interface LibraryVersion {
  readonly major: number
  readonly minor: number
  readonly revision: number
}

/** `4.23.0`, wherever it stands in a text; null when none does. */
export function versionIn(text: string): LibraryVersion | null {
  const found = /(\d+)\.(\d+)\.(\d+)/.exec(text)
  return found === null ? null : { major: Number(found[1]), minor: Number(found[2]), revision: Number(found[3]) }
}

/** Whether a version is this one or later. */
export const atLeast = (version: LibraryVersion, major: number, minor: number, revision = 0): boolean =>
  version.major !== major
    ? version.major > major
    : version.minor !== minor
      ? version.minor > minor
      : version.revision >= revision

/** The number of an architecture in a HEF, what it is called there, and who runs it under HailoRT 4 and 5. */
interface ArchRow {
  readonly name: DeviceArch | 'hailo8r'
  readonly on4: readonly DeviceArch[]
  readonly on5: readonly DeviceArch[]
  /** The first minor of version 4 that knows the number, where it is not 4.17 or before. */
  readonly since4?: number
}

const hailo8: ArchRow = { name: 'hailo8', on4: ['hailo8'], on5: ['hailo8'] }
const hailo15h: ArchRow = { name: 'hailo15h', on4: ['hailo15h', 'hailo10h'], on5: ['hailo15h', 'hailo10h'] }
const archRows: Readonly<Record<number, ArchRow>> = {
  // The bare 0 is what HailoRT 4 accepts nowhere; compilers write 1 for an ordinary Hailo-8.
  0: { ...hailo8, on4: [] },
  1: hailo8,
  2: { ...hailo8, name: 'hailo8r' },
  3: { name: 'hailo8l', on4: ['hailo8l', 'hailo8'], on5: ['hailo8l', 'hailo8'] },
  4: { name: 'hailo15m', on4: ['hailo15m', 'hailo15h', 'hailo10h'], on5: ['hailo15m', 'hailo15h', 'hailo10h'] },
  5: { name: 'hailo10h', on4: ['hailo15h', 'hailo10h'], on5: [], since4: 18 },
  6: { name: 'hailo15l', on4: ['hailo15l'], on5: ['hailo15l'], since4: 20 },
  100: { name: 'hailo8_a0', on4: [], on5: ['hailo8_a0'] },
  101: { ...hailo8, on4: [] },
  102: { ...hailo8, on4: [] },
  103: hailo15h,
  104: hailo15h,
  105: hailo15h,
  106: { name: 'hailo15l', on4: ['hailo15l'], on5: ['hailo15l'] },
  108: { name: 'hailo12l', on4: [], on5: ['hailo12l'] },
}

/**
 * What the HEF was compiled for. 103 is one network core in two products: compilers from 5.0 on write it for Hailo-10H,
 * earlier ones for Hailo-15H. An unknown number is named as such.
 */
export function hefArchName(hwArch: number, sdkMajor: number | null): string {
  if (hwArch === 103 && sdkMajor !== null && sdkMajor >= 5) return 'hailo10h'
  return archRows[hwArch]?.name ?? `unknown (${hwArch})`
}

/** The devices that take such a HEF, those of HailoRT 4 or 5, or of either when no library is known. */
export function devicesFor(hwArch: number, library: LibraryVersion | null): readonly DeviceArch[] {
  const row = archRows[hwArch]
  if (row === undefined) return []
  if (library === null) return [...new Set([...row.on5, ...row.on4])]
  if (library.major >= 5) return row.on5
  if (!atLeast(library, 4, row.since4 ?? 0)) return []
  // From 4.22 on, version 4 serves the Hailo-8 family alone.
  return atLeast(library, 4, 22) && !isHailo8(hwArch) ? [] : row.on4
}

/** Whether some HailoRT has a device of this number. */
export const isKnownArch = (hwArch: number): boolean => archRows[hwArch] !== undefined

/** Whether it is of the Hailo-8 family, which HailoRT 4 serves; the rest are HailoRT 5's. */
export const isHailo8 = (hwArch: number): boolean => [0, 1, 2, 3, 100, 101, 102].includes(hwArch)

/** These architectures keep one description for each layout of clusters, in groups inside the group. */
export const hasLayouts = (hwArch: number): boolean => hwArch === 3 || hwArch === 4

/** Format orders as HailoRT numbers them (`hailo_format_order_t`). */
export const formatOrders = [
  'AUTO',
  'NHWC',
  'NHCW',
  'FCR',
  'F8CR',
  'NHW',
  'NC',
  'BAYER_RGB',
  '12_BIT_BAYER_RGB',
  'HAILO_NMS',
  'RGB888',
  'NCHW',
  'YUY2',
  'NV12',
  'NV21',
  'HAILO_YYUV',
  'HAILO_YYVU',
  'RGB4',
  'I420',
  'HAILO_YYYYUV',
  'HAILO_NMS_WITH_BYTE_MASK',
  'HAILO_NMS_ON_CHIP',
  'HAILO_NMS_BY_CLASS',
  'HAILO_NMS_BY_SCORE',
] as const
/** How the values of a stream lie, by the names of HailoRT. */
export type FormatOrder = (typeof formatOrders)[number]

/** The compiler's number of a layer's format, which is not HailoRT's. */
export const orderOfFormat: Readonly<Record<number, FormatOrder>> = {
  0: 'NHWC',
  1: 'NHCW',
  2: 'NC',
  3: 'FCR',
  4: 'BAYER_RGB',
  5: 'NHW',
  6: 'HAILO_NMS_ON_CHIP',
  7: 'F8CR',
  8: 'RGB888',
  11: 'YUY2',
  13: 'NHWC',
  14: 'HAILO_YYUV',
  15: 'HAILO_YYVU',
  16: 'HAILO_YYYYUV',
}
const hostOrderOf: Readonly<Partial<Record<FormatOrder, FormatOrder>>> = {
  NHCW: 'NHWC',
  RGB888: 'NHWC',
  HAILO_YYUV: 'NV12',
  HAILO_YYVU: 'NV21',
  HAILO_YYYYUV: 'I420',
  HAILO_NMS_ON_CHIP: 'HAILO_NMS_BY_CLASS',
}

/** How a layer lies on the device; null for a number that nobody knows. */
export const deviceOrderOf = (format: number): FormatOrder | null => orderOfFormat[format] ?? null

/** How the user sees it unless he asks for another order. FCR stays FCR. */
export const defaultHostOrder = (order: FormatOrder): FormatOrder => hostOrderOf[order] ?? order
