/** Says how a model may be opened: on which runtime, and with which options of that runtime's own. */
import type { HailortOptions } from './hailort/types.ts'
import type { OrtOptions } from './ort/options.ts'
import type { TensorRtOptions } from './tensorrt/types.ts'

/** Runtimes that may be asked for; `auto` goes by the file. */
export const backendNames = ['auto', 'ort', 'hailort', 'tensorrt', 'null'] as const
/** Who may be asked for. */
export type BackendName = (typeof backendNames)[number]

/** How a model is opened. Options under a runtime's name mean something to that runtime only. */
export interface BackendOptions {
  /** Which runtime runs it; `auto`, by the file's ending, unless told. */
  readonly backend?: BackendName | undefined
  /** Whether native code runs in a process of its own; by default where it talks to a device. */
  readonly isolate?: boolean | undefined
  /** Options of ONNX Runtime. */
  readonly ort?: OrtOptions | undefined
  /** Options of HailoRT. */
  readonly hailort?: HailortOptions | undefined
  /** Options of TensorRT. */
  readonly tensorrt?: TensorRtOptions | undefined
}
