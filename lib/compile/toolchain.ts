/**
 * The face of every compiler: what turns an authored graph into something that a device runs.
 *
 * `host` proves the graph, the quantisation and the runtime path on this machine and nothing about a device; `dfc`
 * drives Hailo's Dataflow Compiler, `trtexec` TensorRT's builder. Each runs every stage as a process of its own with a
 * hard time limit, so a hang, a crash or a leak of the compiler ends with the stage. Every stage gives an artifact or a
 * classified failure.
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
  /** Whether what was found is another program of the same name. */
  readonly isOther?: boolean
}

/** Calibration samples on disk, as `calibration-file.ts` writes them in the layout that the toolchain asks for. */
export interface CalibrationFile extends Artifact {
  readonly count: number
}

/** What a stage is told beside the file that it takes. */
export interface StageOptions {
  /** The case's own folder: the stage's working folder, where vendor logs land. */
  readonly folder: string
  readonly netName: string
  readonly hwArch: string
  /** The graph's inputs, every dimension a number. */
  readonly inputs: readonly { readonly name: string; readonly shape: readonly number[] }[]
  /** The output values that were asked for; a parser that cuts the graph elsewhere has failed. */
  readonly outputs: readonly string[]
  readonly calibration: CalibrationFile
  /** A model script's text, one command a line; empty for none. */
  readonly modelScript: string
  readonly logFile: string
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly onLine?: (line: string) => void
}

/** How a stage ended: with an artifact and numbers about it, or with a classified failure. */
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

/** A compiler. Its stages throw blocked when its program is absent or the disk is full. */
export interface Toolchain {
  readonly name: 'host' | 'dfc' | 'trtexec'
  /** What its last stage makes, as the ending of a file's name. */
  readonly product: 'onnx' | 'hef' | 'plan'
  /** `nchw`: as in the graph. `nhwc`: the channels of a float32 input of four axes last. */
  readonly calibrationLayout: 'nchw' | 'nhwc'
  /** Where it is, or why it cannot be used. Never throws. */
  available(): Promise<Availability>
  /** Check the graph. `dfc`: ONNX to HAR. The others: to a checked ONNX. */
  parse(onnx: Artifact, o: StageOptions): Promise<Stage>
  /** Quantise with the calibration samples. `dfc`: to a quantised HAR. `host`, and `trtexec` for int8: to int8 QDQ. */
  optimize(parsed: Artifact, o: StageOptions): Promise<Stage>
  /** Compile. `dfc`: to a HEF. `host`: to ONNX Runtime's optimised model, opened and run. `trtexec`: to a plan. */
  compile(quantised: Artifact, o: StageOptions): Promise<Stage>
}

/** Who may compile; `auto` is `dfc` or `host`. */
export const toolchainNames = ['auto', 'dfc', 'host', 'trtexec'] as const
/** One of `toolchainNames`. */
export type ToolchainName = (typeof toolchainNames)[number]
