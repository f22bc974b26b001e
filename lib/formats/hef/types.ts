/** The types of what a HEF describes; `read.ts` reads them. */
import type { FormatOrder, LibraryVersion } from './arch.ts'
import type { HefHeader } from './header.ts'

/** height, width, features; HailoRT's order of the three. */
export interface HefShape {
  readonly height: number
  readonly width: number
  readonly features: number
}

/** real = (level − zeroPoint) × scale, for one value or for each feature. */
export interface HefQuantization {
  readonly zeroPoint: number
  readonly scale: number
  /** The smallest and the largest real value that calibration saw. */
  readonly min: number
  readonly max: number
  /**
   * One pair a feature, where the file has them. Either list may be short or empty: preflight says when that matters.
   */
  readonly perFeature: { readonly zeroPoints: readonly number[]; readonly scales: readonly number[] } | null
}

/** Non-maximum suppression at an output, by the device or by HailoRT on the host. */
export interface HefNms {
  readonly classes: number
  readonly maxBoxesPerClass: number
  readonly where: 'device' | 'host'
  /** Numbers a box takes on the device; null on the host. */
  readonly boxSize: number | null
  /** `yolov5`, `yolox`, `ssd`, `iou`, `yolov5_seg`, `yolov8` on the host; null on the device. */
  readonly kind: string | null
  readonly scoreThreshold: number | null
  readonly iouThreshold: number | null
}

/** What a user feeds or reads: one of HailoRT's virtual streams. */
export interface HefStream {
  readonly name: string
  readonly direction: 'input' | 'output'
  /** `group/network`, as HailoRT writes it. */
  readonly network: string
  /** Of an output with NMS: classes, 5, most boxes a class. */
  readonly shape: HefShape
  /** As it crosses to the device. */
  readonly paddedShape: HefShape
  /** The order that the user sees by default. HailoRT before 4.20 says HAILO_NMS for HAILO_NMS_BY_CLASS. */
  readonly order: FormatOrder | null
  /** Null for a number that nobody knows, and for a stream that only the host has. */
  readonly deviceOrder: FormatOrder | null
  readonly dtype: 'uint8' | 'uint16' | 'float32' | null
  readonly isTransposed: boolean
  readonly quantization: HefQuantization
  readonly nms: HefNms | null
  /** The operations of the original model that ended here. */
  readonly originalNames: readonly string[]
  readonly contextIndex: number
}

/** A network group: what HailoRT configures as one. */
export interface HefGroup {
  readonly name: string
  /**
   * As HailoRT lists them, without the group before them: one of the group's own name unless the file asks for several.
   */
  readonly networks: readonly string[]
  /** More than one: the model did not fit, and the device reloads itself for each frame. */
  readonly contexts: number
  /** The compiler's own estimate; null when it made none. */
  readonly bottleneckFps: number | null
  readonly latencyMs: number | null
  /** Operations a frame; null before 5.x. */
  readonly operations: number | null
  readonly inputs: readonly HefStream[]
  /** In HailoRT's order. */
  readonly outputs: readonly HefStream[]
}

/** Whether the file is what its header seals. */
export type HefIntegrity =
  | { readonly state: 'intact' }
  | { readonly state: 'truncated' | 'overlong' | 'altered'; readonly message: string }

/** Something in the file that HailoRT dies of, or refuses with a status that does not tell why. */
export interface HefHazard {
  readonly effect: 'crash' | 'refusal'
  /** Which major versions of the library. */
  readonly libraries: readonly (4 | 5)[]
  /** The state of a sentence about the file. */
  readonly message: string
}

/** A compiled model for a Hailo device. */
export interface Hef {
  readonly path: string
  readonly header: HefHeader
  readonly integrity: HefIntegrity
  /** `hailo8`, `hailo8l`, `hailo10h`, …: what it was compiled for. `hwArch` is the number in the file. */
  readonly arch: string
  readonly hwArch: number
  /** The compiler's version, as it wrote it, and its three numbers; null when none are in there. */
  readonly sdkVersion: string
  readonly sdk: LibraryVersion | null
  readonly compiledAt: Date | null
  /** Abilities that the library must have, and those that it may lack, by HailoRT's numbers. */
  readonly extensions: readonly HefExtension[]
  readonly optionalExtensions: readonly HefExtension[]
  /**
   * In the order of the file: the first is the one that HailoRT takes where none is named. HailoRT's own list is sorted
   * by name.
   */
  readonly groups: readonly HefGroup[]
  readonly hazards: readonly HefHazard[]
}

/** Something that a library must know to run a file. */
export interface HefExtension {
  readonly index: number
  readonly name: string
}

/** Extensions that change how a file is read, by HailoRT's numbers. */
export const hefExtensions = {
  multiContext: 4,
  multiNetwork: 8,
  hwPadding: 11,
  netFlow: 13,
  scalePerFeature: 25,
  periphInLibrary: 26,
  strictVersion: 35,
} as const
