/** Says how a TensorRT plan is opened. */

/** How a plan is opened. */
export interface TensorRtOptions {
  /** Which of the plan's optimization profiles; 0 unless told. */
  readonly profile?: number | undefined
  /** Accept a version-compatible plan, which carries code of its own: only from a source you trust. */
  readonly trustHostCode?: boolean | undefined
  /** TENSORRT_LIB and CUDART_LIB; `process.env` unless told. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
}
