/**
 * Runs one stage of this machine's own compiler as a process.
 *
 * Toolchains that have no program for checking or quantising a graph use these stages too.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { readJson } from '../../host/files.ts'
import { typescriptCommand } from '../../host/typescript.ts'
import { artifactOf, runStageCommand } from '../stage-command.ts'
import type { Artifact, Stage, StageOptions } from '../toolchain.ts'

/** What a stage reads, and how it writes. */
export interface HostStage {
  readonly from: Artifact
  /** A file's name in the case's folder. */
  readonly to: string
  /** For whom int8 is written. */
  readonly form?: 'host' | 'tensorrt'
}

/**
 * Run a stage.
 * @throws RunbookError blocked when the disk is full
 */
export async function hostStage(
  name: 'parse' | 'optimize' | 'compile',
  { from, to, form = 'host' }: HostStage,
  o: StageOptions,
): Promise<Stage> {
  const made = join(o.folder, to)
  const metricsFile = join(o.folder, `host_${name}.json`)
  const command = typescriptCommand(join(import.meta.dirname, 'stage.ts'), [
    name,
    from.path,
    made,
    o.calibration.path,
    metricsFile,
    join(dirname(from.path), `${o.netName}.host_parsed.onnx`),
    form,
  ])
  const finished = await runStageCommand(command, o)
  if ('ok' in finished) return finished
  const metrics = existsSync(metricsFile) ? (readJson(metricsFile) as Record<string, number>) : {}
  return { ok: true, artifact: artifactOf(made), metrics, durationMs: finished.result.durationMs }
}
