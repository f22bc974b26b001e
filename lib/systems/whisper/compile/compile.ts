/**
 * Climbs the lengths of encoder and decoder until each compiles.
 */
import type { ToolchainChoice } from '../../../compile/choose-toolchain.ts'
import { runLadder } from '../../../ladder/ladder.ts'
import type { CaseResult, LadderCase } from '../../../ladder/types.ts'
import { decoderCases, encoderCases, type Calibration, type RungConfig, type RungModel } from './cases.ts'

/** How the ladders are climbed. */
export interface CompileOptions {
  readonly chosen: ToolchainChoice
  readonly hwArch: string
  readonly caseTimeoutMin: number
  /** A path of the run's folder. */
  readonly path: (name: string) => string
  readonly signal: AbortSignal
  readonly print: (line: string) => void
}

/** A row of the summary. */
export interface RungRow {
  readonly tag: string
  readonly half: string
  readonly status: string
  readonly stage: string
  readonly seconds: number
  readonly failure: string
  readonly file: string
}

const columns = ['tag', 'half', 'status', 'stage', 'seconds', 'failure', 'file'] as const

const rowOf = (result: CaseResult<RungConfig>): RungRow => ({
  tag: result.tag,
  half: result.config.half,
  status: result.status,
  stage: result.stage ?? '',
  seconds: Math.round(result.durationMs / 100) / 10,
  failure: result.failure?.bucket ?? result.failureHead,
  file: result.files.compiled,
})

/**
 * Compile the encoder, then the decoder for the chunks of the encoder that compiled.
 * @returns the rows of both ladders; a decoder has none where no encoder compiled
 */
export async function compileWhisper(
  model: RungModel,
  calibration: Calibration,
  o: CompileOptions,
): Promise<RungRow[]> {
  const encoders = await climb(encoderCases(model, calibration), 'encoder', o)
  if (encoders.winner === null) return encoders.results.map(rowOf)
  const decoders = await climb(decoderCases(model, encoders.winner.config, calibration), 'decoder', o)
  return [...encoders.results, ...decoders.results].map(rowOf)
}

function climb(cases: readonly LadderCase<RungConfig>[], half: string, o: CompileOptions) {
  const { toolchain, availability } = o.chosen
  const caseTimeoutMs = o.caseTimeoutMin * 60_000
  return runLadder<RungConfig>({
    cases: [...cases],
    profile: 'focused',
    timeLimitMs: cases.length * caseTimeoutMs,
    caseTimeoutMs,
    folder: o.path(half),
    resume: null,
    summary: { path: o.path(`whisper_${half}_summary.tsv`), columns, row: result => ({ ...rowOf(result) }) },
    run: { toolchain, toolchainVersion: availability.version, hwArch: o.hwArch, signal: o.signal, cache: null },
    onCase: (rung, result) => result && o.print(`${rung.tag} ${result.status}`),
  })
}
