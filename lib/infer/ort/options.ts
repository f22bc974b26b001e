/** Says how an ONNX file is opened on ONNX Runtime, through either of its two drivers. */
import type { SessionOptions } from '../../../ffi/onnxruntime/options.ts'

/** Ways to call ONNX Runtime: through its C API, or through the onnxruntime-node package. */
export const ortDrivers = ['c', 'node'] as const

/** How an ONNX file is opened through the C API. */
export interface OrtCOptions extends SessionOptions {
  /** How many questions may be under way at once; each has buffers of its own. More wait their turn. 1 unless told. */
  readonly slots?: number | undefined
  /** Where libraries are looked for; `process.env` unless told. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
}

/** How an ONNX file is opened. `slots`, `allowSpinning` and `env` are of the C API; the package ignores them. */
export interface OrtOptions extends OrtCOptions {
  /** How ONNX Runtime is called; `c` unless told. */
  readonly driver?: (typeof ortDrivers)[number] | undefined
}
