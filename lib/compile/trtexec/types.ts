/**
 * What a builder of engines is.
 */
import type { FailedStage, Finished, StageBounds } from '../stage-command.ts'
import type { Stage } from '../toolchain.ts'
import type { EngineRequest } from './request.ts'

/** The ways to build an engine: NVIDIA's program, or calls of libnvinfer itself. */
export const builderWays = ['trtexec', 'ffi'] as const
/** One of `builderWays`. */
export type BuilderWay = (typeof builderWays)[number]

/** A builder that was found here. */
export interface EngineBuilder {
  readonly way: BuilderWay
  /** The program, or the library. */
  readonly where: string
  /** Of TensorRT: `10.16.0`. */
  readonly version: string
  readonly major: number
  /**
   * The words of the process that would build this.
   * @throws RunbookError blocked when this TensorRT cannot build the precision; usage when an int8 engine has no ranges
   */
  commandOf(request: EngineRequest): string[]
  /**
   * Build. A failure is an answer.
   * @throws RunbookError blocked when this TensorRT cannot build the precision, when the graph does not have it, when a
   *   library is absent, and when the disk is full
   */
  build(request: EngineRequest, o: StageBounds): Promise<Stage>
}

/** What tells the two ways apart: the words of the process, and how it is run. */
export interface RawBuilder extends Omit<EngineBuilder, 'build'> {
  run(command: readonly string[], request: EngineRequest, o: StageBounds): Promise<Finished | FailedStage>
}
