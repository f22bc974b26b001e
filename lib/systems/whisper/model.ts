/**
 * Opens a model by name or folder, and exports it first where only its weights are there.
 */
import { exportCached } from './export.ts'
import type { Manifest } from './manifest.ts'
import { openWhisper, type OpenOptions, type Whisper } from './pipeline.ts'
import { findModel, storeFolder } from './store.ts'

/** Which model. */
export interface WantedModel {
  /** A name of the contract, or the path of an exported folder. */
  readonly model: string
  readonly precision?: Manifest['precision'] | undefined
  /** The folder of models; the user's cache unless given. */
  readonly store?: string | undefined
}

/**
 * The folder of an exported model, which is made where it is not there.
 * @param onExport told before an export begins, which takes seconds
 * @throws RunbookError as `findModel` and `exportCached`
 */
export async function exportedFolder(
  { model, precision, store = storeFolder() }: WantedModel,
  onExport: (to: string) => void = () => {},
): Promise<string> {
  const found = findModel(model, { store, precision })
  if (found.kind === 'exported') return found.folder
  onExport(found.exportTo)
  const to = found.exportTo
  exportCached({ name: found.named.published, from: found.folder, to, precision: precision ?? found.named.precision })
  return found.exportTo
}

/** Open a model. @throws RunbookError as `exportedFolder` and `openWhisper` */
export const openModel = async (wanted: WantedModel, options: OpenOptions = {}): Promise<Whisper> =>
  openWhisper(await exportedFolder(wanted), options)
