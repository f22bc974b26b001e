/**
 * Runs one stage as a process, and says what its end means.
 *
 * The command's words go to the stage's log. A time-out, an interruption, a signal or an exit code other than 0 is a
 * failure, classified from what the command wrote to the log in this stage and not from what stood there before.
 */
import { existsSync, statfsSync, statSync } from 'node:fs'
import { exec, type ExecResult } from '../host/exec.ts'
import { sha256File } from '../host/digest.ts'
import { writeFileAtomic } from '../host/files.ts'
import { classifyFailure } from '../failure/classify.ts'
import { digestFile } from '../failure/log/digest.ts'
import type { Artifact, Stage, StageOptions } from './toolchain.ts'

/** A stage's command that ended with exit code 0. */
export interface Finished {
  readonly result: ExecResult
  /** What the command wrote. */
  readonly log: string
}

/** A stage that did not end well. */
export type FailedStage = Extract<Stage, { ok: false }>

/** Where a stage's command runs, and what bounds it. */
export type StageBounds = Pick<StageOptions, 'folder' | 'logFile' | 'timeoutMs' | 'signal' | 'onLine'>

/**
 * Run a stage's command. Gives its log on exit code 0, else a classified failure.
 *
 * @throws RunbookError blocked when there is no such program
 */
export async function runStageCommand(command: readonly string[], o: StageBounds): Promise<Finished | FailedStage> {
  const before = statSync(o.logFile, { throwIfNoEntry: false })?.size ?? 0
  const { folder: cwd, logFile, timeoutMs, signal, onLine } = o
  const result = await exec(command, { cwd, logFile, timeoutMs, signal, ...(onLine ? { onLine } : {}) })
  // A command that was never started has left no log.
  const log = existsSync(o.logFile) ? digestFile(o.logFile, before).text : ''
  if (result.exitCode === 0 && !result.timedOut && !result.aborted) return { result, log }
  const failed = failedStage(log, result)
  if (failed.failure.bucket !== 'unknown' || hasRoom(cwd)) return failed
  // On a full disk nothing could be said, and that says enough.
  return failedStage(`${log}\nNo space left on device: ${logFile}`, result)
}

/** Less than this is no room for the files of a stage, or for the words of one that failed. */
const leastRoomBytes = 65_536

function hasRoom(folder: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize >= leastRoomBytes
  } catch {
    return true
  }
}

/** A stage that failed, from its log and how its process ended. */
export function failedStage(
  log: string,
  result: Pick<ExecResult, 'exitCode' | 'signal' | 'timedOut' | 'aborted' | 'durationMs'>,
): FailedStage {
  const failure = classifyFailure(log, result)
  const stopped = result.aborted ? 'interrupted' : result.timedOut ? 'timeout' : null
  return { ok: false, failure, stopped, durationMs: result.durationMs }
}

/**
 * An artifact on disk.
 *
 * @throws RunbookError blocked when the stage did not write it
 */
export const artifactOf = (path: string): Artifact => ({ path, sha256: sha256File(path) })

/** Write a file that a command is about to read. */
export function writeInput(path: string, text: string): string {
  writeFileAtomic(path, text)
  return path
}
