/**
 * What is asked of a builder of engines: one ONNX file, a precision, and the shapes between which it must run.
 */

/** How finely an engine computes. `fp32` is without TF32, which keeps ten bits of mantissa. */
export const precisions = ['fp32', 'fp16', 'bf16', 'int8'] as const
/** One of `precisions`. */
export type Precision = (typeof precisions)[number]

/** Shapes of inputs with open dimensions: the least, the usual and the most. Inputs without any are left out. */
export type Profile = Readonly<Record<string, readonly [readonly number[], readonly number[], readonly number[]]>>

/** One engine to build. */
export interface EngineRequest {
  readonly onnx: string
  /** Where the engine goes. */
  readonly plan: string
  readonly precision: Precision
  readonly profile: Profile
  /** Measurements of kernels, kept from build to build; made when absent. */
  readonly timingCache?: string | undefined
  /**
   * Where the ranges of `int8` come from: the graph's own QuantizeLinear and DequantizeLinear, or a calibration cache,
   * which TensorRT 11 no longer takes.
   */
  readonly int8?: { readonly cache: string } | 'graph' | undefined
  readonly workspaceMiB?: number | undefined
  /** 0 to 5; TensorRT's own is 3. */
  readonly optimizationLevel?: number | undefined
}

/** `x:1x3,y:2` for one of the three shapes of every input. */
export const shapesText = (profile: Profile, which: 0 | 1 | 2): string =>
  Object.entries(profile)
    .map(([name, shapes]) => `${name}:${shapes[which].join('x')}`)
    .join(',')
