/**
 * Makes the recordings in `contracts/recordings` again, byte for byte.
 *
 * Two voices of Debian's packages of prompts speak at once, at the rate they were recorded at. Each voice is levelled,
 * rounded to the nearest G.711 mu-law value, and the mixture is the plain sum of the two: one byte a sample keeps the
 * references small, and mixture = s1 + s2 stays exact. Downloading and running ffmpeg are the runbook's; who speaks
 * what is in the README beside them.
 */
import { join } from 'node:path'
import { usageError } from '../../base/errors.ts'
import { writeWav } from '../../formats/wav/index.ts'

/** Where the shipped recordings lie: `mix_clean/<name>.wav`, `s1/<name>.wav`, `s2/<name>.wav`, as in LibriMix. */
export const recordingsFolder = join(import.meta.dirname, '../../../contracts/recordings')

/** A Debian package of prompts, the SHA-256 of its .deb, and the folder inside it that holds one voice. */
export interface RecordingPackage {
  readonly name: string
  readonly version: string
  readonly sha256: string
  readonly folder: string
}

const ivrvoice: RecordingPackage = {
  name: 'asterisk-core-sounds-ru-g722',
  version: '1.6.1-1',
  sha256: '673b4238a6b8269960f055d868c6a11083f7a0d00979167cb01554046b48ed9b',
  folder: 'usr/share/asterisk/sounds/ru_RU_f_IvrvoiceRU',
}
const festvox: RecordingPackage = {
  name: 'festvox-ru',
  version: '0.5+dfsg-6',
  sha256: '21ef3f0f2978ecf2e2eddb367cb0ff4a72572196d28dc69feb84f4177af5e6c4',
  folder: 'usr/share/festival/voices/russian/msu_ru_nsh_clunits/wav',
}

/** One prompt as one side of a mixture. */
export interface PromptSource {
  readonly package: RecordingPackage
  /** The prompt's file inside the package's folder. Its decoded samples are found under `<package name>/<file>`. */
  readonly file: string
  /** SHA-256 of the prompt's file. */
  readonly sha256: string
  /** The sample of the prompt that comes first; what the prompt lacks at the end is silence. */
  readonly fromSample: number
  readonly gain: number
}

/** Two prompts that make one recording. */
export interface RecordingRecipe {
  readonly name: string
  readonly samples: number
  readonly sources: readonly [PromptSource, PromptSource]
}

/**
 * A recording in whole 16-bit units: `mix[i] = sources[0][i] + sources[1][i]`, and each source value is a G.711 mu-law
 * value.
 */
export interface Recording {
  readonly mix: Int16Array
  readonly sources: readonly [Int16Array, Int16Array]
}

/** The rate of G.722, hence of the recordings, in Hz. */
export const recordingSampleRate = 16_000

// The gains bring s1 to about -22 dBFS, and s2 to the same level in the first recording and 2 dB below in the second;
// loud enough for mu-law, quiet enough that the sum cannot clip. They are plain factors, so that every machine rounds
// alike.
/** How each shipped recording is made. */
export const recordingRecipes: readonly RecordingRecipe[] = [
  {
    name: 'ivrvoice-festvox-1',
    samples: 6 * recordingSampleRate,
    sources: [
      {
        package: ivrvoice,
        file: 'vm-newuser.g722',
        sha256: 'dbeeeba35e70979f994445ede056c14894724362c97b88603c3a579d29407b51',
        fromSample: 0,
        gain: 0.6391,
      },
      {
        package: festvox,
        file: 'ru_0635.wav',
        sha256: '9dc577d320053d302ce63618b378484f79cfe3c0219edac8de19e9dc58f855fb',
        fromSample: 6_400,
        gain: 0.5689,
      },
    ],
  },
  {
    name: 'ivrvoice-festvox-2',
    samples: 6 * recordingSampleRate,
    sources: [
      {
        package: ivrvoice,
        file: 'demo-thanks.g722',
        sha256: 'bdb1c5831bf7c6f18c990461ed734c9eb325bdacf37d1bec481fc58e1a846575',
        fromSample: 0,
        gain: 0.6742,
      },
      {
        package: festvox,
        file: 'ru_0475.wav',
        sha256: '0b8f0e532f11a7e63d915ed198ebb514c889afdf0de2ecb136a09c4090a8d6dd',
        fromSample: 6_000,
        gain: 0.4915,
      },
    ],
  },
]

/** The key of a prompt's decoded samples: `asterisk-core-sounds-ru-g722/vm-newuser.g722`. */
export const promptKey = (source: PromptSource): string => `${source.package.name}/${source.file}`

/** The command that decodes a .g722 or .wav file to raw 16-bit little-endian samples, mono, at 16 kHz. */
export const decodeCommand = (promptPath: string, outPath: string): string[] => [
  'ffmpeg',
  '-nostdin',
  '-v',
  'error',
  '-y',
  ...(promptPath.endsWith('.g722') ? ['-f', 'g722'] : []),
  '-i',
  promptPath,
  '-f',
  's16le',
  '-ac',
  '1',
  '-ar',
  `${recordingSampleRate}`,
  outPath,
]

/**
 * Raw 16-bit little-endian bytes as samples.
 *
 * @throws RunbookError usage when half a sample is left over
 */
export function pcmFromBytes(bytes: Uint8Array): Int16Array {
  if (bytes.length % 2 === 1) {
    throw usageError(`Cannot read "${bytes.length} bytes" as 16-bit samples: the last one is cut`, 'decode it again')
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Int16Array.from({ length: bytes.length / 2 }, (_, i) => view.getInt16(2 * i, true))
}

/**
 * Mixes a recording out of decoded prompts, keyed by `promptKey`. The same prompts give the same samples on every
 * machine.
 *
 * @throws RunbookError usage when a prompt is missing, too short to begin where the recipe says, or when the sum does
 *   not fit 16 bits
 */
export function buildRecording(recipe: RecordingRecipe, decodedPrompts: ReadonlyMap<string, Int16Array>): Recording {
  const level = (source: PromptSource): Int16Array => {
    const prompt = decodedPrompts.get(promptKey(source))
    if (prompt === undefined || prompt.length <= source.fromSample) {
      const state = prompt === undefined ? 'it was not decoded' : `it has only ${prompt.length} samples`
      const hint = decodeCommand(source.file, 'OUT.s16le').join(' ')
      throw usageError(`Cannot mix "${recipe.name}" from "${promptKey(source)}": ${state}`, hint)
    }
    return Int16Array.from({ length: recipe.samples }, (_, i) =>
      mulawValue(source.gain * (prompt[source.fromSample + i] ?? 0)),
    )
  }
  const sources: Recording['sources'] = [level(recipe.sources[0]), level(recipe.sources[1])]
  const mix = sources[0].map((s1, i) => {
    const sum = s1 + sources[1][i]!
    if (sum !== (sum << 16) >> 16) {
      throw usageError(
        `Cannot mix "${recipe.name}": sample ${i} clips at ${sum}`,
        'lower the gains in lib/systems/monolithic/recordings.ts',
      )
    }
    return sum
  })
  return { mix, sources }
}

/** The three files of a recording. */
export interface RecordingPaths {
  readonly mix: string
  readonly s1: string
  readonly s2: string
}

const floats = (samples: Int16Array): Float32Array => Float32Array.from(samples, x => x / 32_768)

/** Writes a recording's three WAV files below `folder`, and returns their paths: 16-bit mixture, mu-law references. */
export function writeRecording(folder: string, name: string, { mix, sources }: Recording): RecordingPaths {
  const paths = recordingPaths(folder, name)
  writeWav(paths.mix, [floats(mix)], { sampleRate: recordingSampleRate, encoding: 'pcm16' })
  writeWav(paths.s1, [floats(sources[0])], { sampleRate: recordingSampleRate, encoding: 'mulaw' })
  writeWav(paths.s2, [floats(sources[1])], { sampleRate: recordingSampleRate, encoding: 'mulaw' })
  return paths
}

/** Where the three files of a recording lie below `folder`. */
export const recordingPaths = (folder: string, name: string): RecordingPaths => ({
  mix: join(folder, 'mix_clean', `${name}.wav`),
  s1: join(folder, 's1', `${name}.wav`),
  s2: join(folder, 's2', `${name}.wav`),
})

/**
 * What a 16-bit sample becomes when G.711 mu-law encodes and decodes it: the middle of its step, at most 32124 either
 * side. Source: ITU-T G.711: eight segments of 16 steps, each segment's steps twice as wide as those of the one before.
 */
export function mulawValue(sample: number): number {
  const bias = 132
  const biased = Math.min(Math.round(Math.abs(sample)), 32_635) + bias
  const segment = 24 - Math.clz32(biased)
  const step = biased >> (segment + 3)
  return Math.sign(sample) * ((((step << 3) + 4) << segment) - bias) + 0
}
