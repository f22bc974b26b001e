/**
 * Separates a recording with the model that a sweep has compiled, and shows what came out.
 */
import type { CellTools } from '../../../notebook/run/cells.ts'
import type { Inputs } from '../../../notebook/inputs/inputs.ts'
import type { Run, Tools } from '../../../notebook/run/session.ts'
import type { Toolchain } from '../../../compile/toolchain.ts'
import type { CaseResult } from '../../../ladder/types.ts'
import { monolithicContract } from '../contract.ts'
import type { OpenRecording } from '../pick-recording.ts'
import { modelFacts } from '../separation/model-facts.ts'
import { separationPicture } from '../separation/picture.ts'
import { showSeparation } from '../separation/report.ts'
import { separateRecording, type SeparatedRecording } from '../separation/separate-recording.ts'

type Gate = Tools<Inputs>['gate']

/**
 * The gate on how far the compiled model is from the float32 one. An engine that no GPU has answered from has no
 * number: there the runtime's own gate is blocked.
 */
export function gateLikeness(
  gate: Gate,
  { toolchain, metrics }: { readonly toolchain: Toolchain['name'] } & Pick<CaseResult, 'metrics'>,
): void {
  const { snrDb } = metrics
  if (toolchain !== 'host' && snrDb === undefined) return
  const name = toolchain === 'trtexec' ? 'engine against float32' : 'int8 against float32'
  gate(name, snrDb ?? Number.NaN, { atLeast: monolithicContract().gates.int8SnrDbMin }, { unit: 'dB' })
}

/**
 * Run the model on the recording, in the run's folder.
 * @param modelPath what the winning rung was compiled to
 * @throws RunbookError as `separateRecording`
 */
export async function separateWinner(
  modelPath: string,
  { recording, run }: { readonly recording: OpenRecording; readonly run: Run },
  { show, advance, signal }: CellTools,
): Promise<SeparatedRecording> {
  const separated = await separateRecording({
    modelPath,
    backend: 'auto',
    recording,
    source: recording.source,
    folder: run.folder,
    rescales: true,
    ...modelFacts(modelPath),
    signal,
    onWindow: advance,
  })
  show(...showSeparation(separated))
  run.write('separation.png', separationPicture(separated.spectrograms.map(({ picture }) => picture)))
  return separated
}
