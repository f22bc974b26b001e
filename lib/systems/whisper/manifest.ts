/**
 * Describes an exported model: which graphs belong together, in which form, and from which weights.
 */
import { join } from 'node:path'
import { existsSync } from 'node:fs'
import { blockedError, usageError } from '../../base/errors.ts'
import { sha256File } from '../../host/digest.ts'
import { readJson, writeFileAtomic } from '../../host/files.ts'
import type { WhisperDims } from '../../models/whisper/dims.ts'
import { whisperContract } from './contract.ts'
import { runbookCommand } from '../../host/typescript.ts'

/** A file of the folder. */
interface ManifestFile {
  readonly path: string
  readonly sha256: string
}

/** What `whisper.json` says. */
export interface Manifest {
  readonly schema: 'rungbook.whisper/1'
  /** The model's published name. */
  readonly name: string
  /** `cached`: a decoder with a cache; `fixed`: chunks and sequences of one length, as Hailo's files have. */
  readonly form: 'cached' | 'fixed'
  readonly precision: 'float32' | 'int8'
  readonly dims: WhisperDims
  readonly alignmentHeads: readonly (readonly [number, number])[]
  readonly encoder: ManifestFile
  readonly decoder: ManifestFile
  /** SHA-256 of the weights. */
  readonly weights: string
  /** Only of the fixed form. */
  readonly fixed?: { readonly chunkSeconds: number; readonly sequence: number; readonly embeddings: string }
}

const schema = 'rungbook.whisper/1'

/** Write the manifest of a folder whose graphs are there. */
export function writeManifest(folder: string, o: Omit<Manifest, 'schema' | 'encoder' | 'decoder'>): Manifest {
  const { files } = whisperContract()
  const file = (path: string) => ({ path, sha256: sha256File(join(folder, path)) })
  const manifest: Manifest = { schema, ...o, encoder: file(files.encoder), decoder: file(files.decoder) }
  writeFileAtomic(join(folder, files.manifest), `${JSON.stringify(manifest, null, 2)}\n`)
  return manifest
}

/**
 * The manifest of an exported model.
 * @param o.verify compare the digests of the graphs, which reads them whole
 * @throws RunbookError blocked when the folder or one of its files is absent; usage when the manifest is malformed, or
 *   a graph is not the one that it names
 */
export function readManifest(folder: string, { verify = false }: { verify?: boolean } = {}): Manifest {
  const path = join(folder, whisperContract().files.manifest)
  if (!existsSync(path)) {
    throw blockedError(
      `Cannot open the model "${folder}": there is no ${whisperContract().files.manifest} in it`,
      runbookCommand('runbooks/whisper-export.ts', ['--model', 'tiny.en']),
    )
  }
  const manifest = readJson(path) as Manifest
  const refuse = (state: string) =>
    usageError(
      `Cannot open the model "${folder}": ${state}`,
      `export it again: ${runbookCommand('runbooks/whisper-export.ts')}`,
    )
  const isWhole =
    manifest?.schema === schema &&
    (manifest.form === 'cached' || manifest.form === 'fixed') &&
    typeof manifest.dims?.vocabulary === 'number' &&
    Array.isArray(manifest.alignmentHeads) &&
    typeof manifest.encoder?.path === 'string' &&
    typeof manifest.decoder?.path === 'string'
  if (!isWhole) throw refuse(`its manifest is not one of ${schema}`)
  for (const file of [manifest.encoder, manifest.decoder]) {
    const at = join(folder, file.path)
    if (!existsSync(at)) {
      throw blockedError(
        `Cannot open the model "${folder}": ${file.path} is absent`,
        `export it again: ${runbookCommand('runbooks/whisper-export.ts')}`,
      )
    }
    if (verify && sha256File(at) !== file.sha256) throw refuse(`${file.path} is not the file that its manifest names`)
  }
  return manifest
}
