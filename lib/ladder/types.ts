/**
 * The words of a ladder: a rung before its turn, what it is made of, and how it went.
 *
 * A ladder knows nothing of the model that it tries. `Config` is whatever describes a rung to the system that made it
 * (channels, a size's name, a file): it is kept with the result and never read here. A graph may have any number of
 * inputs, of any type.
 */
import type { Failure } from '../failure/classify.ts'
import type { Feeds } from '../infer/backend.ts'

/** An input of the graph: its name and its shape, every dimension a number. */
export interface CaseInput {
  readonly name: string
  readonly shape: readonly number[]
}

/** A rung made ready: its graph and what the stages need to know. */
export interface PreparedCase {
  /** The graph's bytes, or the path of a file that stays where it is. */
  readonly onnx: Uint8Array | string
  /** Files that the graph's file refers to (external weights): they decide the outcome as much as the graph does. */
  readonly externalFiles?: readonly string[]
  readonly inputs: readonly CaseInput[]
  /** Names of the values that the compiled graph must put out. */
  readonly outputs: readonly string[]
  /** Commands for a vendor's compiler, one a line; empty for none. */
  readonly modelScript: string
  /** Numbers about the graph that go into the result's metrics as they are (parameters, multiply-accumulates). */
  readonly facts?: Readonly<Record<string, number>>
  /** What a runtime must know and a compiled file cannot carry: written beside it as `<file>.json`. */
  readonly description?: Readonly<Record<string, unknown>>
  /**
   * The samples to calibrate with, each a tensor for every input; called once.
   * @throws RunbookError usage when the calibration data does not fit the graph; the case then fails in bucket
   *   `calibration_shape`
   */
  samples(): readonly Feeds[]
}

/** One rung of a ladder, before anything is done about it. */
export interface LadderCase<Config = unknown> {
  /** Unique in its ladder; names the case's folder and its files. */
  readonly tag: string
  readonly config: Config
  /** Make the graph; called once, when the rung's turn comes. */
  prepare(): PreparedCase | Promise<PreparedCase>
}

/** How a case ended. `not-reached`: it was never begun. */
export type CaseStatus = 'succeeded' | 'failed' | 'timed-out' | 'interrupted' | 'not-reached'

/** The stages that a case passes, in order. A toolchain's parse gives `parsed`, and so on. */
export const caseStages = ['parsed', 'quantised', 'compiled'] as const
/** One of `caseStages`. */
export type CaseStage = (typeof caseStages)[number]

/** Paths in the case's folder; empty where nothing was made. */
export interface CaseFiles {
  readonly onnx: string
  readonly parsed: string
  readonly quantised: string
  readonly compiled: string
  readonly parseLog: string
  readonly compileLog: string
  readonly failureLog: string
}

/** How a case went. */
export interface CaseResult<Config = unknown> {
  readonly tag: string
  readonly config: Config
  readonly status: CaseStatus
  /** The last stage that was passed; null when none was. */
  readonly stage: CaseStage | null
  readonly exceptionType: string
  /** What the failure said of itself, at most 500 characters; for a case that was not reached, why. */
  readonly failureHead: string
  readonly failure: Failure | null
  readonly files: CaseFiles
  readonly metrics: Readonly<Record<string, number>>
  readonly durationMs: number
  /** Digest of everything that decides the outcome; null when the case failed before it was known. */
  readonly key: string | null
  readonly origin: 'ran' | 'cache' | 'resume'
}

/** The files of a case that has made none. */
export const noFiles: CaseFiles = {
  onnx: '',
  parsed: '',
  quantised: '',
  compiled: '',
  parseLog: '',
  compileLog: '',
  failureLog: '',
}

/** Whether a case passed a stage. */
export const hasPassed = ({ stage }: Pick<CaseResult, 'stage'>, wanted: CaseStage): boolean =>
  stage !== null && caseStages.indexOf(stage) >= caseStages.indexOf(wanted)

/** Whether a case was compiled. */
export const isCompiled = ({ stage }: Pick<CaseResult, 'stage'>): boolean => stage === 'compiled'

/** Failures that say something about the machine or the moment, and nothing about the case. */
const machineBuckets: ReadonlySet<string> = new Set([
  'wrapper_timeout',
  'aborted',
  'host_oom',
  'host_disk_full',
  'environment_broken_install',
])

/** Whether a failure is the machine's, or the moment's, and says nothing about the case. */
export const isOfMachine = (bucket: string | undefined): boolean => bucket !== undefined && machineBuckets.has(bucket)
