/**
 * Compiles the exported forms and judges what came out.
 */
import { join } from 'node:path'
import { RunbookError } from '../../../base/errors.ts'
import type { ToolchainChoice } from '../../../compile/choose-toolchain.ts'
import { runLadder } from '../../../ladder/ladder.ts'
import { isCompiled, type CaseResult } from '../../../ladder/types.ts'
import { readDataSet } from '../data/read.ts'
import { readExportConfig } from '../export/config.ts'
import { homeFolder } from '../home.ts'
import { openEngine } from '../model/engine.ts'
import { goldenOf } from '../model/self-test.ts'
import { measureParity, type Parity } from '../parity/measure.ts'
import { publishArtifact } from './artifacts.ts'
import { calibrationWindows, formCases, type FormConfig } from './cases.ts'

/** What the runbook hands in. */
export interface CompileInputs {
  readonly home: string
  readonly hwArch: string
  readonly profile: 'focused' | 'extended'
  readonly data: string | undefined
  readonly calibration: number
  readonly caseTimeoutMin: number
  readonly chosen: ToolchainChoice
  readonly folder: string
  readonly summary: string
  readonly signal: AbortSignal
  readonly print: (line: string) => void
}

/** A row of the summary. */
export interface FormRow {
  readonly form: string
  readonly status: string
  readonly stage: string
  readonly seconds: number
  readonly failure: string
}

/** What was compiled. */
export interface CompileOutcome {
  readonly rows: readonly FormRow[]
  readonly compiledCount: number
  /** The path of the published file, or null. */
  readonly artifact: string | null
}

const rowOf = (result: CaseResult<FormConfig>): FormRow => ({
  form: result.config.form,
  status: result.status,
  stage: result.stage ?? '',
  seconds: Math.round(result.durationMs / 100) / 10,
  failure: result.failure?.bucket ?? result.failureHead,
})

/**
 * Climb the forms and publish the first that compiled.
 * @throws RunbookError blocked when there is no export; usage for data or an export that cannot be used
 */
export async function compileForms(o: CompileInputs): Promise<CompileOutcome> {
  const exportsFolder = homeFolder(o.home, 'exports')
  const config = await readExportConfig(exportsFolder)
  const windows = calibrationWindows(await readDataSet(o.data), o.calibration)
  o.print(`${windows.length} windows to calibrate with`)
  const { toolchain, availability } = o.chosen
  const { results, winner } = await runLadder<FormConfig>({
    cases: formCases(exportsFolder, config, { windows, toolchain: toolchain.name }),
    profile: o.profile,
    timeLimitMs: 3 * o.caseTimeoutMin * 60_000,
    caseTimeoutMs: o.caseTimeoutMin * 60_000,
    folder: o.folder,
    resume: null,
    summary: {
      path: o.summary,
      columns: ['form', 'status', 'stage', 'seconds', 'failure'],
      row: result => ({ ...rowOf(result) }),
    },
    run: { toolchain, toolchainVersion: availability.version, hwArch: o.hwArch, signal: o.signal, cache: null },
    onCase: (rung, result) => result && o.print(`${rung.tag} ${result.status}`),
  })
  const compiledCount = results.filter(isCompiled).length
  const rows = results.map(rowOf)
  if (winner === null) return { rows, compiledCount, artifact: null }
  const artifact = await publishArtifact(homeFolder(o.home, 'artifacts'), {
    compiled: {
      path: join(o.folder, winner.tag, winner.files.compiled),
      form: winner.config.form,
      toolchain: toolchain.name,
      toolchainVersion: availability.version,
      hwArch: o.hwArch,
      calibrationWindows: windows.length,
    },
    config,
    exportsFolder,
  })
  return { rows, compiledCount, artifact }
}

/** The parity of a compiled file with its golden latents, or why nothing here can run it. */
export async function judgeArtifact(path: string): Promise<Parity | string> {
  try {
    await using engine = await openEngine(path, { backend: 'auto', slots: 1 })
    const golden = await goldenOf(engine)
    const latents: Float32Array[] = []
    for (const { window } of golden) latents.push((await engine.infer(window)).latent)
    return measureParity(
      latents,
      golden.map(({ latent }) => latent),
    )
  } catch (thrown) {
    if (thrown instanceof RunbookError && thrown.exit === 'blocked') return thrown.message
    throw thrown
  }
}
