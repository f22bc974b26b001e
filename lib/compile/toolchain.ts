/**
 * What turns an authored graph into something that a device runs?
 *
 * One face over the compilers. `host` proves the graph, the quantisation and the runtime path on this machine and
 * nothing about
 * a device; `dfc` drives Hailo's Dataflow Compiler. Both run every stage as a process of its own with a hard time
 * limit, so a
 * hang, a crash or a leak of the compiler ends with the stage. Every stage gives an artifact or a classified failure.
 */
import type { Failure } from '../failure/classify.ts'

/** A file that a stage made or takes. */
export interface Artifact {
  readonly path: string
  readonly sha256: string
}

/** Where a toolchain was found, or why it cannot be used and what would help. */
export interface Availability {
  readonly found: boolean
  readonly where: string | null
  readonly version: string | null
  /** Empty when it was found. */
  readonly why: string
  readonly hint: string
}

/** Calibration samples on disk: one `.npy`, float32, samples first, in the layout that the toolchain asks for. */
export interface CalibrationFile extends Artifact {
  readonly count: number
}

export interface StageOptions {
  /** The case's own folder: the stage's working folder, where vendor logs land. */
  readonly folder: string
  readonly netName: string
  readonly hwArch: string
  readonly inputName: string
  readonly inputShape: readonly number[]
  /** The output values that were asked for; a parser that cuts the graph elsewhere has failed. */
  readonly endNodes: readonly string[]
  readonly calibration: CalibrationFile
  /** A model script's text, one command a line; empty for none. */
  readonly modelScript: string
  readonly logFile: string
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly onLine?: (line: string) => void
}

export type Stage =
  | {
      readonly ok: true
      readonly artifact: Artifact
      readonly metrics: Readonly<Record<string, number>>
      readonly durationMs: number
    }
  | {
      readonly ok: false
      readonly failure: Failure
      readonly stopped: 'timeout' | 'interrupted' | null
      readonly durationMs: number
    }

export interface Toolchain {
  readonly name: 'host' | 'dfc'
  /** `host`: N C 1 W as in the graph. `dfc`: N 1 W C. */
  readonly calibrationLayout: 'nchw' | 'nhwc'
  available(): Promise<Availability>
  /** ONNX to HAR; on `host` to a checked, shape-inferred ONNX. */
  parse(onnx: Artifact, o: StageOptions): Promise<Stage>
  /** HAR to quantised HAR; on `host` to int8 QDQ with real calibration. */
  optimize(har: Artifact, o: StageOptions): Promise<Stage>
  /** Quantised HAR to HEF; on `host` to ONNX Runtime's optimised model, opened and run. */
  compile(har: Artifact, o: StageOptions): Promise<Stage>
}
