/**
 * Which recording is separated?
 *
 * The one that is named, else the first mixture below a LibriMix folder, else one that ships with the project. The two clean
 * voices count as references when they stand beside the mixture as LibriMix lays them out: `mix_clean/a.wav`, `s1/a.wav`, `s2/a.wav`.
 */
import { existsSync, readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { blockedError } from '../notebook/errors.ts'
import { recordingPaths, recordingRecipes, recordingsFolder } from '../signal/recordings.ts'

export interface Recording {
  readonly mix: string
  /** The clean voices, or null where they are not beside the mixture. */
  readonly references: readonly string[] | null
  readonly from: 'MIX_WAV' | 'LIBRIMIX_ROOT' | 'shipped'
}

const mixtures = ['mix_clean', 'mix_both']
const below = ['Libri2Mix/wav16k/min/test', 'wav16k/min/test', 'test', '.']

/** Choose a recording. Errors: blocked when a LibriMix folder holds no mixture. */
export function pickRecording(o: { mixWav?: string | undefined; librimixRoot?: string | undefined }): Recording {
  if (o.mixWav !== undefined) return recording(o.mixWav, 'MIX_WAV')
  if (o.librimixRoot === undefined) return recording(firstMixture(recordingsFolder)!, 'shipped')
  const found = firstMixture(o.librimixRoot)
  if (found !== null) return recording(found, 'LIBRIMIX_ROOT')
  throw blockedError(
    `Cannot find a mixture below "${o.librimixRoot}": looked for ${below[0]}/{${mixtures.join(',')}}/*.wav`,
    'give --mix-wav FILE, or the folder that holds Libri2Mix',
  )
}

function firstMixture(root: string): string | null {
  for (const folder of below.flatMap(path => mixtures.map(name => join(root, path, name)))) {
    const name = existsSync(folder) ? readdirSync(folder).filter(file => file.endsWith('.wav')).toSorted()[0] : undefined
    if (name !== undefined) return join(folder, name)
  }
  return null
}

function recording(mix: string, from: Recording['from']): Recording {
  const beside = ['s1', 's2'].map(folder => join(dirname(mix), '..', folder, basename(mix)))
  return { mix, references: beside.every(path => existsSync(path)) ? beside : null, from }
}

/** The mixtures that ship with the project, in their order. */
export const shippedMixtures = (): string[] =>
  recordingRecipes.map(({ name }) => recordingPaths(recordingsFolder, name).mix)
