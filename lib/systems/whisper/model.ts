/**
 * Opens a model by name or folder, and exports it first where only its weights are there.
 */
import { usageError } from '../../base/errors.ts'
import { exportCached, exportFixed } from './export.ts'
import type { Manifest } from './manifest.ts'
import { openWhisper, type OpenOptions, type Whisper } from './pipeline.ts'
import { findModel, storeFolder } from './store.ts'

/** Which model. */
export interface WantedModel {
  /** A name of the contract, or the path of an exported folder. */
  readonly model: string
  readonly precision?: Manifest['precision'] | undefined
  readonly form?: Manifest['form']
  /** The folder of models; the user's cache unless given. */
  readonly store?: string | undefined
}

/**
 * The folder of an exported model, which is made where it is not there.
 * @param onExport told before an export begins, which takes seconds
 * @throws RunbookError as `findModel` and `exportCached`
 */
export async function exportedFolder(
  { model, precision, form = 'cached', store = storeFolder() }: WantedModel,
  onExport: (to: string) => void = () => {},
): Promise<string> {
  const found = findModel(model, { store, precision: form === 'fixed' ? 'float32' : precision, form })
  if (found.kind === 'exported') return found.folder
  onExport(found.exportTo)
  const one = { name: found.named.published, from: found.folder, to: found.exportTo }
  if (form === 'fixed') exportFixed(one)
  else exportCached({ ...one, precision: precision ?? found.named.precision })
  return found.exportTo
}

/**
 * Open a model.
 *
 * @throws RunbookError as `exportedFolder` and `openWhisper`
 */
export const openModel = async (wanted: WantedModel, options: OpenOptions = {}): Promise<Whisper> =>
  openWhisper(await exportedFolder(wanted), options)

/** What both forms can do. */
export type Transcriber = Pick<Whisper, 'transcribe' | 'device' | 'manifest'> & AsyncDisposable

/**
 * Open an exported folder of either form.
 * @param o.hefs compiled files in place of the folder's own graphs, for fixed lengths only
 * @throws RunbookError as `openWhisper` and `openFixedWhisper`; usage for HEFs without fixed lengths
 */
export async function openTranscriber(
  folder: string,
  o: {
    readonly form: Manifest['form']
    readonly threads?: number | undefined
    readonly hefs?: { readonly encoder?: string | undefined; readonly decoder?: string | undefined }
  },
): Promise<Transcriber> {
  const { encoder, decoder } = o.hefs ?? {}
  if (o.form === 'fixed') {
    const { openFixedWhisper } = await import('./fixed-pipeline.ts')
    return openFixedWhisper(folder, { encoder, decoder, backend: { ort: { threads: o.threads } } })
  }
  if (encoder !== undefined || decoder !== undefined) {
    throw usageError(
      'Cannot use a HEF with a cache: HEFs have fixed lengths',
      'leave the HEFs out, or choose the fixed form: whisper-transcribe --form fixed',
    )
  }
  return openWhisper(folder, { threads: o.threads })
}
