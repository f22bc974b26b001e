/**
 * Rebuilds the recordings that ship from Debian's packages, and compares them byte for byte.
 *
 * Packages are downloaded with apt or found in a folder, their digests compared, the prompts unpacked and decoded, and
 * the recordings built. The recipe is `recordings.ts`; this file runs other programs and compares files.
 */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { exec } from '../../host/exec.ts'
import { sha256File } from '../../host/digest.ts'
import { makeFolder, readFile, writeFileAtomic } from '../../host/files.ts'
import { findProgram } from '../../host/program.ts'
import { shellWord } from '../../base/text.ts'
import { blockedError, RunbookError, usageError } from '../../base/errors.ts'
import {
  buildRecording,
  decodeCommand,
  pcmFromBytes,
  promptKey,
  recordingPaths,
  writeRecording,
  type PromptSource,
  type RecordingPackage,
  type RecordingRecipe,
} from './recordings.ts'

/** Where a rebuild works, and until when. */
export interface Workplace {
  /** Packages, prompts and logs go below it. */
  readonly folder: string
  readonly signal: AbortSignal
}

/** One package that was found and holds what it should. */
export interface FoundPackage extends RecordingPackage {
  readonly path: string
}

/** One file of a recording: what was made, and what ships. */
export interface ComparedFile {
  /** As LibriMix lays it out: `mix_clean/ivrvoice-festvox-1.wav`. */
  readonly file: string
  readonly made: string
  readonly shipped: string
  readonly sha256: string
  /** null when nothing ships under that name. */
  readonly shippedSha256: string | null
  readonly same: boolean
}

// WHY: the packages have 10 and 180 MB, and a prompt lasts seconds; whoever takes longer is stuck or offline.
// SOURCE: contracts/recordings/README.md
// CONTRACT: one command of a rebuild ends within five minutes.
const commandMsMax = 300_000

/** The packages that recipes need, each once. */
export const packagesOf = (recipes: readonly RecordingRecipe[]): RecordingPackage[] => [
  ...new Map(
    recipes.flatMap(({ sources }) => sources.map(source => [source.package.name, source.package] as const)),
  ).values(),
]

/** The name of a package's file, as apt writes it. */
export const debName = ({ name, version }: RecordingPackage): string => `${name}_${version}_all.deb`

/** The line that downloads packages into the working folder. */
export const downloadCommand = (packages: readonly RecordingPackage[]): string[] => [
  'apt-get',
  'download',
  ...packages.map(({ name, version }) => `${name}=${version}`),
]

/**
 * Whether the programs of a rebuild are here.
 * @throws RunbookError blocked, naming all that are absent and how to get them
 */
export function checkPrograms(programs: readonly string[]): void {
  const absent = programs.filter(program => {
    try {
      findProgram(program)
      return false
    } catch (thrown) {
      if (thrown instanceof RunbookError) return true
      throw thrown
    }
  })
  if (absent.length === 0) return
  const ways = [
    ...(absent.includes('ffmpeg') ? ['apt install ffmpeg'] : []),
    ...(absent.some(program => program !== 'ffmpeg') ? ['run it on Debian or Ubuntu, which bring apt and dpkg'] : []),
  ]
  const state = `${absent.join(', ')} ${absent.length > 1 ? 'are' : 'is'} not on PATH`
  throw blockedError(`Cannot make the recordings again: ${state}`, ways.join('; '))
}

/**
 * Download the packages.
 *
 * @throws RunbookError blocked when apt cannot (no network, an unknown version), with apt's own words
 */
export async function downloadPackages(
  packages: readonly RecordingPackage[],
  place: Workplace,
): Promise<FoundPackage[]> {
  const folder = makeFolder(join(place.folder, 'packages'))
  await mustRun(downloadCommand(packages), {
    ...place,
    cwd: folder,
    name: 'apt-get',
    env: { LC_ALL: 'C' },
    blocked: 'apt-get update, or download the packages elsewhere and give --packages FOLDER',
  })
  return findPackages(packages, folder)
}

/**
 * The packages in a folder, with their digests compared.
 * @throws RunbookError blocked when one is absent, with the line that downloads it; usage when one holds something else
 */
export function findPackages(packages: readonly RecordingPackage[], folder: string): FoundPackage[] {
  const absent = packages.filter(one => !existsSync(join(folder, debName(one))))
  if (absent.length > 0) {
    const names = absent.map(debName).join(', ')
    const state = `${absent.length} of ${packages.length} packages are absent`
    throw blockedError(
      `Cannot find ${names} in "${folder}": ${state}`,
      `cd ${shellWord(folder)} && ${downloadCommand(absent).join(' ')}`,
    )
  }
  return packages.map(one => {
    const path = join(folder, debName(one))
    const digest = sha256File(path)
    if (digest === one.sha256) return { ...one, path }
    const hint = `rm ${path}, and download it again: ${downloadCommand([one]).join(' ')}`
    throw usageError(`Cannot use "${path}": its SHA-256 is ${digest}, not ${one.sha256}`, hint)
  })
}

/**
 * Unpack the packages and decode the prompts. Gives samples by `promptKey`; what was unpacked is removed again.
 * @throws RunbookError blocked when a program fails; usage when a prompt is absent, or holds something else
 */
export async function decodePrompts(
  recipes: readonly RecordingRecipe[],
  found: readonly FoundPackage[],
  place: Workplace,
): Promise<Map<string, Int16Array>> {
  const decoded = new Map<string, Int16Array>()
  const unpacked = makeFolder(join(place.folder, 'unpacked'))
  for (const { name, path } of found) {
    const command = ['dpkg-deb', '-x', path, makeFolder(join(unpacked, name))]
    await mustRun(command, { ...place, name: `dpkg-deb-${name}`, blocked: `check the package: dpkg-deb -I ${path}` })
  }
  for (const source of recipes.flatMap(({ sources }) => sources)) {
    const raw = join(makeFolder(join(place.folder, 'decoded')), `${source.package.name}-${source.file}.s16le`)
    const blocked = 'install an ffmpeg with the g722 decoder: ffmpeg -decoders | grep g722'
    await mustRun(decodeCommand(promptIn(unpacked, source), raw), { ...place, name: `ffmpeg-${source.file}`, blocked })
    decoded.set(promptKey(source), pcmFromBytes(readFile(raw)))
  }
  rmSync(unpacked, { recursive: true })
  return decoded
}

/** A prompt among the unpacked packages, its digest compared. */
function promptIn(unpacked: string, source: PromptSource): string {
  const deb = debName(source.package)
  const path = join(unpacked, source.package.name, source.package.folder, source.file)
  if (!existsSync(path)) {
    throw usageError(
      `Cannot find "${source.file}" in ${deb}: it is not in ${source.package.folder}`,
      `dpkg-deb -c ${deb}`,
    )
  }
  const digest = sha256File(path)
  if (digest === source.sha256) return path
  const state = `its SHA-256 is ${digest}, not ${source.sha256}`
  throw usageError(
    `Cannot use "${path}": ${state}`,
    'compare the recipe in lib/systems/monolithic/recordings.ts with the package',
  )
}

/**
 * Build every recording below `folder` and compare it with the one of that name below `shipped`.
 *
 * @throws RunbookError as `buildRecording`
 */
export function buildAndCompare(
  recipes: readonly RecordingRecipe[],
  decoded: ReadonlyMap<string, Int16Array>,
  o: { folder: string; shipped: string },
): ComparedFile[] {
  return recipes.flatMap(recipe => {
    for (const part of ['mix_clean', 's1', 's2']) makeFolder(join(o.folder, part))
    const made = writeRecording(o.folder, recipe.name, buildRecording(recipe, decoded))
    const shipped = recordingPaths(o.shipped, recipe.name)
    return (['mix', 's1', 's2'] as const).map(part => {
      const file = `${part === 'mix' ? 'mix_clean' : part}/${recipe.name}.wav`
      return compareFile(file, made[part], shipped[part])
    })
  })
}

function compareFile(file: string, made: string, shipped: string): ComparedFile {
  const sha256 = sha256File(made)
  const shippedSha256 = existsSync(shipped) ? sha256File(shipped) : null
  return { file, made, shipped, sha256, shippedSha256, same: sha256 === shippedSha256 }
}

/**
 * Put every file that differs in the place of the one that ships; gives how they compare afterwards.
 *
 * @throws RunbookError blocked
 */
export function replaceShipped(files: readonly ComparedFile[]): ComparedFile[] {
  for (const { made, shipped, same } of files) if (!same) writeFileAtomic(shipped, readFile(made))
  return files.map(({ file, made, shipped }) => compareFile(file, made, shipped))
}

interface Step extends Workplace {
  /** Names the log. */
  readonly name: string
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** What to do when it fails. */
  readonly blocked: string
}

/** Run a command that has to succeed. Its last words become the error. */
async function mustRun(command: readonly string[], { folder, signal, name, cwd, env, blocked }: Step): Promise<void> {
  const logFile = join(folder, 'logs', `${name}.log`)
  const limits = { logFile, signal, timeoutMs: commandMsMax }
  const { exitCode, timedOut, aborted } = await exec(command, { ...limits, ...(cwd && { cwd }), ...(env && { env }) })
  if (exitCode === 0 && !timedOut && !aborted) return
  if (aborted)
    throw new RunbookError('interrupted', `Cannot finish "${command[0]}": interrupted`, 'run the same command again')
  const log = readFile(logFile).toString('utf8').trim().split('\n')
  const words = log.findLast(line => line.startsWith('E:')) ?? log.at(-1) ?? ''
  const state = timedOut ? 'it did not end in five minutes' : `exit code ${exitCode}${words === '' ? '' : `, ${words}`}`
  throw blockedError(`Cannot run "${command.join(' ')}": ${state}`, blocked)
}
