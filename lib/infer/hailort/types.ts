/** What the files of the HailoRT backend share: how a HEF is opened, and what is told of a stream. */
import type { Quantisation } from '../../../ffi/hailort/stream-info.ts'
import type { TensorInfo } from '../backend.ts'

/** How a HEF is opened. */
export interface HailortOptions {
  /** Id of the device, as a scan tells it; one that the library chooses unless told. */
  readonly deviceId?: string | undefined
  /** Which network group of the HEF, where it has several. */
  readonly group?: string | undefined
  /** How long one frame may take; 10 s unless told. */
  readonly timeoutMs?: number | undefined
  /** Which outputs are given back; all unless told. The others are read nevertheless, for the device waits for that. */
  readonly outputs?: readonly string[] | undefined
  /** Have the device measure its own latency. */
  readonly measuresLatency?: boolean | undefined
  /** Where the library is looked for; `process.env` unless told. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
}

/** A stream: what any backend tells of it, and what the device does with its numbers. */
export interface HailortTensorInfo extends TensorInfo {
  /** How it lies on the device: `NHWC 1x16000x1`. */
  readonly layout: string
  /** null when each feature has its own. */
  readonly quantisation: Quantisation | null
}
