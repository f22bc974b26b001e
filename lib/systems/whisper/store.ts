/**
 * Knows where models lie: weights as they were published, and the graphs that were exported from them.
 *
 *   <store>/tiny.en/model.bin, config.json, tokenizer.json …      weights
 *   <store>/tiny.en/cached-float32/whisper.json, encoder.onnx …   exported
 */
import { existsSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { blockedError } from '../../base/errors.ts'
import { namedModel, whisperContract, type NamedModel } from './contract.ts'
import type { Manifest } from './manifest.ts'
import { runbookCommand } from '../../host/typescript.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** The folder of models: `WHISPER_MODELS`, else the user's cache. */
export function storeFolder(env: Environment = process.env): string {
  if (env.WHISPER_MODELS) return env.WHISPER_MODELS
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'rungbook', 'whisper')
}

/** Where the weights of a published model lie, or would lie. */
export const weightsFolder = (store: string, published: string): string => join(store, published)

/** Where a form of a model lies, or would lie. */
export const exportFolder = (
  store: string,
  { published, form, precision }: { published: string } & Pick<Manifest, 'form' | 'precision'>,
): string => join(store, published, `${form}-${precision}`)

/** Files of a model that the contract names and that are not there in their full size. */
export function missingFiles(store: string, { published, model }: NamedModel): string[] {
  return model.files
    .filter(({ name, bytes }) => {
      const stat = statSync(join(weightsFolder(store, published), name), { throwIfNoEntry: false })
      return stat === undefined || (bytes !== undefined && stat.size !== bytes)
    })
    .map(({ name }) => name)
}

/** Where a model was found: exported already, or as weights that are still to be exported. */
export type FoundModel =
  | { readonly kind: 'exported'; readonly folder: string }
  | { readonly kind: 'weights'; readonly folder: string; readonly named: NamedModel; readonly exportTo: string }

/**
 * Find a model by name or by the path of a folder.
 * @param o.precision the name's own unless given
 * @throws RunbookError usage for an unknown name; blocked when it is not installed, with the command that installs it
 */
export function findModel(
  nameOrFolder: string,
  o: { store: string; form?: Manifest['form']; precision?: Manifest['precision'] | undefined },
): FoundModel {
  const { manifest } = whisperContract().files
  if (nameOrFolder.includes('/') || existsSync(join(nameOrFolder, manifest))) {
    if (existsSync(join(nameOrFolder, manifest))) return { kind: 'exported', folder: nameOrFolder }
    throw blockedError(
      `Cannot open the model "${nameOrFolder}": there is no ${manifest} in it`,
      'give a folder that whisper-export.ts wrote, or a name such as tiny.en',
    )
  }
  const named = namedModel(nameOrFolder)
  const { published } = named
  const precision = o.precision ?? named.precision
  const exported = exportFolder(o.store, { published, form: o.form ?? 'cached', precision })
  if (existsSync(join(exported, manifest))) return { kind: 'exported', folder: exported }
  const missing = missingFiles(o.store, named)
  if (missing.length === 0) {
    return { kind: 'weights', folder: weightsFolder(o.store, published), named, exportTo: exported }
  }
  throw blockedError(
    `Cannot open the model "${nameOrFolder}": ${missing.join(', ')} is not in ${weightsFolder(o.store, published)}`,
    runbookCommand('runbooks/whisper-model.ts', ['--name', nameOrFolder]),
  )
}
