/**
 * Picks the recording to separate, with its reference voices where there are any.
 *
 * The one that is named, else the first mixture below a LibriMix folder, else one that ships with the project. The two
 * clean voices count as references when they stand beside the mixture as LibriMix lays them out: `mix_clean/a.wav`,
 * `s1/a.wav`, `s2/a.wav`.
 */
import { existsSync, readdirSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileError } from '../../host/files.ts'
import { blockedError, usageError } from '../../base/errors.ts'
import { openMono, type MonoSource } from '../../signal/mono-source.ts'
import { recordingPaths, recordingRecipes, recordingsFolder } from './recordings.ts'

/** A mixture, and its clean voices where they are known. */
export interface Recording {
  readonly mix: string
  /** The clean voices, or null where they are not beside the mixture. */
  readonly references: readonly string[] | null
  readonly from: 'MIX_WAV' | 'LIBRIMIX_ROOT' | 'shipped'
}

/** In the order in which they are looked for: clean speech first. */
const mixtures = ['mix_clean', 'mix_both']
/** The folder that holds the mixtures, seen from each folder above it that somebody may call LibriMix's root. */
const below = ['Libri2Mix/wav16k/min/test', 'wav16k/min/test', 'min/test', 'test', '.']

/**
 * Choose a recording; whether the file is there is found out when it is opened.
 * @param o.librimixRoot the folder above `Libri2Mix`, or any folder down to the mixtures' own
 * @throws RunbookError blocked when a LibriMix folder holds no mixture, or cannot be read
 * @example
 * ```ts
 * const { references } = pickRecording({})
 * assert.equal(references?.length, 2)
 * ```
 */
export function pickRecording(o: { mixWav?: string | undefined; librimixRoot?: string | undefined }): Recording {
  if (o.mixWav !== undefined) return recording(o.mixWav, 'MIX_WAV')
  if (o.librimixRoot === undefined) return recording(shippedMixtures()[0]!, 'shipped')
  const found = firstMixture(o.librimixRoot)
  if (found !== null) return recording(found, 'LIBRIMIX_ROOT')
  throw blockedError(
    `Cannot find a mixture below "${o.librimixRoot}": there is no ${below[0]}/{${mixtures.join(',')}}/*.wav`,
    'give a recording (--mix-wav FILE of monolithic-sweep and monolithic-infer), or the folder that holds Libri2Mix',
  )
}

function firstMixture(root: string): string | null {
  const isMixtures = mixtures.includes(basename(resolve(root)))
  const folders = isMixtures ? [root] : below.flatMap(path => mixtures.map(name => join(root, path, name)))
  for (const folder of folders) {
    const name = soundsOf(folder)[0]
    if (name !== undefined) return join(folder, name)
  }
  return null
}

/** The WAV files of a folder in their order. Hidden ones are not sound: a Mac leaves `._a.wav` beside `a.wav`. */
function soundsOf(folder: string): string[] {
  if (!existsSync(folder)) return []
  try {
    return readdirSync(folder)
      .filter(name => /^[^.].*\.wav$/i.test(name))
      .toSorted()
  } catch (thrown) {
    throw fileError('list', folder, thrown)
  }
}

function recording(mix: string, from: Recording['from']): Recording {
  const beside = ['s1', 's2'].map(folder => join(dirname(mix), '..', folder, basename(mix)))
  return { mix, references: beside.every(path => existsSync(path)) ? beside : null, from }
}

/** The mixtures that ship with the project, in their order. */
export const shippedMixtures = (): string[] =>
  recordingRecipes.map(({ name }) => recordingPaths(recordingsFolder, name).mix)

/** A recording that is open: whoever opened it closes it. */
export interface OpenRecording extends Recording, Disposable {
  /** The mixture. */
  readonly source: MonoSource
}

/**
 * Open a recording that can be separated; its file is opened once, and is what is separated later.
 * @throws RunbookError as `openMono`; usage when it is silent
 */
export function openRecording(recording: Recording, sampleRate: number): OpenRecording {
  const source = openMono(recording.mix, sampleRate)
  try {
    refuseSilent(source, recording.mix)
  } catch (thrown) {
    source[Symbol.dispose]()
    throw thrown
  }
  return { ...recording, source, [Symbol.dispose]: () => source[Symbol.dispose]() }
}

/**
 * Refuse a mixture in which there is nothing to separate.
 * @throws RunbookError usage for a recording that holds no sound
 */
export function refuseSilent(source: MonoSource, path: string): void {
  if (!source.isSilent()) return
  const hint = 'give a recording with two voices (monolithic-infer, monolithic-sweep: --mix-wav FILE)'
  throw usageError(`Cannot separate "${path}": it is silent, or its channels cancel out`, hint)
}
