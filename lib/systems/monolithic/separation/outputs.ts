/**
 * Writes separated audio, spectrograms and scores as blocks arrive, in memory that does not grow.
 *
 * Sound files appear under their names when everything has been measured; until then, and after an error, there are
 * none. Sources of any level and sign can be rescaled so that they add up to the mixture best: they are then kept in
 * float beside their place until the gains are known.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { createWav, openWav, type WavWriter } from '../../../formats/wav/index.ts'
import { usageError } from '../../../base/errors.ts'
import { SeparationScore, type SeparationResult } from '../../../signal/metrics.ts'
import { SnrSum } from '../../../signal/snr.ts'
import { Spectrogram, type SpectrogramResult } from '../../../signal/spectrogram.ts'
import { openMono, type MonoSource } from '../../../signal/mono-source.ts'
import { SourceSound } from '../../../signal/source-sound.ts'
import { SourceGains } from '../../../signal/source-gains.ts'

/** What is written, and how much of it. */
export interface OutputOptions {
  readonly folder: string
  readonly sampleRate: number
  /** Of the whole mixture. */
  readonly samples: number
  readonly sources: number
  /** The clean voices, one per source, or null. */
  readonly references: readonly string[] | null
  /** Whether two or more sources are rescaled so that they add up to the mixture best. */
  readonly rescales?: boolean
}

/** What was written and measured. */
export interface FinishedOutputs {
  readonly files: { readonly mix: string; readonly sources: readonly string[] }
  readonly spectrograms: readonly { readonly title: string; readonly picture: SpectrogramResult }[]
  readonly score: SeparationResult | null
  /** How well the sources add up to the mixture as the model gave them, in dB. */
  readonly consistencyDb: number
  /** What each source was multiplied with before it was written; null when they are as the model gave them. */
  readonly sourceGains: readonly number[] | null
  readonly clippedSamples: number
  /** Those of them that the mixture has. */
  readonly mixClippedSamples: number
  /** As `SourceSound` measures them, of the sources as the model gave them. */
  readonly quietestDb: number
  readonly likeness: number | null
}

/** Sound files, pictures and scores that are being made. */
export interface SeparationOutputs extends Disposable {
  /**
   * The next samples of the mixture and of each source, equally long.
   *
   * @throws RunbookError blocked when the disk is full
   */
  push(mix: Float32Array, sources: readonly Float32Array[]): void
  /** Put the files in their place and give what was measured. */
  finish(): FinishedOutputs
}

/** The names of the sound files of a mixture and its sources, without their ending. */
export const soundNames = (sources: number): string[] => [
  'mix',
  ...Array.from({ length: sources }, (_, i) => `sep_src${i + 1}`),
]

/**
 * Open everything, or nothing.
 *
 * @throws RunbookError usage when a reference is of another length than the mixture; blocked when the folder cannot be
 *   written
 */
export function openOutputs(o: OutputOptions): SeparationOutputs {
  const { sampleRate } = o
  const names = soundNames(o.sources)
  const paths = names.map(name => join(o.folder, `${name}.wav`))
  const pictures = names.map(() => new Spectrogram({ sampleRate, totalSamples: o.samples }))
  const opened: Disposable[] = []
  const close = () => {
    for (const one of opened.splice(0)) one[Symbol.dispose]()
  }
  const keep = <T extends Disposable>(one: T): T => {
    opened.push(one)
    return one
  }
  try {
    const references = openReferences(o, keep)
    const gains = o.rescales && o.sources > 1 ? new SourceGains(o.sources) : null
    const held = paths.map((path, i) => (gains !== null && i > 0 ? `${path}.unscaled` : path))
    if (gains) keep({ [Symbol.dispose]: () => held.slice(1).forEach(path => rmSync(path, { force: true })) })
    const writers = held.map(path => {
      const encoding = path.endsWith('.wav') ? 'pcm16' : 'float32'
      return keep(createWav(path, { sampleRate, channels: 1, encoding }))
    })
    return {
      ...streamOf({ names, paths, held, sampleRate, pictures, writers, references, gains }),
      [Symbol.dispose]: close,
    }
  } catch (thrown) {
    close()
    throw thrown
  }
}

interface Parts {
  readonly names: readonly string[]
  readonly paths: readonly string[]
  /** Where the sound is written while it comes: its place, or beside it when it is still to be rescaled. */
  readonly held: readonly string[]
  readonly sampleRate: number
  readonly gains: SourceGains | null
  readonly pictures: readonly Spectrogram[]
  readonly writers: readonly WavWriter[]
  readonly references: readonly MonoSource[] | null
}

function streamOf(parts: Parts): Omit<SeparationOutputs, typeof Symbol.dispose> {
  const { names, paths, pictures, writers, references, gains } = parts
  const score = references ? new SeparationScore(references.length) : null
  const consistency = new SnrSum()
  const sound = new SourceSound(names.length - 1)
  let sum = new Float32Array(0)
  return {
    push(mix, sources) {
      for (const [i, samples] of [mix, ...sources].entries()) {
        writers[i]!.append([samples])
        if (i === 0 || gains === null) pictures[i]!.push(samples)
      }
      gains?.push(mix, sources)
      sound.push(mix, sources)
      if (sum.length < mix.length) sum = new Float32Array(mix.length)
      consistency.push(sumInto(sum.subarray(0, mix.length), sources), mix)
      if (references)
        score?.push(
          mix,
          sources,
          references.map(reference => reference.read(mix.length)),
        )
    },
    finish() {
      const sourceGains = gains?.gains() ?? null
      const clippedSamples = sourceGains ? rescale(parts, sourceGains) : closeAll(writers)
      return {
        spectrograms: names.map((title, i) => ({ title, picture: pictures[i]!.result() })),
        score: score?.result() ?? null,
        consistencyDb: consistency.db(),
        sourceGains,
        clippedSamples,
        mixClippedSamples: writers[0]!.clippedSamples,
        quietestDb: sound.quietestDb(),
        likeness: sound.likeness(),
        files: { mix: paths[0]!, sources: paths.slice(1) },
      }
    },
  }
}

/** Close the writers, and give how many samples they clipped. */
function closeAll(writers: readonly WavWriter[]): number {
  const clipped = writers.reduce((sum, writer) => sum + writer.clippedSamples, 0)
  for (const writer of writers) writer.close()
  return clipped
}

const blockFrames = 16_384

/** Write each source once more, multiplied with its gain, and draw it; gives how many samples were clipped. */
function rescale({ paths, held, sampleRate, pictures, writers }: Parts, gains: readonly number[]): number {
  let clipped = closeAll(writers)
  for (const [i, gain] of gains.entries()) {
    const path = held[i + 1]!
    const reader = openWav(path)
    try {
      using writer = createWav(paths[i + 1]!, { sampleRate, channels: 1, encoding: 'pcm16' })
      for (let block = reader.read(blockFrames); block.length > 0; block = reader.read(blockFrames)) {
        const samples = block[0]!.map(value => value * gain)
        writer.append([samples])
        pictures[i + 1]!.push(samples)
      }
      clipped += writer.clippedSamples
      writer.close()
    } finally {
      reader.close()
      rmSync(path, { force: true })
    }
  }
  return clipped
}

/** The clean voices; a reference of another length than the mixture is an error, not a silent cut. */
function openReferences(o: OutputOptions, keep: <T extends Disposable>(one: T) => T): MonoSource[] | null {
  if (o.references === null || o.references.length !== o.sources) return null
  return o.references.map(path => {
    const reference = keep(openMono(path, o.sampleRate))
    if (reference.totalSamples === o.samples) return reference
    throw usageError(
      `Cannot score against "${path}": it has ${reference.totalSamples} samples at ${o.sampleRate} Hz, ` +
        `the mixture ${o.samples}`,
      'cut both to the same length, or move the reference away',
    )
  })
}

function sumInto(sum: Float32Array, sources: readonly Float32Array[]): Float32Array {
  sum.set(sources[0]!)
  for (const source of sources.slice(1)) for (let i = 0; i < sum.length; i++) sum[i]! += source[i]!
  return sum
}
