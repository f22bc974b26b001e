/**
 * Separates a recording with the model that a sweep has compiled, and shows what came out.
 */
import type { CellTools } from '../../../notebook/run/cells.ts'
import type { Run } from '../../../notebook/run/session.ts'
import type { Recording } from '../pick-recording.ts'
import { modelFacts } from '../separation/model-facts.ts'
import { separationPicture } from '../separation/picture.ts'
import { showSeparation } from '../separation/report.ts'
import { separateRecording, type SeparatedRecording } from '../separation/separate-recording.ts'

/**
 * Run the model on the recording, in the run's folder.
 * @param modelPath what the winning rung was compiled to
 * @throws RunbookError as `separateRecording`
 */
export async function separateWinner(
  modelPath: string,
  { recording, run }: { readonly recording: Recording; readonly run: Run },
  { show, advance, signal }: CellTools,
): Promise<SeparatedRecording> {
  const separated = await separateRecording({
    modelPath,
    backend: 'auto',
    recording,
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
