/**
 * Sets the options of a session.
 *
 * Those of ONNX Runtime that matter on a small machine. Anything else is a configuration entry, by the key that its own
 * documentation gives.
 */
import { FfiError } from '../errors.ts'
import { checkStatus, type OrtApi } from './api.ts'
import type { Pointer, Status } from './table.ts'

/** `GraphOptimizationLevel`, by number. */
export const optimizationLevels = { disabled: 0, basic: 1, extended: 2, all: 99 } as const
/** `OrtLoggingLevel`, by number. */
export const logSeverity = { verbose: 0, info: 1, warning: 2, error: 3, fatal: 4 } as const

/** How a session is made. */
export interface SessionOptions {
  /**
   * Threads inside one operator; 1 makes a run stay on the thread that asks. 0 is the library's choice, one for each
   * core.
   */
  readonly threads?: number
  /** Threads that run operators side by side. */
  readonly interOpThreads?: number
  /**
   * Whether idle threads spin for work (the library's default) or sleep: spinning is faster alone and slower in
   * company.
   */
  readonly allowSpinning?: boolean
  readonly optimization?: keyof typeof optimizationLevels
  /** Where to write the optimised graph. */
  readonly optimizedModelPath?: string
  /** What the library writes to stderr. `fatal` by default, since every error is thrown and need not be said twice. */
  readonly logSeverity?: keyof typeof logSeverity
  /** Further entries, such as `session.set_denormal_as_zero`: `1`. */
  readonly config?: Readonly<Record<string, string>>
}

/**
 * Write options into native ones.
 *
 * @throws FfiError `usage` for a value that cannot be meant, `status` when the library refuses one
 */
export function applyOptions({ functions }: OrtApi, pointer: Pointer, options: SessionOptions, act: string): void {
  const must = (call: string, status: Status) =>
    checkStatus(functions, status, { call, act, hint: 'check the session options' })
  const { threads, interOpThreads, allowSpinning, optimization = 'all', optimizedModelPath } = options
  for (const [name, count] of Object.entries({ threads, interOpThreads })) {
    if (count === undefined || (Number.isInteger(count) && count >= 0 && count <= 1024)) continue
    throw new FfiError(
      'usage',
      `Cannot ${act} with ${count} ${name}: it is no count of threads`,
      'give 0 (one for each core) to 1024',
    )
  }
  must(
    'SetSessionLogSeverityLevel',
    functions.SetSessionLogSeverityLevel(pointer, logSeverity[options.logSeverity ?? 'fatal']),
  )
  must(
    'SetSessionGraphOptimizationLevel',
    functions.SetSessionGraphOptimizationLevel(pointer, optimizationLevels[optimization]),
  )
  if (threads !== undefined) must('SetIntraOpNumThreads', functions.SetIntraOpNumThreads(pointer, threads))
  if (interOpThreads !== undefined)
    must('SetInterOpNumThreads', functions.SetInterOpNumThreads(pointer, interOpThreads))
  if (optimizedModelPath !== undefined)
    must('SetOptimizedModelFilePath', functions.SetOptimizedModelFilePath(pointer, optimizedModelPath))
  const spinning = allowSpinning === undefined ? {} : { 'session.intra_op.allow_spinning': allowSpinning ? '1' : '0' }
  for (const [key, value] of Object.entries({ ...spinning, ...options.config })) {
    must('AddSessionConfigEntry', functions.AddSessionConfigEntry(pointer, key, value))
  }
}
